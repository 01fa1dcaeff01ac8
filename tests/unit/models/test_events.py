from __future__ import annotations

from pathlib import Path

import pytest

from models.data import read_rows
from models.errors import ModelError
from models.events import EVENT_LABELS, event_table, event_target


def test_every_label_of_a_set_in_the_table_is_decided(shared_data: Path) -> None:
    table = event_table()
    for name in table.mapped:
        present = {row.label for row in read_rows(shared_data / "train" / "topic" / f"{name}.jsonl.gz")}
        decided = {label: table.decide(name, label) for label in present}
        assert any(decided.values()), f"{name} teaches nothing"
        named = {*table.mapped[name], *table.left_out[name]} - {"*"}
        assert named <= present, f"{name}: {sorted(named - present)}"


def test_a_type_without_text_has_no_output() -> None:
    assert "fraud" not in EVENT_LABELS
    assert event_table().untaught == ("fraud",)
    assert len(EVENT_LABELS) == 12
    assert EVENT_LABELS[-1] == "other"


def test_one_type_several_types_and_none() -> None:
    assert [EVENT_LABELS[index] for index in event_target("reuters21578", "acq")] == ["mergers and acquisitions"]
    assert {EVENT_LABELS[index] for index in event_target("finnl_zh", "债券")} == {"credit and debt", "markets"}
    assert event_target("twitter_financial_topic", "IPO") == ()
    assert event_target("umsab", "positive") == ()


def test_finance_is_every_type_but_other_and_the_rest_of_such_a_set_is_other() -> None:
    finance = {EVENT_LABELS[index] for index in event_target("masakhanews", "business")}
    assert finance == set(EVENT_LABELS) - {"other"}
    assert [EVENT_LABELS[index] for index in event_target("masakhanews", "sports")] == ["other"]


def test_a_label_that_a_set_without_wildcard_does_not_name_is_an_error() -> None:
    with pytest.raises(ModelError, match="'Weather' of source 'twitter_financial_topic'") as raised:
        event_table().decide("twitter_financial_topic", "Weather")
    assert "events.toml" in raised.value.mend
