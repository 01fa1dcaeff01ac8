"""The news-like mix that a cascade is fitted and measured on: labelled dev rows of financial and news sets, and texts of news streams.

Labelled rows stand for what is asked of the model, stream texts for how often each stage answers on days that nobody labelled. The texts
of a stream are parted by the digest of their letters, near-duplicates together: half may teach a stage, a quarter serves to choose when
it answers, and a quarter to report.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from models.data import Example, examples, read_rows, sources
from models.errors import ModelError
from models.json_lines import json_lines
from models.languages import ENCODER_LANGUAGES
from models.texts.mixture import normalised

__all__ = ["STREAMS", "NewsMix", "news_mix", "news_sets", "teaching_texts"]

#: Streams of news; the stream of tweets about shares is no news.
STREAMS = (
    "headlines_2018_2020",
    "cryptonews_2021_2022",
    "saudi_news_2015",
    "telegram_ru_2024",
    "cnbc_id_tweets",
    "noticias_es",
    "xueqiu_news_zh",
)

#: News of a general kind whose tone is labelled.
_GENERAL_NEWS = ("gerntsa_de",)
#: Sentences of an encyclopaedia and of travel guides.
_NO_NEWS = ("sib200",)


@dataclass(frozen=True)
class NewsMix:
    """``fit``: labelled rows to choose on; ``held_out``: labelled rows to report on.

    ``choosing`` and ``stream``: texts of streams, without label, to choose and to report on.
    """

    fit: Sequence[Example]
    held_out: Sequence[Example]
    choosing: Sequence[str]
    stream: Sequence[str]

    def timed(self, texts: int) -> list[str]:
        """``texts`` texts at most to measure speed on, half of them labelled held-out rows and half of the streams, evenly thinned."""
        return [text for whole in ([one.text for one in self.held_out], self.stream) for text in _thinned(list(whole), texts // 2)]


def _thinned(rows: list[str], most: int) -> list[str]:
    return rows if len(rows) <= most else [rows[index * len(rows) // most] for index in range(most)]


def news_sets() -> dict[str, str]:
    """Set -> task of the labelled part: every financial set and news set that the tables use, and every news topic set."""
    chosen = {}
    for name, source in sources().items():
        news = source.domain == "finance" or name in _GENERAL_NEWS or (source.task == "topic" and name not in _NO_NEWS)
        if source.left_out is None and news:
            chosen[name] = source.task
    return chosen


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _labelled(data: Path, rows: int) -> tuple[list[Example], set[str]]:
    """At most ``rows`` dev rows a set, in equal parts of its languages, whose label is one class; and every train text, normalised."""
    tasks = news_sets()
    found: list[Example] = []
    known: set[str] = set()
    for path in sorted((data / "train").glob("*/*.jsonl*")):
        task = tasks.get(path.name.split(".")[0])
        if task is None:
            continue
        everything = list(read_rows(path))
        known.update(normalised(row.text) for row in everything)
        groups: defaultdict[str, list[Example]] = defaultdict(list)
        for one in examples((row for row in everything if row.split == "dev"), task):
            if one.label is not None and one.lang in ENCODER_LANGUAGES:
                groups[one.lang].append(one)
        for _, group in sorted(groups.items()):
            found += sorted(group, key=lambda one: _digest(one.text))[: max(1, rows // len(groups))]
    return found, known


#: What the texts of a stream are for, by their digest modulo four.
_TEACHING, _CHOOSING, _REPORTING = (0, 1), (2,), (3,)


def _stream(path: Path, parts: Sequence[int], known: set[str]) -> list[str]:
    """The texts of some parts of a stream in the order of time, each once, without those that stand in a labelled set."""
    if not path.is_file():
        raise ModelError(f"no such stream: {path}", mend="give the folder that holds train/ and streams/ with --data")
    texts = {text: normalised(text) for text in (str(record["text"]) for _, record in json_lines(path, "fetch the stream again"))}
    return [text for text, letters in texts.items() if letters not in known and _digest(letters)[0] % 4 in parts]


def _streams(data: Path, parts: Sequence[int], known: set[str], rows: int) -> list[str]:
    """At most ``rows`` texts of each stream, evenly over its time."""
    return [text for name in STREAMS for text in _thinned(_stream(data / "streams" / f"{name}.jsonl.gz", parts, known), rows)]


def teaching_texts(data: Path, rows: int) -> list[str]:
    """About ``rows`` texts of the news streams at most, of the part that nothing is chosen or reported on, the same for each stream.

    Raises:
        ModelError: a stream is missing.
    """
    known = {normalised(row.text) for path in sorted((data / "train").glob("*/*.jsonl*")) for row in read_rows(path)} if rows else set()
    return _streams(data, _TEACHING, known, rows // len(STREAMS)) if rows else []


def news_mix(data: Path, *, rows: int, stream_rows: int, choosing_rows: int, other_half: bool = False) -> NewsMix:
    """Read the mix: at most ``rows`` dev rows a labelled set, and of each stream ``stream_rows`` texts to report on and ``choosing_rows``
    to choose on. No row of a benchmark, none of a train split.

    Half of the labelled rows, by the digest of their text, are for choosing and half for reporting; ``other_half``: the other way about.

    Raises:
        ModelError: there are no labelled sets, a stream is missing, or a label is unknown to the tables.
    """
    labelled, known = _labelled(data, rows)
    if not labelled:
        raise ModelError(f"no labelled news under {data / 'train'}", mend="give the folder that holds train/ and streams/ with --data")
    halves: tuple[list[Example], list[Example]] = ([], [])
    for one in labelled:
        halves[(_digest(one.text)[-1] + other_half) % 2].append(one)
    choosing, stream = (_streams(data, part, known, most) for part, most in ((_CHOOSING, choosing_rows), (_REPORTING, stream_rows)))
    return NewsMix(halves[0], halves[1], choosing, stream)
