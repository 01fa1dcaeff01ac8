"""Writing the artifact: one ONNX graph from token ids to probabilities, its tokenizer and its config."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from models.artifact import Artifact, load_artifact
from models.data import SENTIMENT_LABELS
from models.encoder.graph import EncoderGraph, Precision
from models.encoder.pretrained import file_sha256
from models.encoder.trimmed import Encoder
from models.events import EVENT_LABELS
from models.topics import TOPIC_LABELS
from models.training.heads import Head

__all__ = ["MAX_BYTES", "declare_heads", "serving_graph", "write_artifact"]

#: A hard limit for the whole folder.
MAX_BYTES = 60_000_000


def serving_graph(encoder: Encoder, layers: tuple[int, ...], heads: Mapping[str, Head], precision: Precision = "int8") -> EncoderGraph:
    """The graph with one output of probabilities a head and ``embedding`` (L2-normalised mean of the last layer).

    ``heads`` (``sentiment``, ``topic``, and ``event`` where the model has it) are applied as they are; give them at their temperature.
    """
    return declare_heads(encoder.graph(precision), layers, heads)


def declare_heads(graph: EncoderGraph, layers: tuple[int, ...], heads: Mapping[str, Head]) -> EncoderGraph:
    """Add the outputs of :func:`serving_graph` to ``graph`` and return it."""
    features = graph.features(layers)
    for name, head in heads.items():
        inputs = [features, graph.constant(f"{name}.head.weight", head.weights), graph.constant(f"{name}.head.bias", head.bias)]
        graph.node("Gemm", inputs, f"{name}_logits")
        graph.node("Softmax", [f"{name}_logits"], name, axis=1)
        graph.output(name, ["batch", int(head.weights.shape[1])])
    graph.node("LpNormalization", [graph.pooled(graph.layers)], "embedding", axis=1, p=2)
    graph.output("embedding", ["batch", graph.hidden])
    return graph


def write_artifact(
    root: Path,
    encoder: Encoder,
    layers: tuple[int, ...],
    heads: Mapping[str, Head],
    *,
    version: str,
    temperatures: Mapping[str, float],
    max_length: int,
    prefix: str,
    languages: Sequence[str],
    provenance: Mapping[str, str],
) -> Artifact:
    """Write ``model.onnx``, ``tokenizer.json`` and ``config.json`` to ``root`` and load the result.

    ``heads`` are uncalibrated; the temperatures are folded into the graph. ``provenance`` records what the encoder was made from.
    """
    root.mkdir(parents=True, exist_ok=True)
    calibrated = {name: head.at_temperature(temperatures[name]) for name, head in heads.items()}
    model = serving_graph(encoder, layers, calibrated).model()
    (root / "model.onnx").write_bytes(model.SerializeToString(deterministic=True))
    shutil.copyfile(encoder.tokenizer_path, root / "tokenizer.json")
    digests = {name: file_sha256(root / name) for name in ("model.onnx", "tokenizer.json")}
    config = {
        "model_id": f"{root.name}/{version}+{digests['model.onnx'][:8]}",
        "sentiment_labels": list(SENTIMENT_LABELS),
        "topic_labels": list(TOPIC_LABELS),
        **({"event_labels": list(EVENT_LABELS)} if "event" in heads else {}),
        "max_length": max_length,
        "prefix": prefix,
        "temperatures": {name: round(value, 4) for name, value in temperatures.items()},
        "languages": sorted(languages),
        "feature_layers": list(layers),
        "vocabulary": len(encoder.vocabulary),
        "vocabulary_corpus_share": round(encoder.vocabulary.corpus_share, 4),
        "sha256": digests,
        "made_from": dict(provenance),
    }
    (root / "config.json").write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return load_artifact(root)
