"""A random encoder folder and a few labelled sentences whose answer one word gives away: enough for a whole training run in seconds."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import numpy as np

from models.training.configuration import FineTuning, Mixing, Optimisation, Watch

__all__ = ["FILLERS", "HIDDEN", "LAYERS", "THEMES", "TONES", "small_training", "write_encoder", "write_text"]

TONES = {"negative": ["loss", "crash", "fraud"], "neutral": ["meeting", "report", "plan"], "positive": ["profit", "win", "growth"]}
THEMES = {"Deportes": ["football", "match"], "Economía": ["bank", "market"]}
EVENTS = {"earn": ["dividend", "quarter"], "acq": ["merger", "buyout"]}
FILLERS = ["today", "again", "there", "soon", "then", "now"]
HIDDEN, WIDE = 64, 128
LAYERS = 2


def write_encoder(folder: Path, layers: int = LAYERS) -> Path:
    """A random BERT with a Unigram tokenizer of a hundred pieces, as a Hugging Face folder."""
    from safetensors.numpy import save_file
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

    folder.mkdir()
    words = [word for group in (*TONES.values(), *THEMES.values(), *EVENTS.values(), FILLERS) for word in group]
    pieces = [(name, 0.0) for name in ("<s>", "<pad>", "</s>", "<unk>")] + [("▁", -5.0)]
    pieces += [(f"▁{word}", -6.0) for word in words] + [(chr(code), -12.0) for code in range(ord("a"), ord("z") + 1)]
    tokenizer = Tokenizer(models.Unigram(pieces, 3, False))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.add_special_tokens(["<s>", "<pad>", "</s>", "<unk>"])
    tokenizer.post_processor = processors.TemplateProcessing("<s> $A </s>", "<s> $A </s> $B </s>", [("<s>", 0), ("</s>", 2)])
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "model_type": "bert",
        "hidden_act": "gelu",
        "hidden_size": HIDDEN,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "intermediate_size": WIDE,
        "vocab_size": len(pieces),
        "max_position_embeddings": 32,
        "type_vocab_size": 1,
        "layer_norm_eps": 1e-12,
    }
    (folder / "config.json").write_text(json.dumps(config))
    random = np.random.default_rng(11)
    shapes = {"embeddings.word_embeddings.weight": (len(pieces), HIDDEN), "embeddings.position_embeddings.weight": (32, HIDDEN)}
    shapes["embeddings.token_type_embeddings.weight"] = (1, HIDDEN)
    norms = ["embeddings.LayerNorm"]
    for layer in range(layers):
        prefix = f"encoder.layer.{layer}."
        matrices = {f"attention.self.{part}": (HIDDEN, HIDDEN) for part in ("query", "key", "value")}
        matrices |= {"attention.output.dense": (HIDDEN, HIDDEN), "intermediate.dense": (WIDE, HIDDEN), "output.dense": (HIDDEN, WIDE)}
        shapes |= {f"{prefix}{name}.weight": shape for name, shape in matrices.items()}
        shapes |= {f"{prefix}{name}.bias": shape[:1] for name, shape in matrices.items()}
        norms += [f"{prefix}attention.output.LayerNorm", f"{prefix}output.LayerNorm"]
    tensors = {name: random.normal(0, 0.1, shape).astype(np.float32) for name, shape in shapes.items()}
    tensors["embeddings.position_embeddings.weight"] *= np.float32(0.1)
    for name in norms:
        tensors |= {f"{name}.weight": np.ones(HIDDEN, np.float32), f"{name}.bias": np.zeros(HIDDEN, np.float32)}
    save_file(tensors, folder / "model.safetensors")
    return folder


def write_text(folder: Path, *, events: bool = False) -> Path:
    """Labelled sentences in ``train``, and other ones in ``benchmark``; with ``events`` a set of Reuters labels too."""
    lines: dict[str, list[str]] = {}
    labelled = [*TONES.items(), *THEMES.items(), *(EVENTS.items() if events else ())]
    for index, (first, second) in enumerate(product(FILLERS, FILLERS)):
        place = "train" if index % 3 else "dev"
        for label, words in labelled:
            if label in TONES:
                kind, name, lang = "sentiment_general", "umsab", "en"
            else:
                kind, name, lang = "topic", *(("noticias_es", "es") if label in THEMES else ("reuters21578", "en"))
            for word in words:
                text = f"{first} {word} {second}" if index % 2 else f"{word} {first} {second}"
                split = "test" if index % 7 == 0 else place
                file = f"benchmark/{name}.jsonl" if split == "test" else f"train/{kind}/{name}.jsonl"
                record = {"text": text, "label": label, "lang": lang, "source": name, "split": split}
                lines.setdefault(file, []).append(json.dumps(record, ensure_ascii=False))
    for file, rows in lines.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


def small_training(encoder: Path, *, steps: int) -> FineTuning:
    """A run of ``steps`` steps, scored twice, that learns these sentences with an ``encoder`` of three layers."""
    return FineTuning(
        model=str(encoder),
        pieces=58,
        max_length=16,
        train_length=16,
        frozen=1,
        feature_layers=(1, 3),
        probe=12,
        threads=1,
        mixing=Mixing(rows=200),
        optimisation=Optimisation(steps=steps, batch=16, learning_rate=3e-3, head_rate=1e-3, warmup=3, average=0.9),
        watch=Watch(every=steps // 2, rows=60),
    )
