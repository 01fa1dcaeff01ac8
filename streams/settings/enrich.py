"""Settings of languages, near-copies and entities."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from streams.settings.section import Section
from streams.settings.values import Count

__all__ = ["EnrichSettings"]


class EnrichSettings(Section):
    """What is found out about a document beside its score."""

    languages: tuple[str, ...] = Field(
        (), description="Languages to keep (ISO 639); empty: all. Others are filtered", examples=[["en", "de"]]
    )
    min_language_confidence: Annotated[float, Field(ge=0, le=1)] = Field(
        0.35, description="Below it the language is `und`", examples=[0.35]
    )
    near_duplicates: bool = Field(True, description="Recognise near-copies and score them once", examples=[True])
    near_duplicate_threshold: Annotated[float, Field(gt=0, le=1)] = Field(
        0.7, description="Jaccard similarity of shingles from which two texts are near-copies", examples=[0.7]
    )
    near_duplicate_window: Count = Field(50_000, description="Documents that are remembered to find near-copies", examples=[50000])
    entities: Path | None = Field(None, description="JSONL of companies to recognise (id, name, aliases)", examples=["entities.jsonl"])
