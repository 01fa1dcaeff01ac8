"""The worker's environment, and when it is ready."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from streams.embedded.worker import environment, is_ready, worker_spec
from streams.settings import load_settings


def test_the_worker_gets_exactly_our_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "bellwether.toml").write_text('[search]\nindex_prefix = "other"\n[worker]\nbuffer = 7\n')
    ours = load_settings(
        kafka={
            "bootstrap_servers": "127.0.0.1:21001",
            "security_protocol": "SASL_PLAINTEXT",
            "sasl_username": "u",
            "sasl_password": 'p"w\\d ü',
        },
        search={"index_prefix": "opinion"},
        enrich={"languages": ["en", "de"], "entities": tmp_path / "entities.jsonl", "near_duplicates": False},
        alerts={"window": timedelta(minutes=90)},
        webhook={
            "urls": ["http://127.0.0.1:9/hook"],
            "secret": "whsec_abc",
            "secrets": ["whsec_old", "whsec_older"],
            "allow_networks": ["127.0.0.0/8", "fd00::/8"],
        },
        journal=tmp_path / "journal.db",
    )
    for name, value in environment(ours).items():
        monkeypatch.setenv(name, value)
    theirs = load_settings()
    assert theirs == ours
    assert theirs.worker.buffer == 7, "our own file counts as long as nothing else was said"


def test_a_worker_is_ready_when_its_file_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "ready.json"
    assert not is_ready(file)
    for content in ("", "{", "[]", '{"pid": null}', "null"):
        file.write_text(content)
        assert not is_ready(file)
    file.write_text(json.dumps({"pid": 4, "metrics_port": 5}))
    assert is_ready(file)
    spec = worker_spec(load_settings(), file, tmp_path, extra_env={"EXTRA": "1"})
    assert not file.exists(), "an old file says nothing about the next worker"
    assert list(spec.command)[1:] == ["-m", "streams.cli", "worker", "--ready-file", str(file)]
    assert spec.env["EXTRA"] == "1"
