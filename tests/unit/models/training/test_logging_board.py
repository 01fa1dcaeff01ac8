from __future__ import annotations

import importlib.machinery
from pathlib import Path

import pytest

from models.training.logging_board import Board


def test_without_the_package_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(_name: str) -> importlib.machinery.ModuleSpec | None:
        return None

    monkeypatch.setattr("models.training.logging_board.importlib.util.find_spec", absent)
    with Board(tmp_path / "board") as board:
        board.write(1, {"loss": 0.5})
    assert not (tmp_path / "board").exists()


def test_scalars_are_read_back_from_the_event_file(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the extra 'train' is not installed")
    pytest.importorskip("tensorboard", reason="the package tensorboard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for step in (1, 2):
        with Board(tmp_path / "board") as board:
            board.write(step, {"loss": 0.5 / step, "dev/topic": 80.0 + step})
    events = EventAccumulator(str(tmp_path / "board"))
    events.Reload()
    assert [(one.step, round(one.value, 3)) for one in events.Scalars("loss")] == [(1, 0.5), (2, 0.25)]
    assert [one.value for one in events.Scalars("dev/topic")] == [81.0, 82.0]
