from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path

import pytest

from models.adaptation.old_texts import OldText, Quotas, choose_old, read_old, read_own
from models.errors import ModelError


def write(path: Path, rows: list[tuple[str, str, str, str]]) -> None:
    """(text, label, language, split) lines of the set that the file is called after."""
    path.parent.mkdir(parents=True, exist_ok=True)
    source = path.name.split(".")[0]
    fields = [{"text": text, "label": label, "lang": lang, "source": source, "split": split} for text, label, lang, split in rows]
    path.write_bytes(gzip.compress("".join(json.dumps(one) + "\n" for one in fields).encode()))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    tones = [("Up it goes", "positive", "en", "train"), ("Down it goes", "negative", "en", "dev"), ("As it was", "neutral", "de", "dev")]
    write(tmp_path / "train" / "sentiment_general" / "umsab.jsonl.gz", tones)
    write(tmp_path / "train" / "sentiment_financial" / "surge_crypto.jsonl.gz", [("To the moon", "positive", "en", "train")])
    write(tmp_path / "train" / "topic" / "detik_id.jsonl.gz", [("Gol", "olahraga", "id", "dev"), ("Saham", "ekonomi", "id", "test")])
    return tmp_path


def test_certain_labels_of_train_and_dev_are_read_with_their_heads(data: Path) -> None:
    found = {one.text: one for one in read_old(data)}
    assert set(found) == {"Up it goes", "Down it goes", "As it was", "Gol"}, "a two-class label says too little, and test is not touched"
    assert found["Down it goes"].check
    assert not found["Up it goes"].check
    assert found["Gol"].answers["topic"] >= 0
    assert found["Up it goes"].answers == {"sentiment": 2}


def test_a_set_can_be_left_out(data: Path) -> None:
    assert {one.source for one in read_old(data, frozenset({"umsab"}))} == {"detik_id"}
    with pytest.raises(ModelError, match="no set is called umsub"):
        list(read_old(data, frozenset({"umsub"})))


def test_no_text_is_one_line_and_the_mend(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no labelled text under") as caught:
        list(read_old(tmp_path))
    assert "--data" in caught.value.mend


def word(number: int) -> str:
    return "".join(chr(97 + int(digit)) for digit in f"{number:04d}")


def many(source: str, lang: str, count: int, *, check: bool, task: str = "sentiment") -> list[OldText]:
    return [OldText(f"{source} {lang} {word(number)} {check}", lang, source, check, {task: 0}) for number in range(count)]


def test_quotas_hold_for_languages_sets_and_kinds() -> None:
    texts = [
        *many("big", "en", 300, check=True),
        *many("small", "en", 10, check=True),
        *many("big", "xx", 300, check=True),
        *many("big", "en", 300, check=False),
        *many("sib200", "fi", 99, check=True, task="topic"),
    ]
    chosen = choose_old(iter(texts), Quotas(fit=20, check=50, others=0.1, parallel=0.2), {"en", "fi"})
    counts = Counter((one.source, one.lang, one.check) for one in chosen)
    assert counts == {
        ("big", "en", True): 40,
        ("small", "en", True): 10,
        ("big", "xx", True): 5,
        ("big", "en", False): 20,
        ("sib200", "fi", True): 10,
    }
    assert choose_old(iter(reversed(texts)), Quotas(fit=20, check=50, others=0.1, parallel=0.2), {"en", "fi"}) == chosen


def test_a_near_duplicate_of_a_checked_text_does_not_hold_the_head() -> None:
    texts = [OldText("Shares rise 3%", "en", "a", False, {"sentiment": 2}), OldText("shares RISE 5%!", "en", "b", True, {"sentiment": 2})]
    assert [one.check for one in choose_old(iter(texts), Quotas(), {"en"})] == [True]


def test_own_text_may_be_without_labels(tmp_path: Path) -> None:
    rows = [{"text": f"text {word(number)}", "lang": "en", **({"label": "Sport"} if number % 2 else {})} for number in range(80)]
    (tmp_path / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = list(read_own(tmp_path, {"topic": ["health", "sport"], "sentiment": ["negative"]}))
    assert [one.answers for one in found[:2]] == [{}, {"topic": 1}]
    assert 5 < sum(one.check for one in found) < 40


@pytest.mark.parametrize("line", ["not json", '"text"', '{"text": "a"}', '{"text": " ", "lang": "en"}'])
def test_own_text_that_cannot_be_read_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "mine.jsonl").write_text('{"text": "a", "lang": "en"}\n' + line + "\n")
    with pytest.raises(ModelError, match=r"mine\.jsonl, line 2"):
        list(read_own(tmp_path, {}))


def test_a_folder_without_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no \.jsonl files"):
        list(read_own(tmp_path, {}))


def test_own_text_may_be_one_file_without_any_label(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl.gz"
    path.write_bytes(gzip.compress(b"".join(json.dumps({"text": f"text {n}", "lang": "nl"}).encode() + b"\n" for n in range(200))))
    (tmp_path / "other.jsonl").write_text("not read")
    found = list(read_own(path, {"sentiment": ("negative", "neutral", "positive")}))
    assert len(found) == 200
    assert {one.lang for one in found} == {"nl"}
    assert not any(one.answers for one in found)
    assert 20 < sum(one.check for one in found) < 90


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"text": "a", "lang": "en"}\n[]', "line 2: not a JSON object"),
        (b'{"text": "\\ud800", "lang": "en"}', "line 1: half a character"),
        (b"[" * 100_000, "line 1: not JSON that can be read"),
        (b'{"text": "\xff"}', "cannot read"),
    ],
)
def test_an_own_file_that_cannot_be_read_is_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "mine.jsonl").write_bytes(content)
    with pytest.raises(ModelError, match=message):
        list(read_own(tmp_path, {}))
