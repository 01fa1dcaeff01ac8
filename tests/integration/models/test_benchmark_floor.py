"""A deterministic part of the benchmarks, measured anew on every run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.data import SENTIMENT_LABELS, examples, read_rows
from models.evaluation.metrics import measure
from models.inference import Encoder
from models.languages import REPORTED_LANGUAGES
from models.texts.sampling import choose

ROWS = 60


def means(encoder: Encoder, path: Path, task: str, languages: tuple[str, ...], field: str) -> float:
    rows = [example for example in examples(read_rows(path), task) if example.lang in languages]
    chosen = choose(rows, lambda _source, _lang: ROWS)
    scores = getattr(encoder.score([example.text for example in chosen]), task)
    labels = np.array([example.targets[0] for example in chosen])
    langs = np.array([example.lang for example in chosen])
    assert set(langs) == set(languages)
    return float(np.mean([getattr(measure(scores[langs == lang], labels[langs == lang]), field) for lang in languages]))


@pytest.mark.slow
def test_umsab_macro_f1_is_above_sixty(encoder: Encoder, shared_data: Path) -> None:
    languages = ("ar", "de", "en", "es", "fr", "hi", "it", "pt")
    assert means(encoder, shared_data / "benchmark" / "umsab.jsonl.gz", "sentiment", languages, "macro_f1") > 60


@pytest.mark.slow
def test_sib200_accuracy_is_above_seventy_nine(encoder: Encoder, shared_data: Path) -> None:
    assert means(encoder, shared_data / "benchmark" / "sib200.jsonl.gz", "topic", REPORTED_LANGUAGES, "accuracy") > 79


@pytest.mark.slow
def test_financial_headlines_are_far_above_chance(encoder: Encoder, shared_data: Path) -> None:
    """Held-out Indian, Indonesian and Chinese company news; a guess of the commonest label would give a macro-F1 near 20."""
    for name in ("sentfin", "cnbc_id"):
        path = shared_data / "train" / "sentiment_financial" / f"{name}.jsonl.gz"
        rows = [row for row in read_rows(path) if row.split == "dev"]
        chosen = choose((example for example in examples(rows, "sentiment") if example.label is not None), lambda _source, _lang: 150)
        scores = encoder.score([example.text for example in chosen]).sentiment
        assert scores.shape[1] == len(SENTIMENT_LABELS)
        assert measure(scores, np.array([example.targets[0] for example in chosen])).macro_f1 > 52
