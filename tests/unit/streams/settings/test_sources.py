"""Where settings come from and which source wins; pairs of the command line."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from streams.commands.options import read_settings
from streams.errors import SettingsError
from streams.settings import Settings, load_settings


def test_flags_win_over_pairs_over_environment_over_file_over_defaults(own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().scoring.batch_size == 128
    file = own_folder / "bellwether.toml"
    file.write_text("[scoring]\nbatch_size = 1\nlinger = 9.0\n[kafka]\ngroup = 'from-file'\n")
    assert load_settings().scoring.batch_size == 1
    monkeypatch.setenv("BELLWETHER_SCORING__BATCH_SIZE", "2")
    assert load_settings().scoring.batch_size == 2
    assert load_settings(pairs={"scoring.batch_size": "3"}).scoring.batch_size == 3
    found = load_settings(pairs={"scoring.batch_size": "3"}, scoring={"batch_size": 4})
    assert found.scoring.batch_size == 4
    assert found.scoring.linger == 9.0, "the other settings of the section still come from the file"
    assert found.kafka.group == "from-file"
    assert found.scoring.threads == 0


def test_a_named_file_wins_over_the_variable_and_that_over_the_one_in_the_folder(own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("bellwether.toml", "variable.toml", "named.toml"):
        (own_folder / name).write_text(f"[kafka]\ngroup = '{name}'\n")
    assert load_settings().kafka.group == "bellwether.toml"
    monkeypatch.setenv("BELLWETHER_CONFIG", str(own_folder / "variable.toml"))
    assert load_settings().kafka.group == "variable.toml"
    assert load_settings(own_folder / "named.toml").kafka.group == "named.toml"
    assert load_settings().kafka.group == "variable.toml"


def test_a_call_leaves_nothing_behind_for_the_next(own_folder: Path) -> None:
    before = dict(os.environ)
    (own_folder / "named.toml").write_text("[kafka]\ngroup = 'named'\n")
    settings = read_settings(own_folder / "named.toml", ["scoring.batch_size=7"], embedded={"data": own_folder})
    assert (settings.kafka.group, settings.scoring.batch_size, settings.embedded.data) == ("named", 7, own_folder)
    assert dict(os.environ) == before
    assert load_settings() == Settings()


def test_a_refused_call_leaves_nothing_behind_either(own_folder: Path) -> None:
    (own_folder / "named.toml").write_text("[kafka]\nnope = 1\n")
    with pytest.raises(SettingsError):
        read_settings(own_folder / "named.toml", ["scoring.batch_size=7"])
    assert load_settings() == Settings()


def test_only_what_was_set_counts_as_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """`bellwether topics` asks the embedded stack unless brokers were named; naming a group names no broker."""
    monkeypatch.setenv("BELLWETHER_KAFKA__GROUP", "x")
    assert load_settings().kafka.model_fields_set == {"group"}
    assert load_settings(pairs={"kafka.bootstrap_servers": "a:1"}).kafka.model_fields_set == {"group", "bootstrap_servers"}


def test_variables_are_read_whatever_their_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("bellwether_kafka__group", "lower")
    assert load_settings().kafka.group == "lower"


@pytest.mark.parametrize(
    ("pair", "path", "value"),
    [
        ("scoring.batch_size=64", ("scoring", "batch_size"), 64),
        (" scoring.linger =0.5", ("scoring", "linger"), 0.5),
        ('enrich.languages=["en","de"]', ("enrich", "languages"), ("en", "de")),
        ("log_level=debug", ("log_level",), "debug"),
        ("topics.prefix=a=b", None, None),
        ("kafka.group=a=b", ("kafka", "group"), "a=b"),
        ("topics.prefix=", ("topics", "prefix"), ""),
        ("alerts.window=PT30M", ("alerts", "window"), None),
    ],
)
def test_pairs_are_read_like_variables(pair: str, path: tuple[str, ...] | None, value: object) -> None:
    if path is None:
        with pytest.raises(SettingsError, match=r"topics\.prefix"):
            read_settings(None, [pair])
        return
    found: Any = read_settings(None, [pair])
    for name in path:
        found = getattr(found, name)
    assert found == value if value is not None else found.total_seconds() == 1800


@pytest.mark.parametrize("pair", ["scoring.batch_size", "=64", "", "scoring batch_size 64"])
def test_what_is_no_pair_is_refused(pair: str) -> None:
    with pytest.raises(SettingsError, match=r"not of the form section.name=value") as caught:
        read_settings(None, [pair])
    assert "--set scoring.batch_size=64" in caught.value.mend


@pytest.mark.parametrize("pair", ["nope.x=1", "nope=1", "kafka.nope=1", "journal.x=1", "kafka.group.x=1"])
def test_pairs_name_settings_that_exist(pair: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings(None, [pair])
    assert pair.split("=")[0].split(".")[0] in caught.value.message


def test_flags_that_were_not_given_do_not_hide_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BELLWETHER_WORKER__METRICS_PORT", "9108")
    assert read_settings(None, None, worker={"agents": None, "metrics_port": None}).worker.metrics_port == 9108
    assert read_settings(None, None, worker={"metrics_port": 0}).worker.metrics_port == 0


def test_a_named_file_must_be_there(own_folder: Path, monkeypatch: pytest.MonkeyPatch, refusal: Callable[..., SettingsError]) -> None:
    with pytest.raises(SettingsError, match="does not exist"):
        load_settings(own_folder / "absent.toml")
    with pytest.raises(SettingsError, match="does not exist"):
        load_settings(own_folder)
    monkeypatch.setenv("BELLWETHER_CONFIG", "absent.toml")
    assert "absent.toml" in refusal().message


def test_a_folder_of_the_files_name_is_no_file(own_folder: Path) -> None:
    (own_folder / "bellwether.toml").mkdir()
    assert load_settings() == Settings()
