"""The cheap stages before the model: whether they are asked for, whole, and of the model that scores."""

from __future__ import annotations

import asyncio

from models.artifact import Artifact, load_artifact
from models.cascade.gates import Gates
from models.errors import ModelError
from streams.doctor.check import PATIENCE, Check
from streams.errors import BellwetherError, TransientError
from streams.scoring.cascade import asked_for, check_plan
from streams.scoring.triton import TritonScorer
from streams.settings import Settings

__all__ = ["check_cascade"]


async def check_cascade(settings: Settings) -> list[Check]:
    """The cascade that ``scoring.cascade`` asks for.

    Raises:
        BellwetherError: Triton answers, and not as a scorer does.
    """
    scoring = settings.scoring
    if not await asyncio.to_thread(asked_for, scoring):
        why = "scoring.cascade is off" if scoring.cascade == "off" else "the model folder has none"
        return [Check("cascade", "ok", f"not used: {why}, the model scores every text")]
    try:
        artifact, gates = await asyncio.to_thread(_load, settings)
    except ModelError as error:
        return [Check("cascade", "fail", str(error), f"{error.mend}, or set scoring.cascade=off")]
    gates.close()
    try:
        model_id = await _scores(settings, artifact)
    except TransientError as error:
        return [Check("cascade", "warn", f"of {gates.plan.model_id}; nobody knows what will score: {error.message}", error.mend)]
    try:
        check_plan(gates.plan, model_id)
    except BellwetherError as error:
        return [Check("cascade", "fail", error.message, error.mend)]
    languages = len(gates.plan.languages)
    return [Check("cascade", "ok", f"{' → '.join(gates.names)}, fitted to {model_id} in {languages} languages, checksums right")]


def _load(settings: Settings) -> tuple[Artifact, Gates]:
    artifact = load_artifact(settings.scoring.model)
    return artifact, Gates(artifact, threads=1)


async def _scores(settings: Settings, artifact: Artifact) -> str:
    """Id of the model that would score now."""
    backend = settings.scoring.backend
    if backend == "noop":
        return "noop"
    if backend == "onnx":
        return artifact.model_id
    scorer = TritonScorer(settings.triton.model_copy(update={"deadline": PATIENCE}))
    try:
        await scorer.open()
        model_id = scorer.model_id
    except BellwetherError:
        if backend != "auto":
            raise
        model_id = artifact.model_id  # a worker would score by itself
    finally:
        await scorer.close()
    return model_id
