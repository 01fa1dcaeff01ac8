"""What the tests of the package share: the labelled text beside the repository, and a small encoder made on the spot."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

REPOSITORY = Path(__file__).resolve().parents[3]

WORDS = ["bank", "profit", "loss", "market", "rise", "fall", "good", "bad"]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    folder = REPOSITORY.parent / "shared" / "data"
    if not (folder / "train").is_dir():
        pytest.skip(f"the labelled text is not beside the repository ({folder.parent.name}/data)")
    return folder


@pytest.fixture
def small_tokenizer(tmp_path: Path) -> Path:
    """A Unigram tokenizer of the encoder's family with a few words, their halves and every lower-case letter."""
    pieces: list[tuple[str, float]] = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -4.0)]
    pieces += [(f"▁{word}", -6.0) for word in WORDS]
    pieces += [(half, -9.0) for word in WORDS for half in (f"▁{word[:2]}", word[2:]) if len(half) > 1]
    pieces += [(chr(code), -12.0) for code in range(ord("a"), ord("z") + 1)]
    pieces = list(dict(pieces).items())
    specials = [
        {"id": index, "content": name, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
        for index, name in enumerate(("<s>", "<pad>", "</s>", "<unk>"))
    ]
    frame = [
        {"SpecialToken": {"id": "<s>", "type_id": 0}},
        {"Sequence": {"id": "A", "type_id": 0}},
        {"SpecialToken": {"id": "</s>", "type_id": 0}},
    ]
    raw = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": specials,
        "normalizer": None,
        "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": frame,
            "pair": [*frame, {"Sequence": {"id": "B", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}],
            "special_tokens": {
                "<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]},
                "</s>": {"id": "</s>", "ids": [2], "tokens": ["</s>"]},
            },
        },
        "decoder": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always"},
        "model": {"type": "Unigram", "unk_id": 3, "vocab": pieces, "byte_fallback": False},
    }
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(raw, ensure_ascii=False), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def small_config() -> dict[str, object]:
    return {
        "model_type": "bert",
        "hidden_act": "gelu",
        "hidden_size": 64,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "intermediate_size": 128,
        "vocab_size": 90,
        "max_position_embeddings": 40,
        "type_vocab_size": 2,
        "layer_norm_eps": 1e-12,
        "pad_token_id": 1,
    }


@pytest.fixture(scope="session")
def small_tensors(small_config: dict[str, int]) -> dict[str, np.ndarray]:
    """Random BERT weights under Hugging Face names for ``small_config``."""
    random = np.random.default_rng(7)
    hidden, wide = small_config["hidden_size"], small_config["intermediate_size"]

    def draw(*shape: int) -> np.ndarray:
        return random.normal(0, 0.2, shape).astype(np.float32)

    tensors = {
        "embeddings.word_embeddings.weight": draw(small_config["vocab_size"], hidden),
        "embeddings.position_embeddings.weight": draw(small_config["max_position_embeddings"], hidden),
        "embeddings.token_type_embeddings.weight": draw(2, hidden),
        "embeddings.LayerNorm.weight": 1 + draw(hidden),
        "embeddings.LayerNorm.bias": draw(hidden),
    }
    for layer in range(small_config["num_hidden_layers"]):
        prefix = f"encoder.layer.{layer}."
        shapes = {f"attention.self.{part}": (hidden, hidden) for part in ("query", "key", "value")}
        shapes |= {"attention.output.dense": (hidden, hidden), "intermediate.dense": (wide, hidden), "output.dense": (hidden, wide)}
        for name, shape in shapes.items():
            tensors[f"{prefix}{name}.weight"] = draw(*shape)
            tensors[f"{prefix}{name}.bias"] = draw(shape[0])
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            tensors[f"{prefix}{name}.weight"] = 1 + draw(hidden)
            tensors[f"{prefix}{name}.bias"] = draw(hidden)
    return tensors
