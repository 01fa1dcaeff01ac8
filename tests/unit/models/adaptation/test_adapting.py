from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
from bag_model import SENTIMENTS, TOPICS, WORDS, old_texts, sentence, write_model

from models.adaptation.adapting import Adaptation, adapt
from models.adaptation.labels import Labelled, Labels
from models.adaptation.old_texts import OldText
from models.adaptation.replay import REPLAY_FILE, Replay, load_replay
from models.adaptation.replay_making import build_replay
from models.adaptation.writing import earlier_within
from models.artifact import CALIBRATION, Artifact, load_artifact
from models.encoder.pretrained import file_sha256
from models.errors import ModelError
from models.inference import Encoder

RATES = ["rate", "hike"]


def silent(step: str, done: int, total: int) -> None:
    """No progress."""


def labels(groups: dict[str, list[str]], count: int, seed: int = 1) -> Labels:
    chance = random.Random(seed)
    texts: dict[str, str] = {}
    while len(texts) < count * len(groups):
        label = list(groups)[len(texts) % len(groups)]
        texts.setdefault(sentence(chance, groups[label]), label)
    return Labels([Labelled(text, label, "en") for text, label in texts.items()], 0, f"{seed:064x}")


@pytest.fixture
def base(tmp_path: Path) -> Artifact:
    return write_model(tmp_path / "bag")


@pytest.fixture
def replay(base: Artifact, tmp_path: Path) -> Replay:
    return build_replay(base, old_texts(2_800), tmp_path / "cache", silent, dims=len(WORDS))


def run(base: Artifact, replay: Replay, given: Labels, task: str, out: Path, **options: dict[str, str]) -> Adaptation:
    return adapt(base, given, task, out, replay, out.parent / "cache", silent, **options)


def test_a_new_topic_is_learnt_from_twenty_texts_and_the_old_ones_are_kept(base: Artifact, replay: Replay, tmp_path: Path) -> None:
    done = run(base, replay, labels({"central banks": RATES, "sport": TOPICS["sport"]}, 20), "topic", tmp_path / "desk")
    made = load_artifact(tmp_path / "desk")
    assert made == done.artifact
    assert made.topic_labels == ("economy", "health", "sport", "central banks")
    assert done.new == ["central banks"]
    assert done.held["accuracy"].after > 90 > 60 > done.held["accuracy"].before
    assert done.held["accuracy"].low > 0
    assert abs(done.outcome.decay.whole.after - done.outcome.decay.whole.before) < 0.5
    with Encoder(base, threads=1) as before, Encoder(made, threads=1) as after:
        fresh = ["rate now then today report", "doctor then now again win", "market now soon again loss", "match today there profit"]
        assert [made.topic_labels[place] for place in after.score(fresh).topic.argmax(1)] == ["central banks", "health", "economy", "sport"]
        np.testing.assert_array_equal(after.score(fresh).sentiment, before.score(fresh).sentiment)
        np.testing.assert_array_equal(after.score(fresh).embedding, before.score(fresh).embedding)


def test_the_new_folder_says_where_it_comes_from(base: Artifact, replay: Replay, tmp_path: Path) -> None:
    given = labels({"central banks": RATES, "sport": TOPICS["sport"]}, 12)
    done = run(base, replay, given, "topic", tmp_path / "desk")
    config = json.loads((tmp_path / "desk" / "config.json").read_text())
    assert done.artifact.model_id == f"desk/1.0-{base.sha256['model.onnx'][:8]}+{done.artifact.sha256['model.onnx'][:8]}"
    assert config["made_from"]["base"] == base.model_id
    assert config["made_from"]["sha256:labels"] == given.digest
    record = json.loads((tmp_path / "desk" / "training.json").read_text())["adaptations"][-1]
    assert record["rows"] == 24
    assert record["held_out"]["accuracy"]["after"] > record["held_out"]["accuracy"]["before"]
    card = (tmp_path / "desk" / "README.md").read_text()
    assert "New: central banks." in card
    assert base.model_id in card


def test_a_sentiment_domain_with_words_of_its_own(base: Artifact, replay: Replay, tmp_path: Path) -> None:
    tones = {"positive": ["bullish", "win"], "negative": ["bearish", "loss"]}
    done = run(base, replay, labels(tones, 30), "sentiment", tmp_path / "desk")
    assert done.new == []
    assert done.held["macro_f1"].after > done.held["macro_f1"].before + 10
    with Encoder(done.artifact, threads=1) as encoder:
        scores = encoder.score(["bullish then now", "bearish then now", "report soon now"]).sentiment
    assert [list(SENTIMENTS)[place] for place in scores.argmax(1)] == ["positive", "negative", "neutral"]


def test_labels_that_would_turn_the_model_round_are_refused_and_nothing_is_written(base: Artifact, tmp_path: Path) -> None:
    """What the labels call positive the old texts call negative, as the base head does by a narrow margin: the strongest pull moves it."""
    chance = random.Random(3)
    narrow = [OldText(sentence(chance, RATES), "en", "bag", True, {"sentiment": 0, "topic": 0}) for _ in range(600)]
    replay = build_replay(base, [*old_texts(2_800), *narrow], tmp_path / "cache", silent, dims=len(WORDS))
    turned = {"positive": RATES, "negative": SENTIMENTS["positive"], "neutral": SENTIMENTS["neutral"]}
    # The fit is not held by the old texts that it is measured on: what stands for them among the held ones is left out.
    blind = Replay(**{**vars(replay), "levels": np.where(replay.check[:, None], replay.levels, 0).astype(np.int8)})
    before = {path.name for path in tmp_path.iterdir()}
    with pytest.raises(ModelError, match="refused: the old languages would decay") as caught:
        run(base, blind, labels(turned, 60), "sentiment", tmp_path / "desk")
    assert "--within" in caught.value.mend
    assert {path.name for path in tmp_path.iterdir()} == before


