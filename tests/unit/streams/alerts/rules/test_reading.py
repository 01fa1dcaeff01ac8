"""Rule files: what is good is read, and every mistake names its line, its column and the mend."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.alerts.rules.problems import Problem, RuleFileError
from streams.alerts.rules.reading import parse_rules, read_rules
from streams.alerts.rules.yaml_nodes import MOST_BYTES, YamlError, load_yaml
from streams.errors import SettingsError

GOOD = """\
version: 1
defaults:
  window: 3h
  channels: [desk]
channels:
  desk: {type: webhook, url: env:DESK_URL, secrets: [whsec_c2VjcmV0]}
rules:
  - name: bank-run
    watch:
      language: [no, de]
      terms: bank run
      not: {terms: [blood bank]}
    detector:
      type: share
      max_p_value: 1e-5
      baseline: 7d
    for: 15m
    active: {hours: 08:00-20:00, time_zone: Europe/Oslo}
"""


def complaint(text: str) -> tuple[str, str]:
    """The first problem of a file as ``line:column: what`` and mend."""
    with pytest.raises(RuleFileError) as caught:
        parse_rules(text, "r.yaml")
    assert "whsec_" not in repr(caught.value) + str(caught.value) + "".join(caught.value.lines)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None or "whsec_" not in str(caught.value.__context__)
    return caught.value.message.removeprefix("r.yaml:"), caught.value.mend


def test_a_good_file_is_read() -> None:
    found = parse_rules(GOOD, "good.yaml")
    (rule,) = found.rules
    assert found.source == "good.yaml"
    assert set(found.channels) == {"desk"}
    assert rule.watch.language == ("no", "de"), "the language of Norway is no truth value"
    assert rule.watch.terms == ("bank run",)
    assert rule.watch.none[0].terms == ("blood bank",)
    assert rule.window == timedelta(hours=3)
    assert rule.hold == timedelta(minutes=15)
    assert rule.channels == ("desk",)
    assert rule.detector.type == "share"
    assert rule.detector.max_p_value == 1e-5
    assert rule.active.hours == "08:00-20:00"
    assert "whsec_" not in repr(found)


@pytest.mark.parametrize(
    ("old", "new", "place", "what", "mend"),
    [
        ("window: 3h", "window: 3 hours", "3:11", "window: '3 hours' is not a duration", "1h30m"),
        ("window: 3h", "window: 3", "3:11", "window: 3 has no unit", "15m"),
        ("for: 15m", "four: 15m", "17:5", "rule bank-run: four: there is no such field", "did you mean for?"),
        ("for: 15m", "for: [15m]", "17:10", "for: is not a duration", "15m"),
        ("terms: bank", "term: bank", "11:7", "watch.term: there is no such field", "did you mean terms?"),
        ("max_p_value", "max_p", "15:7", "detector.max_p: there is no such field", "max_p_value"),
        ("type: share", "type: shar", "14:7", "there is no detector 'shar'", "did you mean share?"),
        ("type: share", "type: crystal_ball", "14:7", "there is no detector 'crystal_ball'", "threshold, rate_of_change"),
        ("type: share\n      ", "", "14:7", "detector: has no type", "write type:"),
        ("baseline: 7d", "baseline: 1h", "16:17", "detector.baseline: 1h is shorter than the window of 3h", "7d"),
        ("max_p_value: 1e-5", "max_p_value: 2", "15:20", "max_p_value: should be less than 1", "now it is 2"),
        ("max_p_value: 1e-5", "max_p_value: small", "15:20", "max_p_value: must be a number, not 'small'", "0.5"),
        ("[desk]", "[dusk]", "4:13", "channels: there is no channel 'dusk'", "one of desk"),
        ("[desk]", "desk", "4:13", "channels: must be a list, not 'desk'", "[one, two]"),
        ("08:00-20:00", "25:00-26:00", "18:21", "active.hours: '25:00-26:00' is no span of hours", "08:00-18:30"),
        ("08:00-20:00", "08:00-08:00", "18:21", "ends where it begins", "00:00-24:00"),
        ("Europe/Oslo", "Europe/Olso", "18:45", "'Europe/Olso' is no time zone", "Europe/Berlin"),
        ("name: bank-run", "name: Bank run", "8:11", "name: 'Bank run' is not a name", "like bank-run"),
        ("name: bank-run", "enabled: true", "8:5", "rule 1: name: is missing", "docs/rules.md"),
        ("name: bank-run", "name: bank-run\n    enabled: maybe", "9:14", "enabled: must be true or false, not 'maybe'", "true or false"),
        (
            "name: bank-run",
            "name: bank-run\n    severity: high",
            "9:15",
            "severity: 'high' is not possible here",
            "info, warning, critical",
        ),
        ("name: bank-run", "name: bank-run\n    group_by: [entity, entity]", "9:24", "entity stands there twice", "once"),
        ("name: bank-run", "name: bank-run\n    evidence: {documents: 1.5}", "9:27", "must be a whole number, not 1.5", "12"),
        ("language: [no, de]", "language: [no, english]", "10:22", "'english' is no language code", "de, zh"),
        ("language: [no, de]", "language: [1]", "10:18", "must be text, not 1", "quotes"),
        ("terms: bank run", "terms: []", "11:14", "terms: is an empty list", "at least 1"),
        ("terms: bank run", "terms: '!?'", "11:14", "has no letter or digit", "bank run"),
        ("terms: bank run", "terms: 'ba*nk'", "11:14", "asterisk within", "at the end"),
        ("not: {terms: [blood bank]}", "not: {}", "12:12", "an empty condition matches everything", "field"),
        ("window: 3h", "signal: documents", "3:11", "signal: detector share cannot judge documents", "negative_share"),
        ("version: 1", "version: 2", "1:10", "version: 2 is not possible here", "1"),
        ("rules:", "rulez:", "7:1", "rulez: there is no such field", "did you mean rules?"),
        ("rules:", "alerts:", "1:1", "rules: is missing", "docs/rules.md"),
        ("desk: {", "desk: [", "6:", "is not YAML", "quotes"),
        ("type: webhook, url: env:DESK_URL, secrets: [whsec_c2VjcmV0]", "whsec_c2VjcmV0: x: y", "6:", "is not YAML", "quotes"),
        (
            "desk: {type: webhook, url: env:DESK_URL, secrets: [whsec_c2VjcmV0]}",
            "desk: whsec_c2VjcmV0",
            "6:9",
            "desk: must be a mapping, not this",
            "fields",
        ),
        ("url: env:DESK_URL", "url: !!python/object/apply:os.system ['x']", "6:30", "tags are not allowed", "exclamation"),
        ("url: env:DESK_URL", "url: !!binary aGk=", "6:30", "tags are not allowed", "exclamation"),
        ("for: 15m", "for: 15m\n    for: 16m", "18:5", "'for' stands there twice, first in line 17", "one of them"),
        ("for: 15m", "\tfor: 15m", "17:", "is not YAML", "spaces"),
        ("for: 15m", "for: *then", "17:10", "undefined alias", ""),
        ("for: 15m", "? [a]\n    : b", "17:7", "a field's name must be text", "name: value"),
    ],
)
def test_a_mistake_names_its_place_and_the_mend(old: str, new: str, place: str, what: str, mend: str) -> None:
    assert GOOD.count(old) == 1 or old in ("rules:", "type: webhook"), old
    found, help_ = complaint(GOOD.replace(old, new, 1))
    assert found.startswith(place), found
    assert what in found
    assert mend in help_


def test_two_rules_of_one_name_are_refused_at_the_second() -> None:
    found, _ = complaint(GOOD + "  - name: bank-run\n")
    assert found.startswith("19:11: rule bank-run: name: there is another rule 'bank-run'")


def test_the_channels_of_an_escalation_must_be_there() -> None:
    found, mend = complaint(GOOD + "    escalation: {channels: [boss]}\n")
    assert found.startswith("19:17: rule bank-run: escalation: there is no channel 'boss'")
    assert mend == "one of desk"


def test_the_channel_of_the_settings_needs_no_description() -> None:
    assert parse_rules("rules: [{name: a, channels: [default]}]", "r").rules[0].channels == ("default",)


def test_every_problem_is_told_in_the_order_of_the_file() -> None:
    text = GOOD.replace("15m", "soon").replace("max_p_value", "p").replace("bank-run", "Bank")
    with pytest.raises(RuleFileError) as caught:
        parse_rules(text, "dir/r.yaml")
    assert [line.split(": ")[0] for line in caught.value.lines] == ["dir/r.yaml:8:11", "dir/r.yaml:15:7", "dir/r.yaml:17:10"]
    assert caught.value.message.endswith("(and 2 more)")
    assert all("\n" not in line for line in caught.value.lines)


def test_a_mistake_in_the_defaults_is_told_once_for_all_rules() -> None:
    with pytest.raises(RuleFileError) as caught:
        parse_rules("defaults: {detector: {type: share, p: 1}}\nrules:\n  - name: a\n  - name: a2\n", "r")
    assert [(problem.line, problem.column) for problem in caught.value.problems] == [(1, 36), (1, 36)]


@pytest.mark.parametrize(
    ("text", "what"), [("", "is empty"), ("# nothing\n", "is empty"), ("[]", "is not a mapping"), ("hello", "is not a mapping")]
)
def test_a_file_without_rules_is_refused(text: str, what: str) -> None:
    assert what in complaint(text)[0]


def test_a_rule_inherits_what_it_does_not_give() -> None:
    text = GOOD + "  - name: other\n    window: 6h\n    channels: []\n"
    one, other = parse_rules(text, "r").rules
    assert (one.window, other.window) == (timedelta(hours=3), timedelta(hours=6))
    assert (one.channels, other.channels) == (("desk",), ())


def test_anchors_aliases_and_merges_are_followed() -> None:
    text = """\
