"""What is refused: one line that names the setting and its mend."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from streams.errors import SettingsError
from streams.settings import Settings, load_settings


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("KAFKA__BOOTSTRAP_SERVERS", "kafka-1", "'kafka-1' is not host:port"),
        ("KAFKA__BOOTSTRAP_SERVERS", "kafka-1:9092,kafka-2:0", "'kafka-2:0' is not host:port"),
        ("KAFKA__BOOTSTRAP_SERVERS", "kafka-1:65536", "is not host:port"),
        ("KAFKA__BOOTSTRAP_SERVERS", ":9092", "is not host:port"),
        ("KAFKA__BOOTSTRAP_SERVERS", "a:1,", "'' is not host:port"),
        ("KAFKA__BOOTSTRAP_SERVERS", "user:secret@kafka:9092", "must not hold a user or password"),
        ("KAFKA__BOOTSTRAP_SERVERS", "a:²", "is not host:port"),
        ("KAFKA__SECURITY_PROTOCOL", "TLS", "got 'TLS'"),
        ("TOPICS__PREFIX", "a b", "got 'a b'"),
        ("TOPICS__PARTITIONS", "0", "greater than or equal to 1"),
        ("SCORING__BATCH_SIZE", "many", "got 'many'"),
        ("SCORING__BATCH_SIZE", "4097", "less than or equal to 4096"),
        ("SCORING__LINGER", "0", "greater than 0"),
        ("SCORING__LINGER", "nan", "linger"),
        ("SEARCH__TIMEOUT", "inf", "timeout"),
        ("SEARCH__URL", "search:9200", "must begin with http"),
        ("SEARCH__INDEX_PREFIX", "Opinion", "got 'Opinion'"),
        ("ENRICH__LANGUAGES", "en,de", 'ENRICH__LANGUAGES=["en","de"]'),
        ("ALERTS__MIN_SHARE", "1.5", "less than or equal to 1"),
        ("ALERTS__WINDOW", "three hours", "got 'three hours'"),
        ("WEBHOOK__URLS", '["ftp://x"]', "must begin with http"),
        ("WORKER__AGENTS", "[]", "at least 1"),
        ("WORKER__AGENTS", '["score","read"]', "got 'read'"),
        ("WORKER__AGENTS", '["score","watch"]', "watch and notify go together"),
        ("WORKER__AGENTS", '["notify"]', "watch and notify go together"),
        ("WORKER__METRICS_PORT", "70000", "less than or equal to 65535"),
        ("LOG_LEVEL", "loud", "got 'loud'"),
    ],
)
def test_a_bad_value_is_said_plainly(
    name: str, value: str, says: str, monkeypatch: pytest.MonkeyPatch, refusal: Callable[..., SettingsError]
) -> None:
    monkeypatch.setenv(f"BELLWETHER_{name}", value)
    assert says in str(refusal())


@pytest.mark.parametrize("name", ["BELLWETHER_NOPE", "BELLWETHER_LOG__LEVEL", "BELLWETHER_JOURNAL__X", "bellwether_nope", "BELLWETHER_"])
def test_variables_of_no_setting_are_refused(name: str, monkeypatch: pytest.MonkeyPatch, refusal: Callable[..., SettingsError]) -> None:
    monkeypatch.setenv(name, "1")
    error = refusal()
    assert error.message == f"{name}: there is no such setting"
    assert "bellwether config" in error.mend


def test_variables_of_no_setting_in_a_section_are_refused(monkeypatch: pytest.MonkeyPatch, refusal: Callable[..., SettingsError]) -> None:
    monkeypatch.setenv("BELLWETHER_KAFKA__SERVERS", "a:1")
    assert refusal().message == "kafka.servers: there is no such setting"


def test_the_variables_that_are_no_settings_are_let_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BELLWETHER_CACHE", "x")
    assert load_settings() == Settings()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[kafka]\nnope = 1\n", "kafka.nope: there is no such setting"),
        ("[nope]\nx = 1\n", "nope: there is no such setting"),
        ("kafka = 1\n", "kafka: Input should be a valid dictionary"),
        ("[kafka\n", "is not TOML"),
        ("[scoring]\nbatch_size = 'x'\n", "scoring.batch_size"),
    ],
)
def test_a_bad_file_is_said_plainly(text: str, says: str, own_folder: Path, refusal: Callable[..., SettingsError]) -> None:
    (own_folder / "bellwether.toml").write_text(text)
    assert says in refusal().message


def test_a_file_that_is_not_utf8_is_said_plainly(own_folder: Path, refusal: Callable[..., SettingsError]) -> None:
    (own_folder / "bellwether.toml").write_bytes(b"[kafka]\ngroup = '\xff'\n")
    error = refusal()
    assert error.message.startswith("config: bellwether.toml cannot be read")


def test_the_example_of_a_list_can_be_pasted_into_a_shell(monkeypatch: pytest.MonkeyPatch, refusal: Callable[..., SettingsError]) -> None:
    monkeypatch.setenv("BELLWETHER_WORKER__AGENTS", "score")
    assert '["en","de"]' in refusal().mend
    monkeypatch.delenv("BELLWETHER_WORKER__AGENTS")
    assert shlex.split(refusal(worker={"agents": ["watch"]}).mend)[-2:], "quotes are closed"
