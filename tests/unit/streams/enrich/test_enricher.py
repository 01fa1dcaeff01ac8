from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.documents import RawDocument
from streams.enrich import enricher as module
from streams.enrich.enricher import Arrival, Enriched, Enricher, Failed, Filtered
from streams.errors import BellwetherError
from streams.settings import EnrichSettings

WHEN = datetime(2026, 3, 2, 9, tzinfo=UTC)
LEAD = "Angry savers were turned away at branches on Wednesday after the lender blocked transfers without warning."


def arrival(number: int, title: str = "", text: str = "", **fields: object) -> Arrival:
    raw = RawDocument.model_validate({"source": "test", "id": str(number), "title": title, "text": text, "published_at": WHEN, **fields})
    return Arrival(raw, f"journal-0-{number}")


@pytest.fixture
def gazetteer(tmp_path: Path) -> Path:
    path = tmp_path / "entities.jsonl"
    path.write_text('{"id":"caldrava","name":"Caldrava Bank","tickers":["CDVB"]}\n', encoding="utf-8")
    return path


def test_a_document_is_enriched(gazetteer: Path) -> None:
    came = arrival(1, "Caldrava Bank &amp; its savers", f"<p>{LEAD}</p> see https://x.example")
    [result] = Enricher(EnrichSettings(entities=gazetteer)).enrich([came])
    assert isinstance(result, Enriched)
    assert (result.raw, result.origin, result.id) == (came.raw, "journal-0-1", came.raw.document_id)
    assert result.title == "Caldrava Bank & its savers"
    assert result.text == f"{LEAD}\nsee https://x.example" or result.text == f"{LEAD} see https://x.example"
    assert result.model_text == f"Caldrava Bank & its savers. {LEAD} see http"
    assert result.language.code == "en"
    assert [(mention.id, mention.matched) for mention in result.entities] == [("caldrava", "Caldrava Bank")]
    assert result.duplicate_of is None
    assert result.unscored is None


def test_results_stand_in_the_order_of_the_arrivals(gazetteer: Path) -> None:
    batch = [arrival(number, f"Headline number {number} of the day") for number in range(20)]
    results = Enricher(EnrichSettings(entities=gazetteer)).enrich(batch)
    assert [result.origin for result in results] == [came.origin for came in batch]
    assert Enricher(EnrichSettings(entities=gazetteer)).enrich([]) == []


def test_near_copies_and_redelivery(gazetteer: Path) -> None:
    enricher = Enricher(EnrichSettings(entities=gazetteer))
    first, second = arrival(1, "Caldrava Bank freezes withdrawals", LEAD), arrival(2, "UPDATE 1-Caldrava Bank freezes withdrawals", LEAD)
    once = enricher.enrich([first, second])
    again = enricher.enrich([second, first, first])
    assert [result.duplicate_of for result in once if isinstance(result, Enriched)] == [None, first.raw.document_id]
    assert again == [once[1], once[0], once[0]]


def test_near_copies_can_be_switched_off(gazetteer: Path) -> None:
    results = Enricher(EnrichSettings(entities=gazetteer, near_duplicates=False)).enrich([arrival(1, LEAD), arrival(2, LEAD)])
    assert [result.duplicate_of for result in results if isinstance(result, Enriched)] == [None, None]


def test_memory_is_warmed_up_from_the_index(gazetteer: Path) -> None:
    enricher = Enricher(EnrichSettings(entities=gazetteer))
    enricher.remember("stored", "Caldrava Bank freezes withdrawals", LEAD)
    enricher.remember("empty", "🔥", "")
    [result] = enricher.enrich([arrival(2, "EIL: Caldrava Bank freezes withdrawals", LEAD)])
    assert isinstance(result, Enriched)
    assert result.duplicate_of == "stored"


@pytest.mark.parametrize("text", ["😀🔥🚀", "$$$ +++ 12.5%", "https://t.co/abc", "@anna 👍", "<img src='x'>"])
def test_text_without_words_is_kept_unscored(gazetteer: Path, text: str) -> None:
    results = Enricher(EnrichSettings(entities=gazetteer)).enrich([arrival(1, text=text), arrival(2, text=text)])
    for result in results:
        assert isinstance(result, Enriched)
        assert result.unscored is not None
        assert result.unscored.reason == "text.no_words"
        assert result.language.code == "und"
        assert result.duplicate_of is None


def test_an_unknown_language_is_scored(gazetteer: Path) -> None:
    [result] = Enricher(EnrichSettings(entities=gazetteer)).enrich([arrival(1, "ok")])
    assert isinstance(result, Enriched)
    assert result.language.code == "und"
    assert result.unscored is None


def test_languages_that_are_not_kept_are_filtered(gazetteer: Path) -> None:
    enricher = Enricher(EnrichSettings(entities=gazetteer, languages=("en", "pt-BR")))
    german, english, portuguese, none = enricher.enrich(
        [
            arrival(1, "Die Zentralbank erhöht die Zinsen um einen Viertelpunkt"),
            arrival(2, "The central bank raised rates by a quarter point"),
            arrival(3, "O banco central elevou os juros em um quarto de ponto"),
            arrival(4, "😀"),
        ]
    )
    assert isinstance(german, Filtered)
    assert german.reason == "filtered.language"
    assert german.detail.startswith("language de")
    assert isinstance(english, Enriched)
    assert isinstance(portuguese, Enriched)
    assert isinstance(none, Filtered)


def test_one_document_that_breaks_does_not_hurt_the_others(gazetteer: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fault(title: str, text: str) -> str:
        if "poison" in title:
            raise RuntimeError("no luck")
        return f"{title} {text}"

    monkeypatch.setattr(module, "model_text", fault)
    good, bad, other = Enricher(EnrichSettings(entities=gazetteer)).enrich(
        [arrival(1, "good news"), arrival(2, "poison"), arrival(3, "more news")]
    )
    assert isinstance(good, Enriched)
    assert isinstance(other, Enriched)
    assert isinstance(bad, Failed)
    assert (bad.origin, bad.reason, bad.detail) == ("journal-0-2", "enrich.failed", "RuntimeError: no luck")


def test_a_bad_gazetteer_stops_the_start(tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text("nonsense\n", encoding="utf-8")
    with pytest.raises(BellwetherError, match="line 1"):
        Enricher(EnrichSettings(entities=path))


def test_without_a_gazetteer_of_ones_own_the_worlds_best_known_are_named() -> None:
    [result] = Enricher(EnrichSettings()).enrich([arrival(1, "Nvidia overtakes Microsoft, the Fed waits")])
    assert isinstance(result, Enriched)
    assert [mention.id for mention in result.entities] == ["nvidia", "microsoft", "federal-reserve"]


ENRICHER = Enricher(EnrichSettings(near_duplicate_window=100))
words = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=300)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(words, words, st.one_of(st.none(), words.map(lambda text: text[:35]))), max_size=6))
def test_any_text_is_enriched(stories: list[tuple[str, str, str | None]]) -> None:
    batch = [
        arrival(number, title=title, text=text, id=None, language_hint=hint)
        for number, (title, text, hint) in enumerate(stories)
        if title.strip() or text.strip()
    ]
    results = ENRICHER.enrich(batch)
    assert [result.origin for result in results] == [came.origin for came in batch]
    for result in results:
        assert isinstance(result, Enriched), result
        assert result.model_text or result.unscored
    assert ENRICHER.enrich(batch) == results
