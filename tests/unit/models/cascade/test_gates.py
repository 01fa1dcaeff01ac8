from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from bag_cascade import SURE, UNSURE, write_cascade
from bag_model import SENTIMENTS, TOPICS, WORDS, write_model
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.artifact import Artifact
from models.cascade.gates import ENCODER, Gates
from models.cascade.plan import PLAN, Cascade, Temperatures
from models.errors import ModelError
from models.inference import Encoder, Scores, TextTokenizer


@pytest.fixture
def artifact(tmp_path: Path) -> Artifact:
    made = write_model(tmp_path / "bag")
    write_cascade(made)
    return made


def rows(scores: Scores, chosen: object) -> Scores:
    return Scores(*(part[chosen] for part in scores))


def test_who_is_sure_answers_and_the_rest_is_left(artifact: Artifact) -> None:
    with Gates(artifact) as gates:
        asked = gates.ask([SURE, UNSURE, "profit again", "crash bank"])
        assert gates.names == ("static", ENCODER)
    assert asked.stage.tolist() == [0, 1, 1, 1], "tone and topic must both be sure"
    assert asked.scores.sentiment[0].argmax() == list(SENTIMENTS).index("positive")
    assert asked.scores.topic[0].argmax() == list(TOPICS).index("economy")
    assert not asked.scores.sentiment[1:].any()
    assert asked.first.sentiment[1] == pytest.approx([1 / 3] * 3)


@pytest.mark.parametrize("temperatures", [(), ((0.7, 1.3), (0.8, 1.0))])
@given(texts=st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=5).map(" ".join), max_size=6))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_with_the_encoder_behind_them_they_are_the_cascade(artifact: Artifact, temperatures: Temperatures, texts: list[str]) -> None:
    write_cascade(artifact, temperatures=temperatures)
    with Gates(artifact) as gates, Encoder(artifact) as encoder, Cascade(artifact) as cascade:
        asked = gates.ask(texts)
        left = np.flatnonzero(asked.stage == len(gates.names) - 1)
        last = gates.blended(encoder.score([texts[row] for row in left]), rows(asked.first, left))
        whole = cascade.staged(texts)
    assert asked.stage.tolist() == whole.stage.tolist()
    answered = np.flatnonzero(asked.stage < len(gates.names) - 1)
    for found, part, expected in zip(asked.scores, last, whole.scores, strict=True):
        assert np.array_equal(found[answered], expected[answered])
        assert np.array_equal(part, expected[left])


def test_a_text_says_the_same_alone_and_in_company(artifact: Artifact) -> None:
    texts = [SURE, UNSURE, "loss match", "win", "report doctor today"] * 30
    with Gates(artifact) as gates:
        together = gates.ask(texts)
        for row in range(5):
            alone = gates.ask([texts[row]])
            assert alone.stage[0] == together.stage[row]
            for one, many in zip((*alone.scores, *alone.first), (*together.scores, *together.first), strict=True):
                assert np.array_equal(one[0], many[row])


def test_a_plan_without_stages_leaves_everything_to_the_encoder(artifact: Artifact) -> None:
    content = json.loads((artifact.root / PLAN).read_text(encoding="utf-8"))
    (artifact.root / PLAN).write_text(json.dumps({**content, "stages": []}), encoding="utf-8")
    with Gates(artifact) as gates, Encoder(artifact) as encoder:
        asked = gates.ask([SURE, UNSURE])
        scores = encoder.score([SURE, UNSURE])
        assert asked.stage.tolist() == [0, 0]
        assert gates.names == (ENCODER,)
        assert gates.blended(scores, asked.first) is scores


def test_the_graph_is_not_opened_and_the_languages_are_the_plans(artifact: Artifact, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.inference.onnxruntime.InferenceSession", None)
    with Gates(artifact) as gates:
        assert gates.ask([SURE]).stage.tolist() == [0]
        assert gates.plan.languages == ("de", "en")


def test_temperatures_change_what_is_given_and_neither_who_is_sure_nor_a_label(artifact: Artifact) -> None:
    texts = [SURE, UNSURE, "loss match"]
    with Gates(artifact) as gates:
        plain = gates.ask(texts)
    write_cascade(artifact, temperatures=((5.0, 1.0), (1.0, 1.0)))
    with Gates(artifact) as gates:
        cooled = gates.ask(texts)
    assert cooled.stage.tolist() == plain.stage.tolist()
    assert np.array_equal(cooled.first.sentiment, plain.first.sentiment), "the blend takes what the stage says"
    answered = np.flatnonzero(plain.stage == 0)
    assert (cooled.scores.sentiment[answered].max(axis=1) < plain.scores.sentiment[answered].max(axis=1)).all()
    assert (cooled.scores.sentiment[answered].argmax(axis=1) == plain.scores.sentiment[answered].argmax(axis=1)).all()
    assert np.array_equal(cooled.scores.topic, plain.scores.topic)


@pytest.mark.parametrize("temperatures", [[[1.0, 1.0]], [[1.0, 1.0], [0.0, 1.0]], [[1.0], [1.0]], "hot"])
def test_temperatures_that_are_none_are_refused(artifact: Artifact, temperatures: object) -> None:
    content = json.loads((artifact.root / PLAN).read_text(encoding="utf-8"))
    (artifact.root / PLAN).write_text(json.dumps({**content, "temperatures": temperatures}), encoding="utf-8")
    with pytest.raises(ModelError, match="no plan of a cascade"):
        Gates(artifact)


def test_a_damaged_tokenizer_and_another_models_plan_are_refused(artifact: Artifact) -> None:
    write_cascade(artifact, model_id="other/2+0000")
    with pytest.raises(ModelError, match="was fitted to other/2"):
        Gates(artifact)
    write_cascade(artifact)
    tokenizer = artifact.tokenizer_path.read_text(encoding="utf-8")
    artifact.tokenizer_path.write_text(tokenizer.replace('"profit"', '"prophet"'), encoding="utf-8")
    with pytest.raises(ModelError, match=r"tokenizer\.json is damaged"):
        Gates(artifact)


def test_texts_are_read_as_the_encoder_reads_them(artifact: Artifact) -> None:
    texts = [SURE, "  profit\tbank ", "bank " * 40, "unheard-of"]
    alone = TextTokenizer(artifact.tokenizer_path, max_length=artifact.max_length, prefix=artifact.prefix)
    with Encoder(artifact) as encoder:
        assert alone.tokenize(texts) == encoder.tokenize(texts)
    with pytest.raises(UnicodeEncodeError):
        alone.tokenize(["bad \udfff"])
