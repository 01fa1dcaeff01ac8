"""What the doctor says of a cascade: none, whole, damaged, of another model, before a server that is away."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest
from bag_cascade import write_cascade
from bag_model import write_model

from models.artifact import Artifact
from models.cascade.plan import PLAN, STATIC
from streams.doctor.cascade import check_cascade
from streams.doctor.check import Check, examine
from streams.settings import Settings


@pytest.fixture
def bag(tmp_path: Path) -> Artifact:
    made = write_model(tmp_path / "bag")
    write_cascade(made)
    return made


@pytest.fixture
def nobody() -> str:
    """An address where nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{listener.getsockname()[1]}"


async def check(model: Path | None, triton: str = "127.0.0.1:1", **scoring: Any) -> Check:
    (found,) = await examine(
        "cascade", check_cascade, Settings.model_validate({"scoring": {"model": model, **scoring}, "triton": {"url": triton}})
    )
    return found


async def test_none_is_asked_for(bag: Artifact) -> None:
    found = await check(bag.root)
    assert (found.status, "off" in found.detail) == ("ok", True)
    (bag.root / PLAN).unlink()
    found = await check(bag.root, cascade="auto")
    assert (found.status, "has none" in found.detail) == ("ok", True)


@pytest.mark.parametrize("backend", ["onnx", "auto"])
async def test_a_whole_one(bag: Artifact, nobody: str, backend: str) -> None:
    found = await check(bag.root, nobody, cascade="on", backend=backend)
    assert found == Check("cascade", "ok", f"static → encoder, fitted to {bag.model_id} in 2 languages, checksums right")


async def test_a_missing_one_a_damaged_one_and_a_missing_model(bag: Artifact, tmp_path: Path) -> None:
    (bag.root / STATIC).write_bytes(b"other")
    found = await check(bag.root, cascade="auto", backend="onnx")
    assert (found.status, "damaged" in found.detail, "scoring.cascade=off" in found.mend) == ("fail", True, True)
    (bag.root / PLAN).unlink()
    found = await check(bag.root, cascade="on", backend="onnx")
    assert (found.status, "no cascade.json" in found.detail, "models cascade" in found.mend) == ("fail", True, True)
    found = await check(tmp_path / "nowhere", cascade="on", backend="onnx")
    assert (found.status, "config.json" in found.detail) == ("fail", True)


async def test_one_of_another_model(bag: Artifact) -> None:
    write_cascade(bag, model_id="other/2.0+11111111")
    found = await check(bag.root, cascade="on", backend="onnx")
    assert (found.status, "other/2.0+11111111" in found.detail, "models cascade" in found.mend) == ("fail", True, True)
    write_cascade(bag)
    found = await check(bag.root, cascade="on", backend="noop")
    assert (found.status, found.detail) == ("fail", f"the cascade was fitted to {bag.model_id}, but noop scores")


async def test_one_that_does_not_say_its_languages(bag: Artifact) -> None:
    content = json.loads((bag.root / PLAN).read_text(encoding="utf-8"))
    del content["languages"]
    (bag.root / PLAN).write_text(json.dumps(content), encoding="utf-8")
    found = await check(bag.root, cascade="on", backend="onnx")
    assert (found.status, "in which languages" in found.detail) == ("fail", True)


async def test_before_a_server_that_is_away(bag: Artifact, nobody: str) -> None:
    found = await check(bag.root, nobody, cascade="on", backend="triton")
    assert (found.status, "nobody knows what will score" in found.detail, bool(found.mend)) == ("warn", True, True)
