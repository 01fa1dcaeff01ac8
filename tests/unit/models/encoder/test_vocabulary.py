from __future__ import annotations

import json
import math
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from models.data import read_rows
from models.encoder.pretrained import package_sources
from models.encoder.vocabulary import count_pieces, piece_weights, trim_vocabulary, write_tokenizer
from models.errors import ModelError

TEXTS = [("en", text) for text in ("bank profit", "bank profit rise", "bank loss", "market fall")] * 5


def trimmed(source: Path, size: int) -> tuple[Path, list[int]]:
    vocabulary = trim_vocabulary(source, count_pieces(source, TEXTS), size)
    target = source.with_name("trimmed.json")
    write_tokenizer(source, vocabulary, target)
    return target, vocabulary.kept.tolist()


def pieces_of(path: Path) -> list[str]:
    return [piece for piece, _ in json.loads(path.read_text(encoding="utf-8"))["model"]["vocab"]]


def test_the_most_frequent_pieces_and_every_character_stay(small_tokenizer: Path) -> None:
    target, _ = trimmed(small_tokenizer, 33)
    kept = pieces_of(target)
    assert kept[:4] == ["<s>", "<pad>", "</s>", "<unk>"]
    assert {"▁bank", "▁profit"} <= set(kept)
    assert {chr(code) for code in range(ord("a"), ord("z") + 1)} <= set(kept)
    assert "▁good" not in kept


def test_row_numbers_of_the_embedding_follow_the_pieces(small_tokenizer: Path) -> None:
    target, kept = trimmed(small_tokenizer, 35)
    full, small = pieces_of(small_tokenizer), pieces_of(target)
    assert kept == sorted(kept)
    assert [full[row] for row in kept] == small


def test_a_dropped_word_falls_into_smaller_pieces_and_never_into_unk(small_tokenizer: Path) -> None:
    target, _ = trimmed(small_tokenizer, 33)
    full, small = Tokenizer.from_file(str(small_tokenizer)), Tokenizer.from_file(str(target))
    assert full.encode("good").tokens == ["<s>", "▁good", "</s>"]
    tokens = small.encode("good").tokens
    assert "<unk>" not in tokens
    assert "".join(tokens[1:-1]) == "▁good"
    assert len(tokens) > 3


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
@given(text=st.lists(st.sampled_from(["bank", "profit", "loss", "rise", "market", "fall"]), min_size=1, max_size=6).map(" ".join))
def test_text_of_kept_pieces_is_cut_as_before(small_tokenizer: Path, text: str) -> None:
    target, kept = trimmed(small_tokenizer, 38)
    full, small = Tokenizer.from_file(str(small_tokenizer)).encode(text), Tokenizer.from_file(str(target)).encode(text)
    assert full.tokens == small.tokens
    assert full.ids == [kept[index] for index in small.ids]


def test_special_tokens_survive_renumbering_when_they_stand_at_the_end(small_tokenizer: Path) -> None:
    raw = json.loads(small_tokenizer.read_text(encoding="utf-8"))
    raw["model"]["vocab"].append(["<mask>", 0.0])
    last = len(raw["model"]["vocab"]) - 1
    raw["added_tokens"].append({**raw["added_tokens"][0], "id": last, "content": "<mask>"})
    small_tokenizer.write_text(json.dumps(raw, ensure_ascii=False), encoding="utf-8")
    target, kept = trimmed(small_tokenizer, 34)
    assert Tokenizer.from_file(str(target)).token_to_id("<mask>") == len(kept) - 1


def test_too_small_a_size_and_the_wrong_kind_of_tokenizer_are_errors(small_tokenizer: Path) -> None:
    with pytest.raises(ModelError, match="cannot hold"):
        trim_vocabulary(small_tokenizer, {}, 10)
    raw = json.loads(small_tokenizer.read_text(encoding="utf-8"))
    raw["model"]["type"] = "BPE"
    small_tokenizer.write_text(json.dumps(raw), encoding="utf-8")
    with pytest.raises(ModelError, match="not a Unigram"):
        trim_vocabulary(small_tokenizer, {}, 100)


def test_share_of_the_corpus_grows_with_the_size(small_tokenizer: Path) -> None:
    counts = count_pieces(small_tokenizer, TEXTS)
    shares = [trim_vocabulary(small_tokenizer, counts, size).corpus_share for size in (31, 33, 35, 60)]
    assert shares == sorted(shares)
    assert shares[0] < shares[-1] == 1.0


def test_languages_are_counted_apart_and_only_their_first_characters(small_tokenizer: Path) -> None:
    texts = [("en", "bank profit"), ("de", "loss"), ("en", "bank " * 1_000)]
    counts = count_pieces(small_tokenizer, texts)
    loaded = Tokenizer.from_file(str(small_tokenizer))
    assert set(counts) == {"en", "de"}
    assert counts["en"][loaded.token_to_id("▁bank")] == 1 + 200
    assert dict(counts["de"]) == {loaded.token_to_id("▁loss"): 1}


def test_a_small_language_keeps_its_words_beside_a_large_one(small_tokenizer: Path) -> None:
    """A hundred times the text of a language weighs ten times as much, not a hundred times."""
    counts = count_pieces(small_tokenizer, [("en", "bank")] * 10_000 + [("de", "loss")] * 100)
    weights = piece_weights(small_tokenizer, counts)
    loaded = Tokenizer.from_file(str(small_tokenizer))
    prior = piece_weights(small_tokenizer, {})
    bank, loss = (weights[index] - prior[index] / 2 for index in map(loaded.token_to_id, ("▁bank", "▁loss")))
    assert bank / loss == pytest.approx(10)


def test_words_that_the_corpus_lacks_are_kept_by_how_frequent_the_tokenizer_thinks_them(small_tokenizer: Path) -> None:
    weights = piece_weights(small_tokenizer, count_pieces(small_tokenizer, [("en", "bank")]))
    loaded = Tokenizer.from_file(str(small_tokenizer))
    word, half = loaded.token_to_id("▁good"), loaded.token_to_id("od")
    assert weights[word] / weights[half] == pytest.approx(math.exp(-6 + 9))
    assert sum(weights.values()) == pytest.approx(1)
    assert min(weights) == 4, "special tokens have no weight: they are always kept"


def test_held_out_text_is_cut_as_by_the_full_vocabulary(shared_data: Path) -> None:
    """Texts whose pieces were all kept are cut the same; in the rest nothing new becomes ``<unk>``."""
    from models.artifact import load_artifact

    try:
        full_path = package_sources()["tokenizer.json"]
    except ModelError as error:
        pytest.skip(f"{error}; {error.mend}")
    full, small = Tokenizer.from_file(str(full_path)), Tokenizer.from_file(str(load_artifact().tokenizer_path))
    paths = [
        shared_data / "benchmark" / f"{name}.jsonl.gz" for name in ("umsab", "finfe_zh", "economy_watchers_ja", "twitter_financial_news")
    ]
    texts = [row.text for path in paths for row in islice(read_rows(path), 0, None, 7)]
    kept_whole = same = 0
    for before, after in zip(full.encode_batch(texts), small.encode_batch(texts), strict=True):
        assert after.tokens.count("<unk>") <= before.tokens.count("<unk>")
        if all(small.token_to_id(token) is not None for token in before.tokens):
            kept_whole += 1
            same += before.tokens == after.tokens
    assert kept_whole > 0.4 * len(texts)
    assert same > 0.99 * kept_whole
