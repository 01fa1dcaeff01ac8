from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from models.cascade.mix import STREAMS, NewsMix, news_mix, news_sets, teaching_texts
from models.data import Example
from models.errors import ModelError

FINANCE = ["rise", "fall", "flat", "merger", "profit warning", "dividend"]


def write(path: Path, rows: list[dict[str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt", encoding="utf-8") as lines:
        lines.writelines(json.dumps(row) + "\n" for row in rows)


def row(text: str, label: str, source: str, lang: str = "en", split: str = "dev") -> dict[str, str]:
    return {"text": text, "label": label, "lang": lang, "source": source, "split": split}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    words = [f"{word} number {first} {second}" for word in FINANCE for first in "abcdef" for second in "ghijk"]
    finance = [row(text, "negative" if "fall" in text else "positive", "sentfin") for text in words]
    finance += [row("only for training", "positive", "sentfin", split="train")]
    write(tmp_path / "train" / "sentiment_financial" / "sentfin.jsonl.gz", finance)
    write(tmp_path / "train" / "sentiment_general" / "umsab.jsonl.gz", [row("a private matter", "neutral", "umsab")])
    topics = [row(f"fútbol {number}", "Deportes", "noticias_es", "es") for number in range(20)]
    topics += [row(f"bote {number}", "sports", "masakhanews", "xx") for number in range(5)]
    write(tmp_path / "train" / "topic" / "noticias_es.jsonl.gz", [one for one in topics if one["lang"] == "es"])
    write(tmp_path / "train" / "topic" / "masakhanews.jsonl.gz", [one for one in topics if one["lang"] == "xx"])
    for name in STREAMS:
        texts = [{"text": f"{name} {letter}"} for letter in "abcdefghijklmnopqrstuvwxyz"] + [{"text": "Only for TRAINING!"}]
        write(tmp_path / "streams" / f"{name}.jsonl.gz", texts)
    return tmp_path


def test_financial_and_news_sets_are_in_the_mix_and_tweets_and_encyclopaedias_are_not() -> None:
    sets = news_sets()
    assert {"sentfin", "cnbc_id", "gerntsa_de", "reuters21578", "masakhanews"} <= set(sets)
    assert not {"umsab", "sib200", "stockemotions", "hotel_zh"} & set(sets)
    assert sets["sentfin"] == "sentiment"
    assert sets["reuters21578"] == "topic"


def test_the_mix_has_dev_rows_in_two_halves_and_texts_of_every_stream(data: Path) -> None:
    mix = news_mix(data, rows=60, stream_rows=2, choosing_rows=1)
    labelled = [*mix.fit, *mix.held_out]
    assert {one.source for one in labelled} == {"sentfin", "noticias_es"}, "no language the encoder does not know"
    assert {one.split for one in labelled} == {"dev"}
    assert sum(one.source == "sentfin" for one in labelled) == 60
    assert not {one.text for one in mix.fit} & {one.text for one in mix.held_out}
    assert min(len(mix.fit), len(mix.held_out)) > 20
    assert len(mix.stream) == 2 * len(STREAMS)
    assert len(mix.choosing) == len(STREAMS)
    assert news_mix(data, rows=60, stream_rows=2, choosing_rows=1) == mix


def test_the_halves_change_places_and_the_streams_do_not(data: Path) -> None:
    one, other = (news_mix(data, rows=60, stream_rows=2, choosing_rows=1, other_half=turned) for turned in (False, True))
    assert (other.fit, other.held_out) == (one.held_out, one.fit)
    assert (other.choosing, other.stream) == (one.choosing, one.stream)


def test_what_stands_in_a_labelled_set_is_taken_out_of_the_streams(data: Path) -> None:
    assert not any("TRAINING" in text for text in news_mix(data, rows=60, stream_rows=1_000, choosing_rows=1_000).stream)


def test_streams_are_parted_into_what_teaches_what_chooses_and_what_reports(data: Path) -> None:
    mix = news_mix(data, rows=10, stream_rows=1_000, choosing_rows=1_000)
    teaching = teaching_texts(data, 100_000)
    parts = [set(teaching), set(mix.choosing), set(mix.stream)]
    assert len(set.union(*parts)) == sum(map(len, parts)) == 26 * len(STREAMS)
    assert len(teaching) > len(mix.choosing) > 20
    assert not any("TRAINING" in text for text in teaching)
    few = teaching_texts(data, 2 * len(STREAMS))
    assert len(few) == 2 * len(STREAMS)
    assert set(few) < set(teaching)
    assert teaching_texts(data, 0) == []


def test_timed_texts_are_half_labelled_and_half_of_the_streams() -> None:
    labelled = [Example(f"l{number}", "en", "sentfin", "dev", "sentiment", (0,), (0, 1, 2)) for number in range(100)]
    mix = NewsMix([], labelled, [], [f"s{number}" for number in range(300)])
    texts = mix.timed(40)
    assert len(texts) == 40
    assert sum(text.startswith("l") for text in texts) == 20
    assert texts[:2] == ["l0", "l5"], "evenly thinned"
    assert len(mix.timed(1_000)) == 400


def test_a_missing_stream_and_no_labelled_news_are_errors(data: Path, tmp_path: Path) -> None:
    (data / "streams" / f"{STREAMS[0]}.jsonl.gz").unlink()
    with pytest.raises(ModelError, match="no such stream"):
        news_mix(data, rows=10, stream_rows=2, choosing_rows=1)
    with pytest.raises(ModelError, match="no labelled news"):
        news_mix(tmp_path / "nowhere", rows=10, stream_rows=2, choosing_rows=1)
