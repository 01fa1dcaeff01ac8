"""Adapters on a small encoder, from a file of labels to a model folder, and what is refused on the way."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from small_encoder import EVENTS, FILLERS, THEMES, TONES, small_training, write_encoder, write_text
from typer.testing import CliRunner

from models.adaptation.adapters import AdaptedNetwork
from models.adaptation.encoder_adapting import EncoderAdaptation, adapt_encoder
from models.adaptation.graph import ServedModel
from models.adaptation.labels import Labelled, Labels
from models.adaptation.lower_layers import lower_layers
from models.adaptation.old_texts import OldText
from models.adaptation.replay import REPLAY_FILE, load_replay
from models.adaptation.replay_making import compute_features
from models.adaptation.tuning import Tuning
from models.adaptation.upper_graph import UpperGraph
from models.artifact import Artifact, load_artifact
from models.cli import app
from models.data import LABELS
from models.encoder.restoration import restore
from models.errors import ModelError
from models.inference import Encoder
from models.training.finetuned import fine_tune

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")
pytest.importorskip("onnx", reason="the extra 'train' is not installed")
pytest.importorskip("safetensors", reason="the extra 'train' is not installed")

#: Words of a new class, which the base model has met as finance.
DEALS = EVENTS["acq"]
ECONOMY = "economy, business and finance"
TUNING = Tuning(rate=2e-3, threads=1)


def quiet(_step: str, _done: int, _total: int) -> None:
    """A progress nobody watches."""


def sentence(chance: random.Random, words: Sequence[str]) -> str:
    chosen = [chance.choice(FILLERS), chance.choice(list(words)), *(chance.choice(FILLERS) for _ in range(3))]
    chance.shuffle(chosen)
    return " ".join(chosen)


def labelled(groups: Mapping[str, Sequence[str]], count: int, seed: int = 1) -> Labels:
    chance = random.Random(seed)
    texts: dict[str, str] = {}
    while len(texts) < count * len(groups):
        label = list(groups)[len(texts) % len(groups)]
        texts.setdefault(sentence(chance, groups[label]), label)
    return Labels([Labelled(text, label, "en") for text, label in texts.items()], 0, f"{seed:064x}")


def old_texts(count: int) -> list[OldText]:
    """Texts with a word of a sentiment or of a theme, in two languages."""
    chance = random.Random(5)
    topics = [LABELS["topic"].index("sport"), LABELS["topic"].index(ECONOMY)]
    made: dict[str, OldText] = {}
    while len(made) < count:
        number = len(made)
        if number % 2:
            place = chance.randrange(3)
            text, answers = sentence(chance, list(TONES.values())[place]), {"sentiment": place}
        else:
            place = chance.randrange(2)
            text, answers = sentence(chance, list(THEMES.values())[place]), {"topic": topics[place]}
        made.setdefault(text, OldText(text, ("en", "es")[number // 2 % 2], "old", number % 3 != 0, answers))
    return list(made.values())


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("adapting")
    write_encoder(root / "encoder", layers=3)
    write_text(root / "data", events=True)
    return root


@pytest.fixture(scope="module")
def base(place: Path) -> Artifact:
    chosen = small_training(place / "encoder", steps=60)
    made, _ = fine_tune(place / "data", place / "base", place / "cache", place / "run", chosen, quiet)
    return made


@pytest.fixture(scope="module")
def given() -> Labels:
    return labelled({"deals": DEALS, "sport": THEMES["Deportes"]}, 20)


@pytest.fixture(scope="module")
def done(place: Path, base: Artifact, given: Labels) -> EncoderAdaptation:
    old, within = old_texts(2_400), {"deals": ECONOMY}
    return adapt_encoder(base, given, "topic", place / "desk", old, place / "cache", quiet, within=within, chosen=TUNING)


def test_a_new_topic_is_learnt_and_the_old_answers_are_kept(done: EncoderAdaptation, base: Artifact) -> None:
    assert done.new == ["deals"]
    assert done.held["accuracy"].after > 90 > done.held["accuracy"].before
    assert set(done.decays) == {"topic", "sentiment", "event"}
    assert next(iter(done.decays)) == "topic"
    assert all(decay.complaint is None for decay in done.decays.values())
    assert done.drawn == ("event",), "no old text bears a label of this head"
    made = load_artifact(done.artifact.root)
    made.verify()
    with Encoder(made, threads=1) as after, Encoder(base, threads=1) as before:
        texts = ["soon merger then today", "football again there now", "now loss then again"]
        scores = after.score(texts)
        assert [made.topic_labels[place] for place in scores.topic.argmax(1)[:2]] == ["deals", "sport"]
        assert not np.array_equal(scores.embedding, before.score(texts).embedding), "layers have moved, not only a head"
        assert LABELS["sentiment"][scores.sentiment[2].argmax()] == "negative"


def test_the_folder_is_whole_and_says_what_was_done(done: EncoderAdaptation, base: Artifact, given: Labels) -> None:
    root = done.artifact.root
    config = json.loads((root / "config.json").read_text())
    assert config["made_from"]["base"] == base.model_id
    assert config["made_from"]["sha256:labels"] == given.digest
    assert config["within"] == {"topic": {"deals": ECONOMY}}
    record = json.loads((root / "training.json").read_text())["adaptations"][-1]
    assert record["method"] == "lora"
    assert record["setting"]["share"] in (1.0, 0.5, 0.25)
    assert record["held_out_loss"][f"{done.trial.steps} steps"] < record["held_out_loss"]["head alone"]
    assert set(record["old_texts_of_other_heads"]) == {"sentiment", "event"}
    assert "upper layers have moved" in (root / "README.md").read_text()
    replay = load_replay(root / REPLAY_FILE)
    replay.belongs_to(done.artifact)
    assert len(replay) == 2_400 + len(given.rows)
    assert not list(root.parent.glob(".desk*"))


def test_what_no_adapter_touches_stays_to_the_bit(done: EncoderAdaptation, base: Artifact) -> None:
    ours, theirs = restore(done.artifact), restore(base)
    moved = {name for name, values in ours.encoder.tensors.items() if not np.array_equal(values, theirs.encoder.tensors[name])}
    assert moved
    assert all(name.startswith(("encoder.layer.1.", "encoder.layer.2.")) and name.endswith(".weight") for name in moved)
    for name in ("sentiment", "event"):
        assert np.array_equal(ours.heads[name].weights, theirs.heads[name].weights)


def test_the_same_labels_make_the_same_model(done: EncoderAdaptation, place: Path, base: Artifact, given: Labels) -> None:
    old, within = old_texts(2_400), {"deals": ECONOMY}
    again = adapt_encoder(base, given, "topic", place / "again", old, place / "other-cache", quiet, within=within, chosen=TUNING)
    assert again.artifact.sha256 == done.artifact.sha256
    assert again.held == done.held


def test_an_adapted_model_goes_on_from_where_it_is(done: EncoderAdaptation, place: Path) -> None:
    """By its heads, on the replay rows that were made anew."""
    path = place / "more.jsonl"
    rows = labelled({"earnings": EVENTS["earn"], "sport": THEMES["Deportes"]}, 20, seed=3).rows
    path.write_text("".join(json.dumps({"text": row.text, "label": row.label}) + "\n" for row in rows))
    command = ["adapt", "--labels", path, "--out", place / "more", "--artifact", done.artifact.root, "--cache", place / "cache"]
    told = CliRunner().invoke(app, [*map(str, command), "--within", f"earnings={ECONOMY}"])
    assert told.exit_code == 0, told.output
    assert load_artifact(place / "more").topic_labels[-2:] == ("deals", "earnings")


def test_the_upper_graph_answers_as_the_whole_one(place: Path, base: Artifact) -> None:
    restored, texts = restore(base), [one.text for one in old_texts(60)]
    whole = compute_features(base, ServedModel(base.onnx_path), texts, place / "whole", "texts", quiet)
    for frozen in (1, 2):
        with lower_layers(base, restored, frozen, place / f"upper-{frozen}") as lower:
            lower.fill(texts, quiet)
            assert lower.pooled == ((1,) if frozen == 2 else ())
            found = UpperGraph(restored.encoder, restored.layers, lower).features(texts, "texts", quiet)
        np.testing.assert_allclose(found.astype(np.float32), whole.astype(np.float32), atol=0.03)


def test_a_network_begins_as_the_graph_it_was_read_from(place: Path, base: Artifact) -> None:
    restored = restore(base)
    network = AdaptedNetwork(restored, 2, {name: len(head.bias) for name, head in restored.heads.items()}, 4, seed=1)
    for name, values in network.tensors(network.parameters).items():
        assert np.array_equal(values, restored.encoder.tensors[name]), name
    with lower_layers(base, restored, 2, place / "begin") as lower:
        texts = [one.text for one in old_texts(20)]
        lower.fill(texts, quiet)
        served = UpperGraph(restored.encoder, restored.layers, lower).features(texts, "texts", quiet)
        with torch.no_grad():
            ours = network.all_features(*lower.get(texts)).numpy()
    assert np.abs(ours - served).mean() < 0.02 * np.abs(served).mean()


def test_a_language_that_would_decay_is_named_and_nothing_is_written(place: Path, base: Artifact, given: Labels) -> None:
    """In French the words of the new class are everyday words of an old one, and none of these texts holds the model."""
    chance = random.Random(2)
    french = {sentence(chance, DEALS): LABELS["topic"].index(ECONOMY) for _ in range(900)}
    old = [*old_texts(1_200), *(OldText(text, "fr", "old", True, {"topic": topic}) for text, topic in french.items())]
    with pytest.raises(ModelError, match=r"refused: the old languages would decay, .*topic: fr by \d+\.\d points") as caught:
        adapt_encoder(base, given, "topic", place / "french", old, place / "cache", quiet, chosen=TUNING)
    assert "--method heads" in caught.value.mend
    assert not (place / "french").exists()


def run(place: Path, base: Artifact, *arguments: object) -> tuple[int, str]:
    path = place / "desk.jsonl"
    rows = labelled({"deals": DEALS, "sport": THEMES["Deportes"]}, 20).rows
    path.write_text("".join(json.dumps({"text": row.text, "label": row.label, "lang": "en"}) + "\n" for row in rows))
    common = ["adapt", "--labels", path, "--artifact", base.root, "--cache", place / "cache", "--method", "lora", *arguments]
    told = CliRunner().invoke(app, list(map(str, common)))
    return told.exit_code, told.output


def test_without_old_text_it_says_what_is_needed_and_why(place: Path, base: Artifact) -> None:
    for arguments, message in (((), "it needs old text"), (("--replay", place / "absent"), "no old text at")):
        code, said = run(place, base, "--out", place / "none", *arguments)
        assert code == 1
        assert message in said
        assert "--replay FILE.jsonl" in said
    few = place / "few.jsonl"
    few.write_text('{"text": "market today", "lang": "en"}\n')
    code, said = run(place, base, "--out", place / "none", "--replay", few)
    assert code == 1
    assert "fewer than 160 say nothing" in said
    assert not (place / "none").exists()
