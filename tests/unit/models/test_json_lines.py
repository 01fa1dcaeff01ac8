from __future__ import annotations

import gzip
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import ModelError
from models.json_lines import json_lines

values = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.integers(-(10**9), 10**9) | st.none()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.dictionaries(values.map(str), values, max_size=3) | st.none(), max_size=6), st.booleans(), st.booleans())
def test_what_was_written_is_read_with_its_place(rows: list[dict[str, object] | None], packed: bool, marked: bool) -> None:
    """None is an empty line."""
    content = "".join(("" if row is None else json.dumps(row, ensure_ascii=False)) + "\n" for row in rows)
    raw = content.encode("utf-8-sig" if marked else "utf-8")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ("a.jsonl.gz" if packed else "a.jsonl")
        path.write_bytes(gzip.compress(raw) if packed else raw)
        assert list(json_lines(path, "")) == [(number, row) for number, row in enumerate(rows, start=1) if row is not None]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", b'{"a": 1}\n\n{"a"', r"^a\.jsonl, line 3: not JSON \("),
        ("a.jsonl", b"3", r"^a\.jsonl, line 1: not a JSON object"),
        ("a.jsonl", b"[" * 100_000, "line 1: not JSON that can be read"),
        ("a.jsonl", b'{"a": ' + b"9" * 5_000 + b"}", "line 1: not JSON that can be read"),
        ("a.jsonl", b'{"a": "\xff"}', r"cannot read .*a\.jsonl"),
        ("a.jsonl.gz", b"no gzip", "cannot read"),
        ("a.jsonl.gz", gzip.compress(b'{"a": 1}' * 99)[:-9], "cannot read"),
        ("a.jsonl.gz", gzip.compress(b"{}")[:10] + b"\xff" * 20, "cannot read"),
    ],
)
def test_a_fault_is_one_line_with_the_mend(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError, match=message) as caught:
        list(json_lines(tmp_path / name, "write it anew"))
    assert caught.value.mend == "write it anew"


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"cannot read .*none\.jsonl"):
        list(json_lines(tmp_path / "none.jsonl", ""))


def test_lines_before_the_fault_are_given(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"a": 1}\n{"a": 2}\n{')
    found = json_lines(tmp_path / "a.jsonl", "")
    assert [next(found), next(found)] == [(1, {"a": 1}), (2, {"a": 2})]
    with pytest.raises(ModelError, match="line 3"):
        next(found)
