from __future__ import annotations

import pytest

from models.errors import ModelError
from models.robustness.sentences import TONES, read_sentences, sentences

SMALL = """
companies = ["Apple", "Tesla"]
countries = ["US", "CN"]

[languages.en]
country_names = ["USA", "China"]
companies.positive = ["{company} wins."]
companies.neutral = ["{company} meets."]
companies.negative = ["{company} loses."]
countries.positive = ["{country}: good."]
countries.neutral = ["{country}: so."]
countries.negative = ["{country}: bad."]
genders = [["He won.", "She won."]]
negations = [["positive", "It is good.", "It is not good."]]
switches = [["very good", "muy good"]]
"""


def test_frames_take_every_name() -> None:
    found = read_sentences(SMALL)
    assert [frame.tone for frame in found.companies] == ["positive", "neutral", "negative"]
    assert found.companies[0].filled() == {"Apple": "Apple wins.", "Tesla": "Tesla wins."}
    assert found.countries[2].filled() == {"US": "USA: bad.", "CN": "China: bad."}
    assert found.genders == (("en", "He won.", "She won."),)
    assert found.negations == (("en", "positive", "It is good.", "It is not good."),)
    assert found.switches == (("en", "very good", "muy good"),)


def test_plain_sentences_are_those_that_make_sense_alone() -> None:
    texts = [text for _, text in read_sentences(SMALL).plain()]
    assert texts == [
        "Apple wins.", "Apple meets.", "Apple loses.", "USA: good.", "USA: so.", "USA: bad.", "He won.", "very good", "It is good.",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("there", "instead", "said"),
    [
        ("{company} wins.", "{country} wins.", r"needs \{company\} once"),
        ("{country}: so.", "{country} and {country}.", r"needs \{country\} once"),
        ('["USA", "China"]', '["USA"]', "does not name the 2 countries"),
        ('["USA", "China"]', '["USA", "USA"]', "does not name the 2 countries"),
        ('"She won."', '"He won."', "genders"),
        ('"It is good.", ', "", "negations"),
        ('"very good", ', "", "switches"),
    ],
)
def test_a_broken_table_says_where(there: str, instead: str, said: str) -> None:
    assert there in SMALL
    with pytest.raises(ModelError, match=said) as caught:
        read_sentences(SMALL.replace(there, instead))
    assert "sentences.toml" in caught.value.mend


def test_every_language_has_the_same_content() -> None:
    found = sentences()
    languages = {frame.lang for frame in found.companies}
    assert len(languages) == 10
    for lang in languages:
        for frames in (found.companies, found.countries):
            assert [frame.tone for frame in frames if frame.lang == lang] == [tone for tone in TONES for _ in range(2)]
        assert [len([row for row in rows if row[0] == lang]) for rows in (found.genders, found.negations, found.switches)] == [4, 5, 3]
        tones = [row[1] for row in found.negations if row[0] == lang]
        assert (tones.count("positive"), tones.count("negative")) == (3, 2)
    texts = [text for frame in (*found.companies, *found.countries) for text in frame.filled().values()]
    assert len(set(texts)) == len(texts)
