from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.enrich.language_model import WEIGHTS, LanguageModel
from streams.enrich.scripts import SCRIPTS_OF, SOLE_LANGUAGE
from streams.errors import BellwetherError

MODEL = LanguageModel()
ROMANISED = {"ar", "hi", "ml", "ta"}


def test_it_answers_where_a_script_has_several_languages() -> None:
    assert {"LATIN", "CYRILLIC", "ARABIC", "DEVANAGARI", "ETHIOPIC"} <= MODEL.scripts
    assert not MODEL.scripts & (set(SOLE_LANGUAGE) | {"CJK"})
    assert {"am", "ti"} == set(MODEL.languages("ETHIOPIC"))
    assert {"en", "ha", "yo", "hi"} <= set(MODEL.languages("LATIN"))


def test_every_language_is_written_in_its_script() -> None:
    for script in MODEL.scripts:
        for code in MODEL.languages(script):
            assert script in SCRIPTS_OF.get(code, {"LATIN"}) or (script == "LATIN" and code in ROMANISED), (script, code)


@settings(max_examples=60, deadline=None)
@given(
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=200),
    st.sampled_from(sorted(MODEL.scripts)),
    st.lists(st.tuples(st.sampled_from(["en", "fr", "arz", "fi", "no such label", ""]), st.floats(0.01, 1)), max_size=8),
)
def test_probabilities_sum_to_one(words: str, script: str, named: list[tuple[str, float]]) -> None:
    found = MODEL.probabilities(words, script, [label for label, _ in named], [share for _, share in named])
    assert found.shape == (len(MODEL.languages(script)),)
    assert found.dtype == np.float32
    assert float(found.min()) >= 0.0
    assert float(found.sum()) == pytest.approx(1.0, abs=1e-4)


def test_lid176_is_heard() -> None:
    french, place = "le marche", MODEL.languages("LATIN").index("fr")
    alone = MODEL.probabilities(french, "LATIN", [], [])[place]
    said = MODEL.probabilities(french, "LATIN", ["fr"], [0.9])[place]
    denied = MODEL.probabilities(french, "LATIN", ["ro"], [0.9])[place]
    assert denied < alone < said


def test_a_very_long_text_is_read_in_part() -> None:
    assert float(MODEL.probabilities("bank " * 5000, "LATIN", [], []).sum()) == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("content", [None, b"", b"no archive"])
def test_weights_that_cannot_be_read_say_what_to_do(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "language.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BellwetherError, match=r"language\.npz") as caught:
        LanguageModel(path)
    assert "reinstall" in caught.value.mend


def test_weights_without_a_part_say_so(tmp_path: Path) -> None:
    with np.load(WEIGHTS) as stored:
        parts = {name: stored[name] for name in stored.files if name != "bias"}
    np.savez(tmp_path / "language.npz", **parts)
    with pytest.raises(BellwetherError, match="bias"):
        LanguageModel(tmp_path / "language.npz")


def test_the_weights_stay_small() -> None:
    assert WEIGHTS.stat().st_size < 2_500_000
