"""Settings: where they come from, which one wins, and that every fault is one line that names its mend."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from streams.commands.options import read_settings
from streams.errors import SettingsError
from streams.settings import Settings, load_settings

SECRETS = {
    "kafka.sasl_password": "hunter2-kafka",
    "search.password": "hunter2-search",
    "search.api_key": "hunter2-key",
    "webhook.secret": "whsec_aHVudGVyMg==",
}


def fields(model: type[BaseModel] = Settings, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], FieldInfo]]:
    """Every setting with its path."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from fields(field.annotation, (*path, name))
        else:
            yield (*path, name), field


ALL = dict(fields())


def variable(path: tuple[str, ...]) -> str:
    return "BELLWETHER_" + "__".join(path).upper()


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No bellwether.toml of whoever runs the tests."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refusal(**flags: Any) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        load_settings(**flags)
    error = caught.value
    assert "\n" not in error.message
    assert "\n" not in error.mend
    return error


# -- every setting ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ALL, ids=".".join)
def test_every_setting_says_what_it_is_and_gives_an_example(path: tuple[str, ...]) -> None:
    assert ALL[path].description
    assert ALL[path].examples


@pytest.mark.parametrize("path", ALL, ids=".".join)
def test_every_example_can_be_used_as_it_stands(path: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    examples = ALL[path].examples
    assert examples
    for example in examples:
        monkeypatch.setenv(variable(path), json.dumps(example) if isinstance(example, list) else str(example))
        if path == ("webhook", "urls"):
            monkeypatch.setenv("BELLWETHER_WEBHOOK__SECRET", SECRETS["webhook.secret"])
        if path == ("kafka", "security_protocol"):
            monkeypatch.setenv("BELLWETHER_KAFKA__SASL_USERNAME", "u")
            monkeypatch.setenv("BELLWETHER_KAFKA__SASL_PASSWORD", "p")
        if path == ("worker", "agents"):
            assert "score" in example
        found: Any = load_settings()
        for name in path:
            found = getattr(found, name)
        assert found is not None


def takes_any_text(path: tuple[str, ...]) -> bool:
    field = ALL[path]
    return field.annotation in {str, str | None, SecretStr | None, Path, Path | None} and not field.metadata and path[-1] != "secret"


@pytest.mark.parametrize("path", [path for path in ALL if not takes_any_text(path)], ids=".".join)
def test_a_bad_value_is_one_line_that_names_the_setting_and_shows_a_usable_example(
    path: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BELLWETHER_KAFKA__SASL_USERNAME", "u")
    monkeypatch.setenv("BELLWETHER_KAFKA__SASL_PASSWORD", "p")
    monkeypatch.setenv("BELLWETHER_WEBHOOK__SECRET", SECRETS["webhook.secret"])
    monkeypatch.setenv(variable(path), "" if path in {("kafka", "group"), ("triton", "model")} else "][")
    error = refusal()
    # A list that is no JSON is told by its variable's section; everything else by its own name.
    assert ".".join(path) in error.message or ("environment" in error.message and path[-2] in error.message)
    match = re.search(r"for example (BELLWETHER_\w+)=(.+)", error.mend)
    assert match, error.mend
    monkeypatch.delenv(variable(path))
    monkeypatch.setenv(match[1], match[2])
    load_settings()


def test_defaults_are_valid_and_complete() -> None:
    settings = load_settings()
    assert settings == Settings()
    assert settings.model_fields_set == set()
    assert settings.topics.raw == "documents.raw"


# -- precedence --------------------------------------------------------------------------------------------------------------


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


# -- pairs -------------------------------------------------------------------------------------------------------------------


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


# -- what is refused ---------------------------------------------------------------------------------------------------------


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
def test_a_bad_value_is_said_plainly(name: str, value: str, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"BELLWETHER_{name}", value)
    assert says in str(refusal())


@pytest.mark.parametrize("name", ["BELLWETHER_NOPE", "BELLWETHER_LOG__LEVEL", "BELLWETHER_JOURNAL__X", "bellwether_nope", "BELLWETHER_"])
def test_variables_of_no_setting_are_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "1")
    error = refusal()
    assert error.message == f"{name}: there is no such setting"
    assert "bellwether config" in error.mend


def test_variables_of_no_setting_in_a_section_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
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
def test_a_bad_file_is_said_plainly(text: str, says: str, own_folder: Path) -> None:
    (own_folder / "bellwether.toml").write_text(text)
    assert says in refusal().message


def test_a_file_that_is_not_utf8_is_said_plainly(own_folder: Path) -> None:
    (own_folder / "bellwether.toml").write_bytes(b"[kafka]\ngroup = '\xff'\n")
    error = refusal()
    assert error.message.startswith("config: bellwether.toml cannot be read")


def test_a_named_file_must_be_there(own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="does not exist"):
        load_settings(own_folder / "absent.toml")
    with pytest.raises(SettingsError, match="does not exist"):
        load_settings(own_folder)
    monkeypatch.setenv("BELLWETHER_CONFIG", "absent.toml")
    assert "absent.toml" in refusal().message


def test_a_folder_of_the_files_name_is_no_file(own_folder: Path) -> None:
    (own_folder / "bellwether.toml").mkdir()
    assert load_settings() == Settings()


# -- what depends on another -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", ["SASL_PLAINTEXT", "SASL_SSL"])
@pytest.mark.parametrize("given", [{}, {"sasl_username": "u"}, {"sasl_password": "hunter2"}, {"sasl_username": "", "sasl_password": "p"}])
def test_sasl_needs_user_and_password(protocol: str, given: dict[str, str]) -> None:
    error = refusal(kafka={"security_protocol": protocol, **given})
    assert "sasl_username and sasl_password are needed" in error.message
    assert "hunter2" not in str(error)


def test_sasl_with_both_is_taken() -> None:
    kafka = load_settings(kafka={"security_protocol": "SASL_SSL", "sasl_username": "u", "sasl_password": "p"}).kafka
    assert kafka.sasl_password is not None
    assert kafka.sasl_password.get_secret_value() == "p"


def test_webhooks_need_a_secret() -> None:
    assert "a signing secret is needed" in refusal(webhook={"urls": ["https://a.example"]}).message
    assert load_settings(webhook={"urls": ["https://a.example/"], "secret": SECRETS["webhook.secret"]}).webhook.urls == (
        "https://a.example",
    )


def test_a_secret_of_another_form_is_refused_and_not_shown() -> None:
    error = refusal(webhook={"secret": "hunter2"})
    assert "must begin with whsec_" in error.message
    assert "hunter2" not in str(error)


def test_secrets_while_they_are_exchanged() -> None:
    found = load_settings(webhook={"urls": ["https://a.example"], "secrets": ["whsec_bmV3", "whsec_b2xk"]}).webhook
    assert [secret.get_secret_value() for secret in found.secrets] == ["whsec_bmV3", "whsec_b2xk"]
    error = refusal(webhook={"secrets": ["whsec_bmV3", "hunter2"]})
    assert "webhook.secrets: each must begin with whsec_" in error.message
    assert "hunter2" not in str(error)
    assert "bmV3" not in str(error)


@pytest.mark.parametrize("wrong", [["10.0.0.1/8"], ["inside"], "10.0.0.0/8", [""]])
def test_networks_that_are_none(wrong: object) -> None:
    assert "webhook.allow_networks" in refusal(webhook={"allow_networks": wrong}).message


@pytest.mark.parametrize("agents", [["score"], ["index"], ["watch", "notify"], ["score", "index", "watch", "notify"]])
def test_agents_that_go_together_are_taken(agents: list[str]) -> None:
    assert load_settings(worker={"agents": agents}).worker.agents == tuple(agents)


# -- secrets -----------------------------------------------------------------------------------------------------------------


def test_secrets_are_not_shown_by_repr_or_json() -> None:
    settings = load_settings(pairs=SECRETS)
    for shown in (
        repr(settings),
        str(settings),
        settings.model_dump_json(),
        str(settings.model_dump()),
        json.dumps(settings.model_dump(mode="json")),
    ):
        assert "hunter2" not in shown
        assert "aHVudGVyMg" not in shown


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WEBHOOK__SECRET", "hunter2"),
        ("KAFKA", '"hunter2"'),
        ("KAFKA", '["hunter2"]'),
        ("KAFKA", '{"sasl_password": "hunter2"'),
        ("KAFKA", '{"sasl_password": ["hunter2"]}'),
        ("KAFKA", '{"sasl_pasword": "hunter2"}'),
        ("SEARCH__PASSWRD", "hunter2"),
        ("SEARCH__URL", "https://user:hunter2@search:9200"),
        ("SEARCH__URL", "ftp://user:hunter2@search:9200"),
        ("WEBHOOK__URLS", '["https://user:hunter2@a.example"]'),
        ("WEBHOOK__URLS", '["https://user:hunter2@a.example"'),
        ("KAFKA__BOOTSTRAP_SERVERS", "user:hunter2@kafka"),
        ("SECRET", "hunter2"),
    ],
)
def test_secrets_are_not_shown_by_errors(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"BELLWETHER_{name}", value)
    error = refusal()
    assert "hunter2" not in error.message + error.mend


