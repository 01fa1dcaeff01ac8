"""Logs: one JSON object a line on standard error, libraries included but quiet."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
import structlog

from streams.logs import configure_logs
from streams.settings import load_settings


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    """Leave the logging of the test run as it was."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    quiet = {
        name: logging.getLogger(name).level
        for name in ("faust", "mode", "kafka", "aiokafka", "httpx", "httpcore", "elastic_transport", "asyncio", "venusian")
    }
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, found in quiet.items():
        logging.getLogger(name).setLevel(found)
    structlog.reset_defaults()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    output = capsys.readouterr()
    assert output.out == "", "standard output belongs to the commands"
    return [json.loads(line) for line in output.err.splitlines()]


def test_a_line_is_a_json_object_with_time_level_and_logger(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(load_settings(log_format="json"))
    structlog.get_logger("streams.x").warning("ожидание", documents=3, origin="documents.raw-0-1")
    [line] = lines(capsys)
    at = datetime.fromisoformat(line.pop("@timestamp"))
    assert at.utcoffset() is not None
    assert line == {"event": "ожидание", "documents": 3, "origin": "documents.raw-0-1", "level": "warning", "logger": "streams.x"}


def test_the_standard_librarys_loggers_speak_the_same_way(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(load_settings(log_format="json"))
    logging.getLogger("some.library").warning("%s of %s", 1, 2)
    [line] = lines(capsys)
    assert (line["event"], line["level"], line["logger"]) == ("1 of 2", "warning", "some.library")
    assert "@timestamp" in line


@pytest.mark.parametrize(
    ("name", "least"),
    [("faust", "warning"), ("httpx", "warning"), ("elastic_transport", "error"), ("aiokafka", "critical"), ("kafka", "critical")],
)
def test_libraries_speak_only_where_they_know_more_than_we_do(name: str, least: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(load_settings(log_format="json", log_level="debug"))
    levels = ("debug", "info", "warning", "error", "critical")
    for logger in (name, f"{name}.deep"):
        for level in levels:
            getattr(logging.getLogger(logger), level)(level)
    assert [line["event"] for line in lines(capsys)] == 2 * list(levels[levels.index(least) :])


def test_libraries_are_no_louder_than_the_service(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(load_settings(log_format="json", log_level="error"))
    logging.getLogger("faust").warning("x")
    assert lines(capsys) == []


@pytest.mark.parametrize(("level", "events"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_the_least_level_holds_for_both_kinds_of_loggers(level: str, events: int, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(load_settings(log_format="json", log_level=level))
    for log in (structlog.get_logger(f"streams.{level}"), logging.getLogger("some.library")):
        for method in ("debug", "info", "warning", "error"):
            getattr(log, method)("x")
    assert len(lines(capsys)) == 2 * events


def test_an_exception_stays_on_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(load_settings(log_format="json"))
    try:
        raise ValueError("odd\nthing")
    except ValueError:
        structlog.get_logger("streams.y").exception("failed")
    [line] = lines(capsys)
    assert "ValueError: odd" in line["exception"]


def test_without_a_terminal_auto_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(load_settings(log_format="auto"))
    structlog.get_logger("streams.z").info("x")
    assert lines(capsys)[0]["event"] == "x"


def test_the_console_form_is_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(load_settings(log_format="console"))
    structlog.get_logger("streams.c").info("ready", agents=4)
    text = capsys.readouterr().err
    assert "ready" in text
    with pytest.raises(ValueError, match=r"."):
        json.loads(text)


def test_configuring_twice_does_not_double_the_lines(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        configure_logs(load_settings(log_format="json"))
    logging.getLogger("some.library").warning("once")
    assert len(lines(capsys)) == 1
