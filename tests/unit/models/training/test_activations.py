from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.encoder.trimmed import Encoder
from models.encoder.vocabulary import Vocabulary
from models.inference import Runner
from models.training.activations import ActivationStore, states_model

pytest.importorskip("onnx", reason="the extra 'train' is not installed")

TEXTS = ["bank profit", "market fall fall", "a", "good", "bad loss"]


@pytest.fixture
def runner(small_tensors: dict[str, np.ndarray], small_config: dict[str, Any], small_tokenizer: Path, tmp_path: Path) -> Iterator[Runner]:
    encoder = Encoder(small_tensors, small_config, Vocabulary(np.arange(90), 1.0), small_tokenizer)
    states_model(encoder, 2, tmp_path / "states.onnx")
    with Runner(tmp_path / "states.onnx", small_tokenizer, max_length=12) as made:
        yield made


def direct(runner: Runner, text: str) -> np.ndarray:
    ((_, (states,)),) = runner.results([text], ["states"])
    return np.asarray(states[0])


def test_states_are_those_of_the_graph_and_zero_behind_the_end(runner: Runner, tmp_path: Path) -> None:
    with ActivationStore(tmp_path / "kept", runner, 64) as store:
        assert store.fill([*TEXTS, "good"]) == len(TEXTS)
        states, lengths = store.get(["good", "market fall fall"])
        assert lengths.tolist() == store.lengths(["good", "market fall fall"]).tolist() == [3, 5]
        for row, text in enumerate(["good", "market fall fall"]):
            assert states[row, : lengths[row]] == pytest.approx(direct(runner, text), rel=1e-3, abs=1e-3)
        assert not states[0, 3:].any()


def test_what_is_stored_is_not_computed_again(runner: Runner, tmp_path: Path) -> None:
    with ActivationStore(tmp_path / "kept", runner, 64) as store:
        store.fill(TEXTS[:3])
        before = store.get(TEXTS[:3]).states
    with ActivationStore(tmp_path / "kept", runner, 64) as again:
        assert "good" not in again
        assert again.fill(TEXTS) == 2
        assert np.array_equal(again.get(TEXTS[:3]).states, before)


@pytest.mark.parametrize(("name", "lost"), [("states.bin", 1), ("index.bin", 1), ("states.bin", 10_000), ("index.bin", 32 * 5)])
def test_a_torn_end_is_cut_off_and_computed_again(runner: Runner, tmp_path: Path, name: str, lost: int) -> None:
    with ActivationStore(tmp_path / "kept", runner, 64) as store:
        store.fill(TEXTS)
        whole = store.get(TEXTS)
    path = tmp_path / "kept" / name
    path.write_bytes(path.read_bytes()[:-lost])
    with ActivationStore(tmp_path / "kept", runner, 64) as mended:
        assert mended.fill(TEXTS) >= 1
        states, lengths = mended.get(TEXTS)
        assert np.array_equal(states, whole.states)
        assert np.array_equal(lengths, whole.lengths)


def test_a_text_that_was_not_filled_is_a_key_error(runner: Runner, tmp_path: Path) -> None:
    with ActivationStore(tmp_path / "kept", runner, 64) as store, pytest.raises(KeyError):
        store.get(["never seen"])
