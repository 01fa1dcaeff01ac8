"""Why Triton cannot run, in plain words."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.embedded import triton


@pytest.mark.parametrize(
    ("patch", "reason"),
    [
        ({"sys.platform": "darwin"}, "built for Linux on x86-64 only"),
        ({"platform.machine": lambda: "aarch64"}, "built for Linux on x86-64 only"),
        ({"platform.libc_ver": lambda: ("", "")}, "needs glibc, which"),
        ({"platform.libc_ver": lambda: ("glibc", "2.31")}, "needs glibc 2.35 or newer, this system has 2.31"),
        ({"streams.embedded.triton._package": lambda: None}, "is not installed"),
        ({"streams.embedded.triton._python_library": lambda: None}, "has no shared library"),
        ({"importlib.metadata.version": lambda _: "2.1.0"}, "needs numpy 1"),
    ],
)
def test_why_triton_cannot_run_is_said_in_plain_words(monkeypatch: pytest.MonkeyPatch, patch: dict[str, object], reason: str) -> None:
    if triton.available() is not None and "sys.platform" not in patch:
        pytest.skip(f"Triton cannot run here anyway: {triton.available()}")
    for target, value in patch.items():
        monkeypatch.setattr(target, value)
    said = triton.available()
    assert said is not None
    assert reason in said


def test_no_model_repository_is_said_too(tmp_path: Path) -> None:
    if triton.available() is not None:
        pytest.skip(f"Triton cannot run here: {triton.available()}")
    assert triton.available(tmp_path) == f"there is no model repository at {tmp_path}"
