from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from models.errors import ModelError
from models.texts.corpus import Limits, read_corpus, vocabulary_texts


def write(path: Path, records: list[dict[str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def row(number: int, **changes: str) -> dict[str, str]:
    return {"text": f"text {number}", "label": "neutral", "lang": "en", "source": "umsab", "split": "train", **changes}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    umsab = [row(number) for number in range(30)] + [row(number, split="dev") for number in range(100, 120)]
    write(tmp_path / "train" / "sentiment_general" / "umsab.jsonl.gz", umsab)
    sports = [row(number, label="Deportes", lang="es", source="noticias_es") for number in range(200, 210)]
    write(tmp_path / "train" / "topic" / "noticias_es.jsonl", sports)
    left_out = [row(number, source="stockemotions", label="positive") for number in range(300, 305)]
    write(tmp_path / "train" / "sentiment_financial" / "stockemotions.jsonl.gz", left_out)
    write(tmp_path / "streams" / "news.jsonl.gz", [{"id": "1", "text": "streamed"}, {"id": "2"}])
    return tmp_path


def test_sets_are_cut_to_their_limits_and_left_out_sets_are_absent(data: Path) -> None:
    corpus = read_corpus(data, Limits(train=12, dev=5))
    assert {key: len(rows) for key, rows in corpus.sets.items()} == {
        ("sentiment", "umsab", "train"): 12,
        ("sentiment", "umsab", "dev"): 5,
        ("topic", "noticias_es", "train"): 10,
    }


def test_train_and_dev_share_no_text(data: Path) -> None:
    corpus = read_corpus(data, Limits())
    train, dev = ({example.text for example in corpus.of("sentiment", split)} for split in ("train", "dev"))
    assert len(train) == 30
    assert len(dev) == 20
    assert not train & dev


def test_the_vocabulary_reads_train_text_and_streams_but_no_dev_text(data: Path) -> None:
    texts = {text for _, text in vocabulary_texts(data)}
    assert "streamed" in texts
    assert "text 5" in texts
    assert "text 205" in texts
    assert "text 101" not in texts


def test_the_vocabulary_skips_languages_the_encoder_never_saw(data: Path) -> None:
    write(data / "train" / "sentiment_general" / "afrisenti.jsonl", [row(900, lang="tw", source="afrisenti")])
    assert "text 900" not in {text for _, text in vocabulary_texts(data)}


def test_an_unknown_set_stops_the_run(data: Path) -> None:
    write(data / "train" / "topic" / "invented.jsonl", [row(1, source="invented")])
    with pytest.raises(ModelError, match="invented"):
        read_corpus(data, Limits())


def test_splits_beside_the_repository_share_no_text_with_the_benchmarks(shared_data: Path) -> None:
    """The data promise it; a figure would be worthless if it were not so."""
    from models.data import read_rows

    for name, folder in (
        ("umsab", "sentiment_general"),
        ("twitter_financial_news", "sentiment_financial"),
        ("finfe_zh", "sentiment_financial"),
    ):
        held_out = {one.text for one in read_rows(shared_data / "benchmark" / f"{name}.jsonl.gz")}
        assert held_out
        assert not held_out & {one.text for one in read_rows(shared_data / "train" / folder / f"{name}.jsonl.gz")}
