"""Sentiment and topic of texts: one contract, two implementations (Triton over gRPC, ONNX Runtime in this process)."""

from __future__ import annotations

__all__: list[str] = []
