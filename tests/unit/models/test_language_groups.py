from __future__ import annotations

from models.language_groups import OTHERS, canonical, group_of, groups
from models.languages import ENCODER_LANGUAGES


def test_relatives_share_a_group_and_strangers_have_the_rest() -> None:
    assert group_of("uk") == group_of("pl") == "slavic"
    assert group_of("en") != group_of("de")
    assert group_of("xx") == group_of("und") == OTHERS
    assert OTHERS not in groups()


def test_other_names_of_a_language_are_the_same_language() -> None:
    assert canonical("nb") == canonical("no") == "no"
    assert group_of("nb") == group_of("sv")
    assert group_of("yue") == "chinese"


def test_no_language_stands_twice() -> None:
    named = [language for languages in groups().values() for language in languages]
    assert len(named) == len(set(named))
    assert not [language for language in named if canonical(language) != language]


def test_most_languages_of_the_encoder_have_relatives() -> None:
    alone = sorted(language for language in ENCODER_LANGUAGES if group_of(language) == OTHERS)
    assert len(alone) < 8, alone