def test_one_language_alone_is_enough_to_refuse(base: Artifact, tmp_path: Path) -> None:
    """In French the word for a new topic is an everyday word of an old one: the other languages cannot outvote it."""
    chance = random.Random(2)
    french = [OldText(sentence(chance, RATES), "fr", "bag", True, {"topic": 0, "sentiment": 1}) for _ in range(600)]
    others = [one for one in old_texts(4_000) if one.lang != "fr"]
    replay = build_replay(base, [*others, *french], tmp_path / "cache", silent, dims=len(WORDS))
    given = labels({"central banks": RATES, "sport": TOPICS["sport"]}, 20)
    with pytest.raises(ModelError, match=r"fr by \d+\.\d points \(600 rows\)"):
        run(base, replay, given, "topic", tmp_path / "desk")
    done = run(base, replay, given, "topic", tmp_path / "inside", within={"central banks": "economy"})
    assert done.new == ["central banks"], "what goes to a part of the right class is no loss"


def test_an_adapted_model_can_be_adapted_again_and_remembers_both(base: Artifact, replay: Replay, tmp_path: Path) -> None:
    first = run(
        base,
        replay,
        labels({"central banks": RATES, "sport": TOPICS["sport"]}, 40),
        "topic",
        tmp_path / "one",
        within={"central banks": "economy"},
    ).artifact
    assert earlier_within(first, "topic") == {"central banks": "economy"}
    kept = load_replay(first.root / REPLAY_FILE)
    assert len(kept) == len(replay) + 80
    oil = labels({"oil": ["pipeline", "barrel"], "sport": TOPICS["sport"]}, 30, seed=2)
    second = run(first, kept, oil, "topic", tmp_path / "two", within={"oil": "economy"}).artifact
    assert second.topic_labels == (*TOPICS, "central banks", "oil")
    assert earlier_within(second, "topic") == {"central banks": "economy", "oil": "economy"}
    with Encoder(second, threads=1) as encoder:
        found = encoder.score(["now hike then soon", "barrel then now", "bank now then loss again"]).topic.argmax(1)
    assert [second.topic_labels[place] for place in found] == ["central banks", "oil", "economy"]


def test_labels_that_teach_nothing_are_refused(base: Artifact, replay: Replay, tmp_path: Path) -> None:
    """The base head knows these words as well as can be: there is nothing to gain."""
    with pytest.raises(ModelError, match="refused: on held-out labels the adapted head is no better"):
        run(
            base,
            replay,
            labels({"positive": SENTIMENTS["positive"], "negative": SENTIMENTS["negative"]}, 20),
            "sentiment",
            tmp_path / "desk",
        )
    assert not (tmp_path / "desk").exists()


def test_replay_rows_of_another_model_are_refused(base: Artifact, replay: Replay, tmp_path: Path) -> None:
    other = Replay(**{**vars(replay), "digest": "0" * 64, "model_id": "other/1.0+00000000"})
    with pytest.raises(ModelError, match=r"the replay rows are those of other/1\.0"):
        run(base, other, labels({"a": RATES, "b": ["barrel"]}, 10), "topic", tmp_path / "desk")


def test_a_folder_that_is_there_is_left_alone(base: Artifact, replay: Replay, tmp_path: Path) -> None:
    (tmp_path / "desk").mkdir()
    (tmp_path / "desk" / "mine.txt").write_text("mine")
    with pytest.raises(ModelError, match="is there already"):
        run(base, replay, labels({"a": RATES, "b": ["barrel"]}, 10), "topic", tmp_path / "desk")
    assert [path.name for path in (tmp_path / "desk").iterdir()] == ["mine.txt"]


def test_a_head_that_the_model_lacks_is_named(base: Artifact, replay: Replay, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no head for event"):
        run(base, replay, labels({"a": RATES, "b": ["barrel"]}, 10), "event", tmp_path / "desk")


def test_a_calibration_by_language_goes_along_under_the_new_name(base: Artifact, replay: Replay, tmp_path: Path) -> None:
    record = {"model_id": base.model_id, "sureness": 0.9, "least_coverage": 0.1, "heads": {}}
    (base.root / CALIBRATION).write_text(json.dumps(record))
    config = json.loads((base.root / "config.json").read_text())
    config["sha256"][CALIBRATION] = file_sha256(base.root / CALIBRATION)
    (base.root / "config.json").write_text(json.dumps(config))
    given = labels({"central banks": RATES, "sport": TOPICS["sport"]}, 12)
    done = run(load_artifact(base.root), replay, given, "topic", tmp_path / "desk")
    with Encoder(done.artifact, threads=1) as encoder:
        assert encoder.calibration is not None
        assert encoder.calibration.model_id == done.artifact.model_id
