"""Who answers, what is withheld, and that nothing else changes: a real graph, a real static model, measured languages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
from bag_cascade import SURE, UNSURE, write_cascade
from bag_model import WORDS, write_model
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.artifact import Artifact
from models.calibration.record import Calibration, HeadCalibration, Reliance
from models.cascade.plan import Cascade as WholeCascade
from streams.errors import PermanentError, TransientError
from streams.scoring.answers import Answerer, Answers
from streams.scoring.cascade import Cascade
from streams.scoring.contract import Scores
from streams.scoring.onnx import OnnxScorer
from streams.scoring.reliability import Reliability

BAG = "bag/1.0+00000000"
#: Vouched for and fitted; vouched for only; fitted only; neither.
LANGUAGES = ("en", "fr", "de", "pl")
WHOLE = Reliability(None, "off")


def measured(threshold: float = 0.3, temperature: float = 1.0) -> Calibration:
    heads = {
        task: HeadCalibration(
            0.35, temperature, {}, {one: Reliance(200, "language", threshold, 0.8, 0.2, vouched=True) for one in ("en", "fr")}
        )
        for task in ("sentiment", "topic")
    }
    return Calibration(BAG, 0.9, 0.5, heads)


class Counting(OnnxScorer):
    """The real scorer; remembers what it was asked, and can fail or speak for another model."""

    def __init__(self, model: Path) -> None:
        # So many that each text runs by itself: the small graph, unlike the real one, rounds by the number of rows.
        super().__init__(model, threads=64)
        self.asked: list[list[str]] = []
        self.fault: Exception | None = None
        self.poison = False
        self.other: str | None = None

    @property
    def model_id(self) -> str:
        return self.other or super().model_id

    async def score(self, texts: Sequence[str]) -> Scores:
        self.asked.append(list(texts))
        if self.fault is not None:
            raise self.fault
        scores = await super().score(texts)
        if self.poison:
            scores.sentiment[0, 0] = np.nan
        return scores


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    made = write_model(tmp_path_factory.mktemp("model") / "bag")
    write_cascade(made)
    return made


@pytest_asyncio.fixture
async def scorer(bag: Artifact) -> AsyncIterator[Counting]:
    opened = Counting(bag.root)
    await opened.open()
    yield opened
    await opened.close()


@pytest_asyncio.fixture
async def cascade(bag: Artifact) -> AsyncIterator[Cascade]:
    opened = Cascade(bag.root)
    await opened.open(BAG)
    yield opened
    await opened.close()


def same(one: Answers, other: Answers, row: int, other_row: int | None = None) -> bool:
    place = row if other_row is None else other_row
    return (
        np.array_equal(one.sentiment[row], other.sentiment[place])
        and np.array_equal(one.topic[row], other.topic[place])
        and one.withheld[row] == other.withheld[place]
    )


async def test_the_encoder_is_asked_only_about_what_is_left(scorer: Counting, cascade: Cascade, bag: Artifact) -> None:
    answers = await Answerer(scorer, WHOLE, cascade).answers([UNSURE, SURE, SURE, UNSURE], ["en"] * 4)
    assert answers.stages == ["encoder", "static", "static", "encoder"]
    assert scorer.asked == [[UNSURE, UNSURE]]
    with WholeCascade(bag) as whole:
        expected = whole.score([UNSURE, SURE])
    for row, text in enumerate((0, 1, 1, 0)):
        assert np.array_equal(answers.sentiment[row], expected.sentiment[text])
        assert np.array_equal(answers.topic[row], expected.topic[text])
    await Answerer(scorer, WHOLE, cascade).answers([SURE], ["en"])
    assert len(scorer.asked) == 1, "nobody is asked about nothing"


async def test_without_a_cascade_there_are_no_stages(scorer: Counting) -> None:
    answers = await Answerer(scorer, WHOLE).answers([SURE, UNSURE], ["en", "en"])
    assert answers.stages is None
    assert scorer.asked == [[SURE, UNSURE]]


@pytest.mark.parametrize(("abstain", "cheap"), [("off", {"en", "de"}), ("languages", {"en"}), ("confidence", {"en"})])
async def test_it_answers_where_it_was_fitted_and_the_encoder_is_vouched_for(
    scorer: Counting, cascade: Cascade, abstain: str, cheap: set[str]
) -> None:
    reliability = Reliability(measured(), abstain)
    answers = await Answerer(scorer, reliability, cascade).answers([SURE] * 4, LANGUAGES)
    assert answers.stages is not None
    assert {language for language, stage in zip(LANGUAGES, answers.stages, strict=True) if stage == "static"} == cheap
    before = await Answerer(scorer, reliability).answers([SURE] * 4, LANGUAGES)
    for row, language in enumerate(LANGUAGES):
        if language not in cheap:
            assert same(answers, before, row), "where nobody asks the cheap stage the answer is the encoder's, unblended"


@given(data=st.data(), abstain=st.sampled_from(["off", "languages", "confidence"]), threshold=st.sampled_from([0.3, 0.5, 0.9]))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_what_is_withheld_is_withheld_on_the_encoders_word_and_no_text_minds_its_neighbours(
    scorer: Counting, cascade: Cascade, data: st.DataObject, abstain: str, threshold: float
) -> None:
    words = st.lists(st.sampled_from(WORDS), min_size=1, max_size=5).map(" ".join)
    pairs = data.draw(st.lists(st.tuples(words, st.sampled_from(LANGUAGES)), min_size=1, max_size=6))
    texts, languages = [text for text, _ in pairs], [language for _, language in pairs]
    reliability = Reliability(measured(threshold, temperature=1.5), abstain)
    answerer = Answerer(scorer, reliability, cascade)
    found = await answerer.answers(texts, languages)
    without = await Answerer(scorer, reliability).answers(texts, languages)
    assert found.stages is not None
    for row, stage in enumerate(found.stages):
        if stage == "encoder":
            assert found.withheld[row] == without.withheld[row]
        else:
            assert found.withheld[row] == ()
            assert min(found.sentiment[row].max(), found.topic[row].max()) >= 0.8
            if abstain == "languages":
                assert without.withheld[row] == (), "in languages that are not vouched for nothing changes"
        alone = await answerer.answers([texts[row]], [languages[row]])
        assert alone.stages == [stage]
        assert same(found, alone, row, 0)
    order = data.draw(st.permutations(range(len(texts))))
    shuffled = await answerer.answers([texts[row] for row in order], [languages[row] for row in order])
    assert all(same(found, shuffled, row, place) for place, row in enumerate(order))


async def test_a_cheap_answer_that_would_be_withheld_goes_to_the_encoder(scorer: Counting, cascade: Cascade) -> None:
    answerer = Answerer(scorer, Reliability(measured(threshold=1.0), "confidence"), cascade)
    answers = await answerer.answers([SURE], ["en"])
    assert answers.stages == ["encoder"]
    assert {one.reason for one in answers.withheld[0]} == {"confidence.low"}
    alone = (await scorer.score([SURE])).sentiment[0]
    assert list(answers.withheld[0][0].probabilities.values()) == pytest.approx(alone.tolist(), abs=1e-4), "the encoder's own, unblended"


async def test_temperatures_are_the_encoders_and_come_before_the_blend(scorer: Counting, cascade: Cascade) -> None:
    hot = Reliability(measured(temperature=3.0), "off")
    answers = await Answerer(scorer, hot, cascade).answers([SURE, UNSURE], ["en", "en"])
    plain = await Answerer(scorer, WHOLE, cascade).answers([SURE, UNSURE], ["en", "en"])
    assert same(answers, plain, 0), "the cheap stage is calibrated for itself"
    encoder = hot.calibrated(await scorer.score([UNSURE]), BAG, ["en"])
    first = (await cascade.hear([UNSURE])).first
    assert answers.sentiment[1] == pytest.approx(0.75 * encoder.sentiment[0] + 0.25 * first.sentiment[0], abs=1e-6)
    assert answers.topic[1] == pytest.approx(0.5 * encoder.topic[0] + 0.5 * first.topic[0], abs=1e-6)


async def test_another_model_on_the_server_answers_everything_by_itself(scorer: Counting, cascade: Cascade) -> None:
    scorer.other = "other/2.0+11111111"
    answers = await Answerer(scorer, WHOLE, cascade).answers([SURE, UNSURE], ["en", "en"])
    assert answers.stages == ["encoder", "encoder"]
    assert np.array_equal(answers.sentiment, (await scorer.score([SURE, UNSURE])).sentiment)


async def test_faults_of_the_encoder_are_the_batchs(scorer: Counting, cascade: Cascade) -> None:
    answerer = Answerer(scorer, WHOLE, cascade)
    scorer.fault = TransientError("away")
    with pytest.raises(TransientError):
        await answerer.answers([SURE, UNSURE], ["en", "en"])
    assert (await answerer.answers([SURE], ["en"])).stages == ["static"], "what it need not be asked does not wait for it"
    scorer.fault, scorer.poison = None, True
    with pytest.raises(PermanentError) as caught:
        await answerer.answers([SURE, UNSURE], ["en", "en"])
    assert caught.value.reason == "score.not_finite"


async def test_an_empty_batch_has_no_answers(scorer: Counting, cascade: Cascade) -> None:
    answers = await Answerer(scorer, WHOLE, cascade).answers([], [])
    assert (len(answers.sentiment), answers.withheld, answers.stages) == (0, [], [])
