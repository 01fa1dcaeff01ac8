from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from models.artifact import Artifact
from models.encoder.padding import PaddedTokenizer
from models.errors import ModelError

WORDS = st.lists(st.sampled_from(["bank", "profit", "loss", "zebra", "x"]), max_size=30).map(" ".join)


@pytest.fixture
def artifact(small_tokenizer: Path) -> Artifact:
    empty = MappingProxyType[str, str]({})
    return Artifact(small_tokenizer.parent, "small/1", (), (), 20, "", empty, MappingProxyType({}), ())


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(WORDS, max_size=12), multiple=st.sampled_from([1, 4, 16]), rows=st.integers(1, 5))
def test_every_text_comes_once_padded_and_masked(artifact: Artifact, texts: list[str], multiple: int, rows: int) -> None:
    plain = Tokenizer.from_file(str(artifact.tokenizer_path))
    plain.enable_truncation(20)
    seen: list[int] = []
    for batch in PaddedTokenizer(artifact, multiple=multiple, rows=rows).batches(texts):
        assert batch.input_ids.shape == batch.attention_mask.shape
        assert 1 <= len(batch.rows) <= rows
        assert batch.input_ids.shape[1] % multiple == 0
        for line, row in enumerate(batch.rows.tolist()):
            ids = plain.encode(texts[row]).ids
            assert batch.input_ids[line, : len(ids)].tolist() == ids
            assert batch.attention_mask[line].tolist() == [1] * len(ids) + [0] * (batch.input_ids.shape[1] - len(ids))
            assert len(ids) > batch.input_ids.shape[1] - multiple
            assert set(batch.input_ids[line, len(ids) :].tolist()) <= {plain.token_to_id("<pad>")}
        seen += batch.rows.tolist()
    assert sorted(seen) == list(range(len(texts)))


def test_a_tokenizer_without_padding_is_refused(artifact: Artifact) -> None:
    path = artifact.tokenizer_path
    path.write_text(path.read_text(encoding="utf-8").replace("<pad>", "<gap>"), encoding="utf-8")
    with pytest.raises(ModelError, match="no token <pad>"):
        PaddedTokenizer(artifact)
