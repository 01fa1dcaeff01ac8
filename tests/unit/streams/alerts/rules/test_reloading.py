"""Rules that change while the service runs: good ones are taken up once, broken ones leave everything as it was."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from streams.alerts.rules.reading import read_rules
from streams.alerts.rules.reloading import RuleWatcher

ONE = "rules: [{name: a}]\n"
TWO = "rules: [{name: b}]\n"
BROKEN = "rules: [{nam: a}]\n"


def write(path: Path, text: str, *, age: float = 60) -> None:
    """Write `text` as if `age` seconds ago, as a file that is settled."""
    path.write_text(text, encoding="utf-8")
    moment = path.stat().st_mtime - age
    os.utime(path, (moment, moment))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "rules.yaml"
    write(found, ONE)
    return found


def names(watcher: RuleWatcher) -> list[str] | None:
    found = watcher.poll()
    return None if found is None else [rule.name for rule in found.rules]


def test_the_first_look_gives_the_rules_and_the_next_nothing(path: Path) -> None:
    watcher = RuleWatcher(path)
    assert names(watcher) == ["a"]
    assert names(watcher) is None


def test_rules_that_are_in_force_are_not_given_again(path: Path) -> None:
    watcher = RuleWatcher(path, read_rules(path))
    assert names(watcher) is None
    write(path, TWO, age=50)
    assert names(watcher) == ["b"]
    assert names(watcher) is None


def test_a_settled_file_is_not_read_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watcher = RuleWatcher(path)
    watcher.poll()

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("read again")

    monkeypatch.setattr(Path, "open", refuse)
    assert watcher.poll() is None


def test_a_touched_file_of_the_same_content_changes_nothing(path: Path) -> None:
    watcher = RuleWatcher(path)
    watcher.poll()
    write(path, ONE, age=10)
    assert names(watcher) is None


def test_two_contents_of_one_size_within_one_tick_are_told_apart(path: Path) -> None:
    write(path, ONE, age=0)
    watcher = RuleWatcher(path)
    assert names(watcher) == ["a"]
    stamp = path.stat()
    with path.open("r+", encoding="utf-8") as file:
        file.write(TWO)
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert path.stat().st_size == stamp.st_size
    assert names(watcher) == ["b"]


def test_a_file_that_is_replaced_is_seen(path: Path, tmp_path: Path) -> None:
    watcher = RuleWatcher(path)
    watcher.poll()
    stamp = path.stat()
    other = tmp_path / "new"
    write(other, TWO)
    os.utime(other, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    other.replace(path)
    assert names(watcher) == ["b"]


def test_a_broken_file_is_told_once_for_each_content_and_keeps_the_rules(path: Path) -> None:
    told: list[str] = []
    watcher = RuleWatcher(path, read_rules(path), told.append)
    write(path, BROKEN, age=50)
    with capture_logs() as logs:
        assert [names(watcher) for _ in range(3)] == [None, None, None]
        write(path, BROKEN, age=40)
        assert names(watcher) is None
    assert len(told) == 1
    assert f"{path}:1:10: rule 1: nam: there is no such field" in told[0]
    assert [entry["event"] for entry in logs] == ["rules.broken"]
    assert watcher.complaint == told[0]
    write(path, BROKEN + "x: 1\n", age=30)
    assert names(watcher) is None
    assert len(told) == 2


def test_what_was_in_force_is_no_news_after_a_broken_file_and_the_complaint_is_gone(path: Path) -> None:
    watcher = RuleWatcher(path, read_rules(path))
    write(path, BROKEN, age=50)
    watcher.poll()
    write(path, ONE, age=40)
    assert names(watcher) is None
    assert watcher.complaint == ""
    write(path, TWO, age=30)
    assert names(watcher) == ["b"]


def test_a_file_that_vanishes_is_told_once_and_looked_for_again(path: Path) -> None:
    told: list[str] = []
    watcher = RuleWatcher(path, read_rules(path), told.append)
    path.unlink()
    assert [names(watcher), names(watcher)] == [None, None]
    assert len(told) == 1
    assert "No such file" in told[0]
    write(path, TWO, age=50)
    assert names(watcher) == ["b"]


def test_rules_that_are_broken_from_the_start_come_when_they_are_mended(path: Path) -> None:
    write(path, BROKEN)
    watcher = RuleWatcher(path)
    assert names(watcher) is None
    assert watcher.complaint
    write(path, ONE, age=50)
    assert names(watcher) == ["a"]


def test_no_secret_is_logged(path: Path) -> None:
    write(path, "channels: {x: whsec_c2VjcmV0}\n" + BROKEN, age=50)
    with capture_logs() as logs:
        RuleWatcher(path).poll()
    assert logs
    assert "c2VjcmV0" not in str(logs)
