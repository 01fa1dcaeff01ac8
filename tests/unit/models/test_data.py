from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.data import SENTIMENT_LABELS, Row, examples, find_data, read_rows, sentiment_target, sources, topic_target
from models.errors import ModelError
from models.topics import TOPIC_LABELS


def line(**changes: object) -> str:
    return json.dumps({"text": "shares fell", "label": "negative", "lang": "en", "source": "umsab", "split": "train", **changes})


def test_every_set_beside_the_repository_is_in_the_table(shared_data: Path) -> None:
    present = {path.name.split(".")[0] for folder in ("train", "benchmark") for path in (shared_data / folder).rglob("*.jsonl.gz")}
    assert present == set(sources())


def test_every_sentiment_label_beside_the_repository_fits_its_scheme(shared_data: Path) -> None:
    for path in sorted((shared_data / "train").glob("sentiment_*/*.jsonl.gz")):
        source = sources()[path.name.split(".")[0]]
        if source.left_out is None:
            for label in {row.label for row in read_rows(path)}:
                targets, universe = sentiment_target(source, label)
                assert set(targets) < set(universe)


def test_every_source_names_origin_and_licence() -> None:
    assert all(source.origin and source.licence for source in sources().values())


@pytest.mark.parametrize("packed", [True, False])
def test_rows_are_read_from_plain_and_packed_files(tmp_path: Path, packed: bool) -> None:
    path = tmp_path / ("set.jsonl.gz" if packed else "set.jsonl")
    content = f"{line()}\n{line(text='股价上涨', label='positive', lang='zh', target='x')}\n".encode()
    path.write_bytes(gzip.compress(content) if packed else content)
    rows = list(read_rows(path))
    assert rows[1] == Row("股价上涨", "positive", "zh", "umsab", "train")
    assert len(rows) == 2


@pytest.mark.parametrize(
    ("bad", "word"), [("{", "not JSON"), (line(text=""), "'text'"), (line(label=3), "'label'"), (line(split=None), "'split'")]
)
def test_a_bad_line_is_named_by_file_and_number(tmp_path: Path, bad: str, word: str) -> None:
    path = tmp_path / "set.jsonl"
    path.write_text(f"{line()}\n{bad}\n")
    with pytest.raises(ModelError, match=rf"set\.jsonl, line 2.*{word}"):
        list(read_rows(path))


def test_a_missing_set_and_a_missing_folder_say_so(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such set"):
        list(read_rows(tmp_path / "nothing.jsonl.gz"))
    with pytest.raises(ModelError, match="no labelled text") as caught:
        find_data(tmp_path)
    assert "--data" in caught.value.mend


def test_a_two_class_set_says_nothing_about_neutral() -> None:
    targets, universe = sentiment_target(sources()["ajgt_ar"], "positive")
    assert targets == (2,)
    assert SENTIMENT_LABELS.index("neutral") not in universe
    with pytest.raises(ModelError):
        sentiment_target(sources()["ajgt_ar"], "neutral")


def test_not_negative_means_neutral_or_positive() -> None:
    assert sentiment_target(sources()["finnsp_zh"], "non_negative") == ((1, 2), (0, 1, 2))
    assert sentiment_target(sources()["finnsp_zh"], "negative") == ((0,), (0, 1, 2))
    with pytest.raises(ModelError):
        sentiment_target(sources()["umsab"], "non_negative")


def test_a_text_with_several_answers_in_one_set_is_dropped() -> None:
    rows = [
        Row("Sensex up, Infosys down", "positive", "en", "sentfin", "train"),
        Row("Sensex up, Infosys down", "negative", "en", "sentfin", "train"),
        Row("Wipro wins order", "positive", "en", "sentfin", "train"),
        Row("Wipro wins order", "positive", "en", "sentfin", "train"),
    ]
    assert [example.text for example in examples(rows, "sentiment")] == ["Wipro wins order"]


def test_left_out_sets_and_labels_yield_nothing() -> None:
    assert list(examples([Row("to the moon", "positive", "en", "stockemotions", "train")], "sentiment")) == []
    assert list(examples([Row("车", "car", "zh", "nlpcc2017_zh", "train")], "topic")) == []


def test_an_unknown_source_is_an_error() -> None:
    with pytest.raises(ModelError, match=r"sources\.toml"):
        list(examples([Row("x", "positive", "en", "invented", "train")], "sentiment"))


def test_topic_examples_carry_the_index_of_their_name() -> None:
    (example,) = examples([Row("Real Madrid gana", "Deportes", "es", "noticias_es", "train")], "topic")
    assert TOPIC_LABELS[example.targets[0]] == "sport"
    assert example.label == example.targets[0] == topic_target("noticias_es", "Deportes")


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(SENTIMENT_LABELS)), max_size=20))
def test_examples_are_unique_and_certain(pairs: list[tuple[str, str]]) -> None:
    rows = [Row(text, label, "en", "umsab", "train") for text, label in pairs]
    made = list(examples(rows, "sentiment"))
    assert len({example.text for example in made}) == len(made)
    for example in made:
        assert {SENTIMENT_LABELS.index(label) for text, label in pairs if text == example.text} == {example.label}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("x.jsonl", b"[1]\n", r"x\.jsonl, line 1: not a JSON object"),
        ("x.jsonl", b"\xff\xfe\n", r"cannot read .*x\.jsonl"),
        ("x.jsonl.gz", b"no gzip", r"cannot read .*x\.jsonl\.gz"),
    ],
)
def test_a_set_that_is_damaged_is_named(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError, match=said) as caught:
        list(read_rows(tmp_path / name))
    assert caught.value.mend == "fetch the set again"
