"""Places survive; they are replaced whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from streams.errors import BellwetherError
from streams.sources.cursors import FileCursorStore, JournalCursorStore, MemoryCursorStore


class Journal:
    def __init__(self) -> None:
        self.rows: dict[str, str] = {}

    def cursor(self, name: str) -> str | None:
        return self.rows.get(name)

    def set_cursor(self, name: str, value: str) -> None:
        self.rows[name] = value


@pytest.fixture(params=["file", "journal", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path):
    return {
        "file": lambda: FileCursorStore(tmp_path / "cursors"),
        "journal": lambda: JournalCursorStore(Journal()),
        "memory": MemoryCursorStore,
    }[request.param]()


@given(name=st.text(max_size=200), other=st.text(max_size=200), value=st.text(), newer=st.text())
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
def test_the_newest_value_of_each_name_is_read_back(store, name: str, other: str, value: str, newer: str) -> None:
    store.save(name, value)
    if other != name:
        store.save(other, value)
    store.save(name, newer)
    assert store.load(name) == newer
    assert store.load(other) == (newer if other == name else value)


def test_nothing_saved_is_none(store) -> None:
    assert store.load("replay:never") is None


def test_a_new_process_finds_the_place_and_no_litter_is_left(tmp_path: Path) -> None:
    FileCursorStore(tmp_path / "c").save("a/b:../c", "1")
    FileCursorStore(tmp_path / "c").save("a/b:../c", "2")
    assert FileCursorStore(tmp_path / "c").load("a/b:../c") == "2"
    assert len(list((tmp_path / "c").iterdir())) == 1
    assert list(tmp_path.iterdir()) == [tmp_path / "c"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b'{"name":"n"}'])
def test_a_damaged_file_is_told_and_how_to_mend_it(tmp_path: Path, content: bytes) -> None:
    store = FileCursorStore(tmp_path)
    store.save("n", "1")
    next(tmp_path.glob("*.json")).write_bytes(content)
    with pytest.raises(BellwetherError, match="cannot be read") as caught:
        store.load("n")
    assert "delete the file" in caught.value.mend


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BellwetherError, match="cannot be saved"):
        FileCursorStore(tmp_path / "file" / "cursors").save("n", "1")