def test_addresses_hold_no_password_because_they_are_shown() -> None:
    assert "must not hold a user or password" in refusal(search={"url": "https://user:hunter2@search:9200"}).message
    assert load_settings(search={"url": "https://search:9200/@path"}).search.url == "https://search:9200/@path"


def test_the_example_of_a_list_can_be_pasted_into_a_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BELLWETHER_WORKER__AGENTS", "score")
    assert '["en","de"]' in refusal().mend
    monkeypatch.delenv("BELLWETHER_WORKER__AGENTS")
    assert shlex.split(refusal(worker={"agents": ["watch"]}).mend)[-2:], "quotes are closed"


# -- values ------------------------------------------------------------------------------------------------------------------


def test_addresses_and_folders_are_normalised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    settings = load_settings(
        search={"url": "http://search:9200/"}, kafka={"bootstrap_servers": " a:1 , [::1]:2 "}, embedded={"data": "~/bellwether"}
    )
    assert settings.search.url == "http://search:9200"
    assert settings.kafka.bootstrap_servers == "a:1,[::1]:2"
    assert settings.embedded.data == Path("/home/somebody/bellwether")


def test_the_prefix_stands_before_every_topic() -> None:
    topics = load_settings(topics={"prefix": "staging."}).topics
    names = [topics.raw, topics.scored, topics.dead, topics.alerts, topics.watch_state]
    assert all(name.startswith("staging.") for name in names)
    assert len(set(names)) == 5


@pytest.mark.parametrize(("value", "seconds"), [("PT6H", 21600), ("3600", 3600), ("P7D", 604800), ("01:30:00", 5400)])
def test_durations_are_seconds_or_iso_8601(value: str, seconds: int) -> None:
    assert load_settings(pairs={"alerts.window": value}).alerts.window.total_seconds() == seconds


def test_settings_do_not_change_under_way() -> None:
    settings = load_settings()
    with pytest.raises(ValueError, match="frozen"):
        settings.log_level = "debug"
    with pytest.raises(ValueError, match="frozen"):
        settings.kafka.group = "x"
