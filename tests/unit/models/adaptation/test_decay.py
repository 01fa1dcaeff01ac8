from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.adaptation.decay import ENOUGH, LIMIT, Decay, measure_decay


def changed(sizes: dict[str, int], lost: dict[str, int], gained: dict[str, int]) -> Decay:
    """Languages of ``sizes`` rows, three in four right before; so many rows are lost and gained in each."""
    before, after, langs = [], [], []
    for lang, size in sizes.items():
        right = np.arange(size) % 4 != 0
        still = right.copy()
        still[np.flatnonzero(right)[: lost.get(lang, 0)]] = False
        still[np.flatnonzero(~right)[: gained.get(lang, 0)]] = True
        before.append(np.where(right, 0, 1))
        after.append(np.where(still, 0, 1))
        langs += [lang] * size
    labels = np.zeros(sum(sizes.values()), np.int64)
    return measure_decay(np.concatenate(before), np.concatenate(after), labels, np.array(langs), by_class=False)


def test_the_same_answers_have_not_decayed() -> None:
    decay = changed({"de": 400, "en": 400}, {}, {})
    assert decay.complaint is None
    assert decay.bounds == {"accuracy": 0.0}
    assert [one.before - one.after for one in decay.groups] == [0.0, 0.0]


def test_one_language_that_decays_is_named_though_the_whole_gains() -> None:
    decay = changed({"de": 400, "en": 4_000}, {"de": 12}, {"en": 60})
    assert decay.whole.after > decay.whole.before
    assert decay.complaint == "de by 3.0 points (400 rows)"


def test_a_loss_that_chance_explains_is_no_decay_of_a_language() -> None:
    decay = changed({"de": 400, "en": 4_000}, {"de": 6}, {"de": 2, "en": 20})
    german = next(one for one in decay.groups if one.name == "de")
    assert german.before - german.after == pytest.approx(1.0)
    assert german.chance == pytest.approx(37 / 256), "eight coins, six or more heads"
    assert decay.complaint is None


def test_small_losses_everywhere_are_not_excused_by_chance() -> None:
    langs = dict.fromkeys(("de", "en", "es", "fr", "it", "ja", "ko", "pt", "ru", "zh"), 300)
    decay = changed(langs, dict.fromkeys(langs, 3), {})
    assert not any(one.decayed for one in decay.groups)
    complaint = decay.complaint
    assert complaint is not None
    assert complaint.startswith("all languages together by up to 1.")


def test_small_languages_are_pooled_with_their_kin() -> None:
    decay = changed({"ru": 90, "uk": 90, "pl": 90, "en": 500, "ja": 30}, {"ru": 4, "uk": 4, "pl": 4}, {})
    names = {one.name: one.rows for one in decay.groups}
    assert names == {"en": 500, "other slavic": 270, "other languages": 30}
    complaint = decay.complaint
    assert complaint is not None
    assert complaint.startswith("other slavic by 4.4 points")


def test_macro_f1_is_asked_for_where_classes_are_few() -> None:
    """A class of a tenth of the rows vanishes while accuracy rises."""
    labels = np.array([0] * 1_800 + [1] * 200)
    before = labels.copy()
    before[:400] = 1
    decay = measure_decay(before, np.zeros(2_000, np.int64), labels, np.array(["en"] * 2_000), by_class=True)
    assert decay.whole.after > decay.whole.before
    assert decay.bounds["accuracy"] < LIMIT < decay.bounds["macro-F1"]
    assert "macro-F1" in (decay.complaint or "")


def test_an_answer_that_no_label_knows_is_wrong() -> None:
    decay = measure_decay(np.zeros(300, np.int64), np.full(300, 7), np.zeros(300, np.int64), np.array(["en"] * 300), by_class=False)
    assert (decay.whole.before, decay.whole.after) == (100.0, 0.0)


def test_no_rows_prove_nothing() -> None:
    nothing = np.zeros(0, np.int64)
    with pytest.raises(ValueError, match="no rows"):
        measure_decay(nothing, nothing, nothing, np.array([], np.str_), by_class=False)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.sampled_from(["de", "en", "sw", "ru", "xx"]), min_size=1, max_size=60), st.integers(0, 2**16))
def test_every_row_is_in_one_group(langs: list[str], seed: int) -> None:
    random = np.random.default_rng(seed)
    names = np.array([lang for lang in langs for _ in range(20)])
    draw = [random.integers(0, 3, len(names)) for _ in range(3)]
    decay = measure_decay(draw[0], draw[1], draw[2], names, by_class=True)
    assert sum(one.rows for one in decay.groups) == len(names) == decay.whole.rows
    assert sum(one.lost for one in decay.groups) == decay.whole.lost
    assert all(one.rows >= ENOUGH for one in decay.groups if one.name != "other languages")
