from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bag_model import SENTIMENTS, WORDS, old_texts, write_model

from models.adaptation.old_texts import OldText
from models.adaptation.replay import Replay, Space, load_replay
from models.adaptation.replay_making import build_replay
from models.errors import ModelError
from models.training.heads import Head


def silent(step: str, done: int, total: int) -> None:
    """No progress."""


@pytest.fixture
def replay(tmp_path: Path) -> Replay:
    return build_replay(write_model(tmp_path / "bag"), old_texts(200), tmp_path / "cache", silent, dims=len(WORDS))


def test_a_replay_file_is_read_as_it_was_written(replay: Replay, tmp_path: Path) -> None:
    replay.save(tmp_path / "replay.npz")
    found = load_replay(tmp_path / "replay.npz")
    assert (found.model_id, found.digest) == (replay.model_id, replay.digest)
    for name in ("levels", "langs", "sources", "check"):
        np.testing.assert_array_equal(getattr(found, name), getattr(replay, name))
    assert found.answers.keys() == replay.answers.keys()
    np.testing.assert_array_equal(found.answers["topic"], replay.answers["topic"])
    np.testing.assert_array_equal(found.space.basis, replay.space.basis)


def test_the_same_rows_make_the_same_bytes(replay: Replay, tmp_path: Path) -> None:
    assert replay.save(tmp_path / "one.npz") == replay.save(tmp_path / "two.npz")
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def test_no_word_of_a_text_is_in_the_file(replay: Replay, tmp_path: Path) -> None:
    replay.save(tmp_path / "replay.npz")
    with zipfile.ZipFile(tmp_path / "replay.npz") as archive:
        content = b"".join(archive.read(name) for name in archive.namelist())
    for word in SENTIMENTS["positive"]:
        assert word.encode() not in content
        assert word.encode("utf-32-le") not in content


def test_a_changed_row_is_noticed(replay: Replay, tmp_path: Path) -> None:
    replay.save(tmp_path / "replay.npz")
    with np.load(tmp_path / "replay.npz") as stored:
        arrays = dict(stored)
    arrays["levels"][0, 0] += 1
    np.savez(tmp_path / "replay.npz", **arrays)
    with pytest.raises(ModelError, match="damaged"):
        load_replay(tmp_path / "replay.npz")


@pytest.mark.parametrize("content", [b"", b"no archive", None])
def test_what_is_no_replay_file_is_named_with_the_mend(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "replay.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError, match=r"replay\.npz") as caught:
        load_replay(path)
    assert "bellwether models replay" in caught.value.mend


def test_rows_belong_to_one_model(replay: Replay, tmp_path: Path) -> None:
    artifact = write_model(tmp_path / "again")
    replay.belongs_to(artifact)
    with pytest.raises(ModelError, match="replay rows are those of"):
        replay.belongs_to(replace(artifact, sha256={"model.onnx": "0" * 64}))


def test_too_few_old_texts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="5 old texts cannot span 40"):
        build_replay(write_model(tmp_path / "bag"), old_texts(5), tmp_path / "cache", silent, dims=40)


def test_labels_go_with_their_rows(tmp_path: Path) -> None:
    texts = [*old_texts(60), OldText("profit now", "de", "mine", True, {"sentiment": 2})]
    made = build_replay(write_model(tmp_path / "bag"), texts, tmp_path / "cache", silent, dims=len(WORDS))
    assert (made.langs[-1], made.sources[-1], bool(made.check[-1])) == ("de", "mine", True)
    assert (made.answers["sentiment"][-1], made.answers["topic"][-1]) == (2, -1)


def random_space(random: np.random.Generator, dims: int) -> tuple[Space, np.ndarray, Head]:
    features = (random.normal(size=(300, 24)) @ random.normal(size=(24, 24))).astype(np.float32)
    head = Head(random.normal(size=(24, 3)).astype(np.float32), random.normal(size=3).astype(np.float32))
    return Space.of(features, [head], dims), features, head


def test_few_coordinates_give_the_base_head_whole() -> None:
    space, features, head = random_space(np.random.default_rng(0), 6)
    found = space.logits(head, space.coordinates(features))
    assert np.abs(found - head.logits(features)).max() < 0.05 * np.abs(head.logits(features)).max()


def test_a_change_in_the_space_is_the_same_change_on_features() -> None:
    random = np.random.default_rng(1)
    space, features, head = random_space(random, 8)
    matrix, bias = random.normal(size=(8, 5)), random.normal(size=5)
    changed = space.applied(head, matrix, bias)
    expected = space.coordinates(features) @ matrix + bias
    expected[:, :3] += head.logits(features)
    np.testing.assert_allclose(changed.logits(features), expected, rtol=1e-3, atol=1e-3)


def test_stored_coordinates_are_within_half_a_step() -> None:
    space, features, _ = random_space(np.random.default_rng(2), 8)
    gap = np.abs(space.levels(features) * space.steps - space.coordinates(features))
    assert (gap <= 0.51 * space.steps).all()


def test_a_space_too_small_for_the_heads_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot hold heads of 3 classes"):
        random_space(np.random.default_rng(3), 2)
