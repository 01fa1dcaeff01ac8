"""Settings of the scoring."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from streams.settings.section import Section
from streams.settings.values import Count, Seconds

__all__ = ["ScoringSettings"]


class ScoringSettings(Section):
    """How texts are scored."""

    backend: Literal["auto", "triton", "onnx", "noop"] = Field(
        "auto",
        description="auto: Triton where it answers, else ONNX Runtime in this process; noop: no model (to measure the path)",
        examples=["triton"],
    )
    batch_size: Count = Field(128, description="Documents that the score agent takes at once", le=4096, examples=[128])
    linger: Seconds = Field(0.1, description="Seconds that it waits for a batch to fill", le=60, examples=[0.1])
    threads: Annotated[int, Field(ge=0)] = Field(0, description="Threads of the in-process model; 0: all cores", examples=[2])
    model: Path | None = Field(
        None, description="Model folder; absent: the one that is shipped", examples=["models/artifacts/bellwether-base"]
    )
    abstain: Literal["off", "languages", "confidence"] = Field(
        "languages",
        description="Which documents go on unscored, with the reason: languages: those in languages that the model is not vouched for; "
        "confidence: also those it is too unsure of; off: none",
        examples=["confidence"],
    )
    cascade: Literal["off", "auto", "on"] = Field(
        "off",
        description="Whether cheap stages answer the texts that they are sure of, and the model the rest: on: by the cascade in the model "
        "folder; auto: where it has one; off: the model answers all",
        examples=["auto"],
    )
