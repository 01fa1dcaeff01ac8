"""Enrichment of the bundled newswire against what its author meant."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from streams.documents import parse_raw
from streams.enrich.enricher import Arrival, Enriched, Enricher
from streams.settings import EnrichSettings

NEWSWIRE = Path(__file__).resolve().parents[3] / "streams" / "newswire"


@pytest.fixture(scope="module")
def truth() -> dict[str, dict[str, object]]:
    return {entry["url"]: entry for entry in map(json.loads, (NEWSWIRE / "truth.jsonl").read_text(encoding="utf-8").splitlines())}


@pytest.fixture(scope="module")
def results() -> list[Enriched]:
    enricher = Enricher(EnrichSettings(entities=NEWSWIRE / "entities.jsonl"))
    lines = (NEWSWIRE / "newswire.jsonl").read_bytes().splitlines()
    found = enricher.enrich([Arrival(parse_raw(line), f"journal-0-{number}") for number, line in enumerate(lines, 1)])
    enriched = [result for result in found if isinstance(result, Enriched)]
    assert len(enriched) == len(lines)
    return list({result.id: result for result in enriched}.values())


def test_near_copies(results: list[Enriched], truth: dict[str, dict[str, object]]) -> None:
    def root(url: str) -> str:
        above = truth[url]["near_copy_of"]
        return root(str(above)) if above else url

    urls = {result.id: str(result.raw.url) for result in results}
    right = wrong = missed = 0
    for result in results:
        url = str(result.raw.url)
        wanted = root(url) if truth[url]["near_copy_of"] else None
        found = root(urls[result.duplicate_of]) if result.duplicate_of else None
        right += found is not None and found == wanted
        wrong += found is not None and found != wanted
        missed += found is None and wanted is not None
    assert right + missed >= 40
    assert right / (right + wrong) >= 0.95
    assert right / (right + missed) >= 0.9


def test_languages(results: list[Enriched], truth: dict[str, dict[str, object]]) -> None:
    right = sum(result.language.code == truth[str(result.raw.url)]["language"] for result in results)
    assert right / len(results) >= 0.98


def test_entities(results: list[Enriched], truth: dict[str, dict[str, object]]) -> None:
    right = wrong = missed = 0
    for result in results:
        found, wanted = {mention.id for mention in result.entities}, set(truth[str(result.raw.url)]["entities"])  # type: ignore[call-overload]
        right += len(found & wanted)
        wrong += len(found - wanted)
        missed += len(wanted - found)
    assert right / (right + wrong) >= 0.98
    assert right / (right + missed) >= 0.98
