"""Writing an adapted model: a whole model folder beside the old one, whose other heads and encoder are untouched."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.adaptation.decay import Decay
from models.adaptation.labels import Labels
from models.adaptation.replay import REPLAY_FILE, Replay
from models.artifact import CALIBRATION, Artifact, load_artifact
from models.encoder.pretrained import file_sha256
from models.errors import ModelError

__all__ = ["Adapted", "decay_record", "earlier_within", "extended_replay", "write_adapted"]

#: One in so many of the new texts joins the rows that later adaptations are measured on; the others hold the head.
CHECKED = 4


@dataclass(frozen=True)
class Adapted:
    """What is written: ``graph`` in bytes, ``classes`` in the order of the head's output, ``within``: new class -> class around it.

    ``moved``: what became of encoder and heads, in words. ``record``: what the card and ``training.json`` say of the adaptation.
    """

    task: str
    graph: bytes
    classes: Sequence[str]
    within: Mapping[str, str]
    temperature: float
    moved: str
    record: Mapping[str, Any]


def _group(name: str, rows: int, before: float, after: float) -> dict[str, Any]:
    return {"name": name, "rows": rows, "before": round(before, 2), "after": round(after, 2)}


def decay_record(decay: Decay) -> dict[str, Any]:
    """What ``training.json`` says of old texts."""
    whole = decay.whole
    return {
        **_group("all", whole.rows, whole.before, whole.after),
        "macro_f1": [round(value, 2) for value in decay.macro_f1],
        "bounds": {name: round(value, 2) for name, value in decay.bounds.items()},
        "groups": [_group(one.name, one.rows, one.before, one.after) for one in decay.groups],
    }


def _config(artifact: Artifact) -> dict[str, Any]:
    config: dict[str, Any] = json.loads((artifact.root / "config.json").read_text(encoding="utf-8"))
    return config


def earlier_within(artifact: Artifact, task: str) -> dict[str, str]:
    """Which classes of ``task`` earlier adaptations have put within another one."""
    return {str(name): str(outer) for name, outer in _config(artifact).get("within", {}).get(task, {}).items()}


def extended_replay(
    replay: Replay, artifact: Artifact, task: str, labels: Labels, features: NDArray[np.float16], places: Sequence[int]
) -> Replay:
    """The rows of ``replay`` and the new texts' as those of ``artifact``, the adapted model."""
    count = len(labels.rows)
    answers = {name: np.full(count, -1, np.int16) for name in replay.answers}
    answers[task] = np.array(places, np.int16)
    checks = [hashlib.sha256(row.text.encode("utf-8")).digest()[0] % CHECKED == 0 for row in labels.rows]
    mine = replace(
        replay,
        levels=replay.space.levels(features),
        langs=np.array([row.lang for row in labels.rows]),
        sources=np.array([f"labels:{labels.digest[:8]}"] * count),
        check=np.array(checks, np.bool_),
        answers=answers,
    )
    return replace(replay.joined(mine), model_id=artifact.model_id, digest=artifact.sha256["model.onnx"])


def _calibration(artifact: Artifact, folder: Path, model_id: str) -> dict[str, str]:
    """Carry the calibration by language along: the adapted head answers old texts as before, the others are untouched."""
    if CALIBRATION not in artifact.sha256:
        return {}
    record = json.loads(artifact.calibration_path.read_text(encoding="utf-8"))
    record["model_id"] = model_id
    (folder / CALIBRATION).write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return {CALIBRATION: file_sha256(folder / CALIBRATION)}


def _training(artifact: Artifact, adapted: Adapted) -> dict[str, Any]:
    path = artifact.root / "training.json"
    training: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    training["adaptations"] = [*training.get("adaptations", []), {"base": artifact.model_id, **adapted.record}]
    return training


def _card(artifact: Artifact, model_id: str, adapted: Adapted) -> str:
    record = adapted.record
    lines = [
        f"# {model_id.split('/', maxsplit=1)[0]}",
        "",
        f"Model id `{model_id}`: `{artifact.model_id}` with its {adapted.task} head adapted to {record['rows']} labelled texts "
        f"(file SHA-256 `{record['labels_sha256'][:16]}…`) by `bellwether models adapt`. {adapted.moved}",
        "",
        f"Classes, in order: {'; '.join(adapted.classes)}.",
        *([f"New: {'; '.join(record['new_classes'])}."] if record["new_classes"] else []),
        "",
        "| on held-out labels | before | after | difference, 95% |",
        "|---|---:|---:|---:|",
        *[
            f"| {name.replace('_', ' ')} % | {one['before']} | {one['after']} | {one['low']:+} to {one['high']:+} |"
            for name, one in record["held_out"].items()
        ],
        "",
        f"On {record['old_texts']['rows']} old texts: accuracy {record['old_texts']['before']} % before, {record['old_texts']['after']} % "
        "after; by language in `training.json`.",
        "",
        "Not measured on the benchmark sets: run `bellwether models evaluate --write`. Calibration by language, if there is any, is that "
        "of the base; `bellwether models calibrate` makes it anew.",
        "",
    ]
    return "\n".join(lines)


def write_adapted(artifact: Artifact, out: Path, adapted: Adapted, labels: Labels, finish: Callable[[Artifact], Replay]) -> Artifact:
    """Write the folder ``out``, whole or not at all, and load it.

    ``finish`` sees the finished folder before it gets its name, and gives its replay rows. A cascade's first stage is left behind: it
    would answer as before the adaptation.

    Raises:
        ModelError: the folder cannot be written.
    """
    base_version = artifact.model_id.partition("/")[2].partition("+")[0].partition("-")[0]
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as place:
            folder = Path(place) / out.name
            folder.mkdir()
            (folder / "model.onnx").write_bytes(adapted.graph)
            shutil.copyfile(artifact.tokenizer_path, folder / "tokenizer.json")
            digests = {name: file_sha256(folder / name) for name in ("model.onnx", "tokenizer.json")}
            base_digest = artifact.sha256["model.onnx"]
            model_id = f"{out.name}/{base_version}-{base_digest[:8]}+{digests['model.onnx'][:8]}"
            config = _config(artifact)
            within = {**config.get("within", {})}
            within[adapted.task] = {**within.get(adapted.task, {}), **adapted.within}
            config |= {
                "model_id": model_id,
                f"{adapted.task}_labels": list(adapted.classes),
                "temperatures": {**config["temperatures"], adapted.task: round(adapted.temperature, 4)},
                "sha256": digests | _calibration(artifact, folder, model_id),
                "within": {task: classes for task, classes in within.items() if classes},
                "made_from": {
                    **config.get("made_from", {}),
                    "base": artifact.model_id,
                    "sha256:base": base_digest,
                    "sha256:labels": labels.digest,
                },
            }
            (folder / "config.json").write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
            training = json.dumps(_training(artifact, adapted), indent=2, ensure_ascii=False) + "\n"
            (folder / "training.json").write_text(training, encoding="utf-8")
            (folder / "README.md").write_text(_card(artifact, model_id, adapted), encoding="utf-8")
            made = load_artifact(folder)
            finish(made).save(folder / REPLAY_FILE)
            if out.exists():
                out.rmdir()
            folder.rename(out)
    except OSError as error:
        raise ModelError(f"{out} cannot be written: {error.strerror}", mend="name a folder that you may write to") from error
    return load_artifact(out)
