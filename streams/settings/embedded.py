"""Settings of the one-command mode."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from streams.settings.section import Section
from streams.settings.values import Count

__all__ = ["EmbeddedSettings"]


class EmbeddedSettings(Section):
    """The one-command mode."""

    data: Path = Field(Path("bellwether-data"), description="Folder of journal, index and logs", examples=["~/bellwether"])
    triton: Literal["auto", "off"] = Field("auto", description="off: score in the worker", examples=["off"])
    broker_memory_mb: Count = Field(
        1024, description="Megabytes from which the embedded broker is begun anew, once no document is on its way", examples=[512]
    )
    max_pending: Count = Field(20_000, description="Documents that may wait in the journal before sources are held back", examples=[20000])

    @field_validator("data")
    @classmethod
    def _expand(cls, value: Path) -> Path:
        return value.expanduser()
