from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.encoder.graph import EncoderGraph
from models.inference import Runner
from models.training.embedding import CHUNK, FeatureCache

pytest.importorskip("onnx", reason="the extra 'train' is not installed")

TEXTS = ["bank profit rise", "market loss", "good", "bad fall market bank"]


@pytest.fixture
def runner(tmp_path: Path, small_tokenizer: Path, small_tensors: dict[str, np.ndarray], small_config: dict[str, Any]) -> Iterator[Runner]:
    graph = EncoderGraph(small_tensors, small_config)
    graph.features((2, 3))
    graph.output("features", ["batch", 2 * graph.hidden])
    (tmp_path / "features.onnx").write_bytes(graph.model().SerializeToString())
    with Runner(tmp_path / "features.onnx", small_tokenizer, max_length=24, threads=1) as made:
        yield made


def fill(cache: FeatureCache, runner: Runner, texts: list[str]) -> list[int]:
    done: list[int] = []
    cache.fill(runner, "umsab", texts, done.append)
    return done


def test_features_come_back_in_the_order_asked(tmp_path: Path, runner: Runner) -> None:
    cache = FeatureCache(tmp_path / "cache", "encoder-one")
    fill(cache, runner, TEXTS)
    forward, backward = cache.get("umsab", TEXTS), cache.get("umsab", TEXTS[::-1])
    assert forward.dtype == np.float16
    assert forward.shape == (4, 128)
    assert np.array_equal(forward[::-1], backward)
    (_, (direct,)) = next(iter(runner.results(TEXTS[:1], ["features"])))
    assert forward[0] == pytest.approx(direct[0].astype(np.float16), abs=1e-3)


def test_only_what_is_missing_is_computed(tmp_path: Path, runner: Runner) -> None:
    cache = FeatureCache(tmp_path / "cache", "encoder-one")
    assert sum(fill(cache, runner, TEXTS[:2])) == 2
    files = set((tmp_path / "cache").rglob("*.npz"))
    assert cache.missing("umsab", TEXTS) == TEXTS[2:]
    assert fill(cache, runner, TEXTS) == [2, 2]
    assert len(set((tmp_path / "cache").rglob("*.npz")) - files) == 1
    assert fill(cache, runner, TEXTS) == [4]


def test_a_damaged_file_is_computed_again(tmp_path: Path, runner: Runner) -> None:
    cache = FeatureCache(tmp_path / "cache", "encoder-one")
    fill(cache, runner, TEXTS)
    before = cache.get("umsab", TEXTS)
    (file,) = (tmp_path / "cache").rglob("*.npz")
    file.write_bytes(file.read_bytes()[:100])
    assert cache.missing("umsab", TEXTS) == TEXTS
    fill(cache, runner, TEXTS)
    assert np.array_equal(cache.get("umsab", TEXTS), before)


def test_an_unfinished_file_is_not_taken(tmp_path: Path, runner: Runner) -> None:
    cache = FeatureCache(tmp_path / "cache", "encoder-one")
    fill(cache, runner, TEXTS[:1])
    (next(iter((tmp_path / "cache").rglob("*.npz"))).parent / ".1.partial").write_bytes(b"half")
    assert cache.missing("umsab", TEXTS) == TEXTS[1:]


def test_another_encoder_and_another_set_share_nothing(tmp_path: Path, runner: Runner) -> None:
    fill(FeatureCache(tmp_path / "cache", "encoder-one"), runner, TEXTS)
    assert FeatureCache(tmp_path / "cache", "encoder-two").missing("umsab", TEXTS) == TEXTS
    assert FeatureCache(tmp_path / "cache", "encoder-one").missing("sentfin", TEXTS) == TEXTS


def test_a_text_that_is_not_stored_is_a_key_error(tmp_path: Path, runner: Runner) -> None:
    cache = FeatureCache(tmp_path / "cache", "encoder-one")
    fill(cache, runner, TEXTS[:1])
    with pytest.raises(KeyError):
        cache.get("umsab", TEXTS)


def test_long_lists_are_stored_in_several_files(tmp_path: Path, runner: Runner) -> None:
    texts = [f"bank {'ab' * (number % 5)} {number}" for number in range(CHUNK + 3)]
    cache = FeatureCache(tmp_path / "cache", "encoder-one")
    assert fill(cache, runner, texts)[1:] == [CHUNK, 3]
    assert len(list((tmp_path / "cache").rglob("*.npz"))) == 2
    assert cache.get("umsab", texts).shape == (CHUNK + 3, 128)