rules:
  - &usual
    name: a
    window: 2h
    watch: &what {terms: [run]}
  - <<: *usual
    name: b
    watch: {all: [*what, {language: de}]}
  - {<<: [*usual], name: c}
"""
    a, b, c = parse_rules(text, "r").rules
    assert (b.window, c.window) == (a.window, a.window)
    assert b.watch.all[0] == a.watch
    assert c.watch == a.watch


def test_aliases_cannot_grow_without_end() -> None:
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{b}: &{b} [{','.join(['*' + a] * 9)}]\n" for a, b in zip("abcdefg", "bcdefgh", strict=True)
    )
    assert "more than 50,000 values" in complaint(bomb)[0]
    assert "an alias refers to what it is part of" in complaint("rules: &r [*r]")[0]
    assert "nested too deeply" in complaint("[" * 5000)[0]


def test_a_huge_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_bytes(b"# " + b"x" * (2 * MOST_BYTES))
    with pytest.raises(RuleFileError, match="larger than 1024 KiB"):
        read_rules(path)


def test_files_are_utf8_with_or_without_a_mark(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + "rules: [{name: a, watch: {terms: [挤兑]}}]".encode())
    assert read_rules(path).rules[0].watch.terms == ("挤兑",)
    path.write_bytes("# ä\nrules: [{name: ä}]".encode("latin-1"))
    with pytest.raises(RuleFileError, match=r"r.yaml:1:3: is not UTF-8"):
        read_rules(path)
    path.write_bytes(b"rules: \x01")
    with pytest.raises(RuleFileError, match=r"r.yaml:1:8: holds a character that YAML does not allow"):
        read_rules(path)


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file") as caught:
        read_rules(tmp_path / "none.yaml")
    assert caught.value.mend


def test_the_digest_tells_contents_apart() -> None:
    assert parse_rules(GOOD, "a").digest == parse_rules(GOOD, "b").digest
    assert parse_rules(GOOD, "a").digest != parse_rules(GOOD + "\n", "a").digest


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"), ("yes", "yes"), ("on", "on"), ("true", True), ("False", False), ("~", None), ("", None),
        ("12", 12), ("0o17", 15), ("0x1F", 31), ("1e-5", 1e-5), (".5", 0.5), ("-1.5", -1.5), ("-.inf", float("-inf")),
        ("22:30", "22:30"), ("2026-03-01", "2026-03-01"), ("1_000", "1_000"), ("'12'", "12"), ("!!str 12", "12"),
        ("<<", "<<"), ("=", "="),
    ],
)  # fmt: skip
def test_scalars_are_those_of_yaml_1_2(text: str, value: object) -> None:
    found, _ = load_yaml(f"a: {text}")
    assert found == {"a": value}
    assert type(found["a"]) is type(value)


def test_not_a_number_is_refused_where_a_number_is_wanted() -> None:
    assert "max_p_value" in complaint(GOOD.replace("1e-5", ".nan"))[0]
    assert "is not a number" in complaint("a: !!int x")[0]


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("abrules:-[]{}&*!|>'\"%@`#,? \n\t<1e.~\\é銀"), max_size=60))
def test_any_text_gives_values_or_one_problem_with_a_place(text: str) -> None:
    problem = _problem(text)
    assert problem is None or (problem.line >= 1 and problem.column >= 1 and "\n" not in str(problem))


def _problem(text: str) -> Problem | None:
    try:
        load_yaml(text)
    except YamlError as error:
        return error.problem
    return None


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(GOOD) - 1), st.sampled_from(list(" :-[]{}'\"#x1\n*&!")))
def test_a_slip_of_the_pen_never_ends_in_a_traceback(place: int, character: str) -> None:
    assert "c2VjcmV0" not in _answer(GOOD[:place] + character + GOOD[place + 1 :])


def _answer(text: str) -> str:
    try:
        return repr(parse_rules(text, "r.yaml"))
    except RuleFileError as error:
        return str(error)
