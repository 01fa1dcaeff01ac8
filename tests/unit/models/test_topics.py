from __future__ import annotations

from pathlib import Path

import pytest

from models.data import read_rows, sources
from models.errors import ModelError
from models.topics import TOPIC_LABELS, topic_table


def test_every_topic_label_of_the_labelled_text_is_mapped_or_left_out(shared_data: Path) -> None:
    table = topic_table()
    seen: dict[str, set[str]] = {}
    paths = [*(shared_data / "train" / "topic").glob("*.jsonl.gz"), *(shared_data / "benchmark").glob("*.jsonl.gz")]
    for path in paths:
        for row in read_rows(path):
            source = sources()[row.source]
            if source.task == "topic":
                seen.setdefault(row.source, set()).add(row.label)
    assert set(seen) == {name for name, source in sources().items() if source.task == "topic"}
    answers = {name: {table.decide(name, label) for label in labels} for name, labels in seen.items()}
    assert all(answer - {None} for answer in answers.values()), "a set with no mapped label is of no use"


def test_table_names_no_label_that_the_sets_do_not_have(shared_data: Path) -> None:
    table = topic_table()
    for path in (shared_data / "train" / "topic").glob("*.jsonl.gz"):
        name = path.name.split(".")[0]
        present = {row.label for row in read_rows(path)}
        named = {*table.mapped.get(name, {}), *table.left_out.get(name, {})} - {"*"}
        assert named <= present, f"{name}: {sorted(named - present)}"


def test_there_are_seventeen_names_and_the_head_has_those_with_text() -> None:
    names = topic_table().names
    assert len(names) == len(set(names)) == 17
    assert set(TOPIC_LABELS) < set(names)
    assert set(names) - set(TOPIC_LABELS) == {"disaster, accident and emergency incident", "human interest", "labour", "society", "weather"}


def test_no_label_is_both_mapped_and_left_out() -> None:
    table = topic_table()
    for source, names in table.mapped.items():
        assert not set(names) & set(table.left_out.get(source, {}))


def test_an_exact_entry_goes_before_the_wildcard() -> None:
    table = topic_table()
    assert table.decide("finnl_zh", "政治") == "politics and government"
    assert table.decide("finnl_zh", "躯体") is None
    assert table.decide("reuters21578", "cocoa") == "economy, business and finance"


def test_an_unknown_label_is_an_error_that_names_the_mend() -> None:
    with pytest.raises(ModelError, match="thucnews_zh") as caught:
        topic_table().decide("thucnews_zh", "weather")
    assert "[thucnews_zh.map]" in caught.value.mend


@pytest.mark.parametrize(
    ("label", "name"),
    [("travel", "lifestyle and leisure"), ("geography", "environment"), ("science/technology", "science and technology")],
)
def test_sib200_maps_onto_the_names_the_card_says(label: str, name: str) -> None:
    assert topic_table().decide("sib200", label) == name
