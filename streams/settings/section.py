"""What every section of the settings has in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

__all__ = ["Section"]


class Section(BaseModel):
    """A group of settings, a table of the TOML file: names that it does not have are refused, and what was read does not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)
