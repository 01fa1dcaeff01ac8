"""Is an exported graph what PyTorch computes? The same texts through both, and the distance between the answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.artifact import Artifact
from models.calibration.temperature import softmax
from models.encoder.restoration import Restored
from models.errors import ModelError, require
from models.export.variants import ExportPrecision
from models.inference import Encoder, Runner
from models.progress import Progress

__all__ = ["BOUNDS", "Bounds", "CheckReport", "HeadCheck", "check_export", "torch_answers"]


@dataclass(frozen=True)
class Bounds:
    """``distance``: mean absolute difference of the probabilities of a head; ``agreement``: share of texts with the same best class;
    ``cosine``: of the embeddings, the lowest."""

    distance: float
    agreement: float
    cosine: float


#: What an export must keep. int8 is approximate by design: the bounds are what still leaves its benchmark figures alone.
BOUNDS: Mapping[ExportPrecision, Bounds] = MappingProxyType(
    {
        "fp32": Bounds(distance=1e-5, agreement=0.998, cosine=0.99999),
        "fp16": Bounds(distance=2e-3, agreement=0.99, cosine=0.9995),
        "int8": Bounds(distance=3e-2, agreement=0.9, cosine=0.97),
    }
)


@dataclass(frozen=True)
class HeadCheck:
    """Distance of one head's probabilities: ``mean`` and ``greatest`` absolute difference, and ``agreement`` of the best class, 0 to 1."""

    mean: float
    greatest: float
    agreement: float


@dataclass(frozen=True)
class CheckReport:
    """``heads``: task -> its distance; ``cosine``: lowest of the embeddings; ``texts``: how many were compared."""

    precision: ExportPrecision
    texts: int
    heads: Mapping[str, HeadCheck]
    cosine: float

    def lines(self) -> list[str]:
        """One line a head and one for the embedding."""
        told = [
            f"{task}: differs by {one.mean:.2g} in the mean and {one.greatest:.2g} at most, same best class {100 * one.agreement:.1f} %"
            for task, one in self.heads.items()
        ]
        return [*told, f"embedding: cosine {self.cosine:.6f} at least, over {self.texts} texts"]

    def demand(self) -> None:
        """Hold the report to :data:`BOUNDS`.

        Raises:
            ModelError: it is too far from PyTorch.
        """
        bounds = BOUNDS[self.precision]
        wrong = [task for task, one in self.heads.items() if not (one.mean <= bounds.distance and one.agreement >= bounds.agreement)]
        wrong += [] if self.cosine >= bounds.cosine else ["embedding"]
        if wrong:
            message = f"the {self.precision} export is too far from PyTorch in {', '.join(wrong)}: {'; '.join(self.lines())}"
            raise ModelError(message, mend="export another precision, or give the unquantised weights with --encoder")


def torch_answers(restored: Restored, tokens: Sequence[Sequence[int]], progress: Progress) -> dict[str, NDArray[np.float32]]:
    """Probabilities of every head and ``embedding``, by the ``BertModel`` of transformers in fp32, one text at a time.

    Raises:
        ModelError: the extra ``train`` is not installed.
    """
    torch, transformers = require("torch"), require("transformers")
    config = transformers.BertConfig(**{**restored.encoder.config, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0})
    model = transformers.BertModel(config, add_pooling_layer=False).eval()
    tensors = {name: torch.from_numpy(np.array(values)) for name, values in restored.encoder.tensors.items()}
    model.load_state_dict(tensors, strict=False)
    pooled: list[Any] = []
    with torch.no_grad():
        for done, ids in enumerate(tokens):
            states = model(input_ids=torch.tensor([list(ids)]), output_hidden_states=True).hidden_states
            pooled.append([states[layer][0].mean(0).numpy() for layer in (*restored.layers, len(states) - 1)])
            progress("answering in PyTorch", done + 1, len(tokens))
    whole = np.array(pooled, np.float32)
    features = whole[:, :-1].reshape(len(whole), -1)
    answers = {task: np.asarray(softmax(head.logits(features)), np.float32) for task, head in restored.heads.items()}
    last = whole[:, -1]
    return answers | {"embedding": last / np.linalg.norm(last, axis=1, keepdims=True)}


def check_export(made: Artifact, restored: Restored, precision: ExportPrecision, texts: Sequence[str], progress: Progress) -> CheckReport:
    """Compare ``made`` with PyTorch on ``restored``, from which it was made, over ``texts``.

    Raises:
        ModelError: there is no text, a file of ``made`` is damaged, or the extra ``train`` is not installed.
    """
    if not texts:
        raise ModelError("there is no text to check the export on", mend="give the folder that holds train/ with --data")
    with Encoder(made) as encoder:
        expected = torch_answers(restored, encoder.tokenize(texts), progress)
        found = _graph_answers(encoder, texts, list(expected))
    heads = {}
    for task in restored.heads:
        apart = np.abs(expected[task] - found[task])
        same = float((expected[task].argmax(1) == found[task].argmax(1)).mean())
        heads[task] = HeadCheck(float(apart.mean()), float(apart.max()), same)
    return CheckReport(precision, len(texts), heads, float((expected["embedding"] * found["embedding"]).sum(1).min()))


def _graph_answers(runner: Runner, texts: Sequence[str], outputs: Sequence[str]) -> dict[str, NDArray[np.float32]]:
    whole: dict[str, NDArray[np.float32]] = {}
    for rows, arrays in runner.results(texts, outputs):
        for name, part in zip(outputs, arrays, strict=True):
            whole.setdefault(name, np.zeros((len(texts), part.shape[1]), np.float32))[rows] = part
    return whole
