"""Fits the n-gram model of language identification to the train rows of the shared sets.

    python -m bench.language_training OUT.npz [--minutes 14] [--texts 700]

Needs the extra ``train`` (torch), two cores and 4 GB of memory. Each text is read three times: a piece of one to three words, one of
four to ten, and up to 128 characters. Fitted together, by cross-entropy, classes weighed by the root of their rarity: the
embeddings of the n-grams (a quarter of them dropped, against learning the texts by heart), the languages' vectors, and what
lid.176's answers are worth. Afterwards the temperature is fitted to dev rows.
"""

from __future__ import annotations

import argparse
import math
import random
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bench.language_texts import DATA, FITTED, LENGTHS, cut, samples
from streams.enrich.language import LanguageIdentifier, words_of
from streams.enrich.language_codes import canonical_code
from streams.enrich.ngrams import BUCKETS_LOG2, ngrams
from streams.enrich.scripts import SOLE_LANGUAGE, dominant_script, scripts_of

__all__ = ["Network", "Pieces", "fit", "pieces", "store"]

_DIMENSIONS = 16
_BATCH = 1024
_RATE = 0.012
_DROP = 0.25
_CANDIDATES = 8
_LEAST_ROWS = 30
_FLOOR = 1e-3
_LONGEST = 128
_LEAST_TEMPERATURE = 0.2


@dataclass(frozen=True, slots=True)
class Pieces:
    """Texts as numbers: `grams[starts[i]:starts[i+1]]` are the n-grams of piece i."""

    grams: NDArray[np.int32]
    starts: NDArray[np.int64]
    codes: list[str]
    scripts: list[str]
    labels: list[list[str]]
    shares: NDArray[np.float32]
    lengths: NDArray[np.float32]


def pieces(data: Path, split: str, limit: int, seed: int) -> Pieces:
    """Pieces of at most `limit` texts of each language of each set, in scripts that more than one language writes."""
    choose = random.Random(seed)
    model = LanguageIdentifier(0.0)._model
    grams: list[NDArray[np.uint32]] = []
    codes: list[str] = []
    scripts: list[str] = []
    labels: list[list[str]] = []
    shares: list[list[float]] = []
    lengths: list[int] = []
    for sample in samples(data, split=split, limit=limit, only=FITTED, seed=seed):
        own = dominant_script(scripts_of(sample.text))[0]
        if own in SOLE_LANGUAGE or own == "CJK":
            continue
        for length in LENGTHS:
            piece = cut(sample.text, sample.code, length, choose)
            if len(piece) > _LONGEST:
                start = choose.randrange(len(piece) - _LONGEST + 1)
                piece = piece[start : start + _LONGEST]
            words = words_of(piece, own)
            if dominant_script(scripts_of(piece))[0] != own or not any(map(str.isalpha, words)):
                continue
            named, probabilities = model.predict(words, k=_CANDIDATES, threshold=0.0)
            missing = _CANDIDATES - len(named)
            grams.append(ngrams(words))
            codes.append(sample.code)
            scripts.append(own)
            labels.append([label.removeprefix("__label__") for label in named] + [""] * missing)
            shares.append([min(float(share), 1.0) for share in probabilities] + [0.0] * missing)
            lengths.append(len(words))
    starts = np.concatenate([[0], np.cumsum([len(found) for found in grams])])
    return Pieces(
        np.concatenate(grams).astype(np.int32), starts, codes, scripts, labels, np.array(shares, np.float32), np.array(lengths, np.float32)
    )


class Network(torch.nn.Module):  # type: ignore[misc,unused-ignore]
    """The model of :mod:`streams.enrich.language_model`, in torch. Shapes: batch B, languages C, lid.176's labels L."""

    def __init__(self, codes: list[str], labels: list[str], scripts: list[str], written: NDArray[np.bool_]) -> None:
        super().__init__()
        self.codes, self.labels, self.scripts = codes, labels, scripts
        self.written = torch.from_numpy(written)
        places = {code: place for place, code in enumerate(codes)}
        self.own = torch.tensor([places.get(canonical_code(label), -1) for label in labels])
        self.table = torch.nn.EmbeddingBag(1 << BUCKETS_LOG2, _DIMENSIONS, mode="sum")
        torch.nn.init.normal_(self.table.weight, std=0.05)
        self.output = torch.nn.Linear(_DIMENSIONS, len(codes))
        self.base = torch.nn.Embedding(len(labels), len(codes))
        torch.nn.init.zeros_(self.base.weight)
        self.strength = torch.nn.Parameter(torch.tensor([0.5, 0.0]))

    def forward(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Scores (B, C); languages that are not written in the text's script get -10,000."""
        pooled = self.table(batch["grams"], batch["starts"], per_sample_weights=batch["kept"]) / batch["counts"].sqrt()[:, None]
        scores = self.output(pooled) + (self.base(batch["labels"]) * batch["shares"][..., None]).sum(1)
        own = self.own[batch["labels"]]
        columns = len(self.codes)
        named = torch.zeros(len(own), columns + 1).scatter_add_(1, torch.where(own < 0, columns, own), batch["shares"])[:, :columns]
        strength = self.strength[0] + self.strength[1] * torch.log(batch["lengths"])
        scores = scores + strength[:, None] * torch.log(named / _FLOOR + 1.0)
        masked: torch.Tensor = scores.masked_fill(~self.written[batch["scripts"]], -1e4)
        return masked


class Batches:
    """Pieces of known languages and scripts, as tensors."""

    def __init__(self, made: Pieces, network: Network) -> None:
        places = {code: place for place, code in enumerate(network.codes)}
        rows = {script: row for row, script in enumerate(network.scripts)}
        labels = {label: row for row, label in enumerate(network.labels)}
        self.chosen = np.array(
            [
                number
                for number, (code, script) in enumerate(zip(made.codes, made.scripts, strict=True))
                if code in places and script in rows and bool(network.written[rows[script], places[code]])
            ]
        )
        self._made = made
        self.targets = torch.tensor([places[made.codes[number]] for number in self.chosen])
        self._scripts = torch.tensor([rows[made.scripts[number]] for number in self.chosen])
        self._labels = torch.tensor([[labels.get(label, 0) for label in made.labels[number]] for number in self.chosen])
        self._shares = torch.from_numpy(made.shares[self.chosen])
        self.lengths = torch.from_numpy(made.lengths[self.chosen])

    def take(self, which: NDArray[np.int64], drop: float) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        """The pieces at `which`, and their languages; `drop` of the n-grams count nothing."""
        starts = self._made.starts
        found = [self._made.grams[starts[number] : starts[number + 1]] for number in self.chosen[which]]
        counts = torch.tensor([len(grams) for grams in found])
        grams = torch.from_numpy(np.concatenate(found))
        kept = (torch.rand(len(grams)) >= drop).float() / (1.0 - drop)
        rows = torch.from_numpy(which)
        begins = torch.cat([torch.zeros(1, dtype=torch.long), counts.cumsum(0)[:-1]]).int()
        batch = {"grams": grams, "starts": begins, "kept": kept, "counts": counts.float(), "labels": self._labels[rows]}
        batch |= {"shares": self._shares[rows], "lengths": self.lengths[rows], "scripts": self._scripts[rows]}
        return batch, self.targets[rows]


def fit(train: Pieces, minutes: float, seed: int = 1) -> Network:
    """Train for `minutes` of wall-clock time; the rate falls linearly to its end. Prints the loss."""
    torch.manual_seed(seed)
    choose = np.random.default_rng(seed)
    codes, scripts = sorted(set(train.codes)), sorted(set(train.scripts))
    labels = sorted({label for row in train.labels for label in row if label})
    pairs = Counter(zip(train.scripts, train.codes, strict=True))
    written = np.array([[pairs[script, code] >= _LEAST_ROWS for code in codes] for script in scripts])
    network = Network(codes, labels, scripts, written)
    batches = Batches(train, network)
    rows = torch.bincount(batches.targets, minlength=len(codes)).float().clamp(min=1)
    weights = (rows.mean() / rows).sqrt().clamp(max=3)
    optimizer = torch.optim.Adam(network.parameters(), lr=_RATE, betas=(0.9, 0.99))
    start, step = time.monotonic(), 0
    while (used := (time.monotonic() - start) / (60 * minutes)) < 1.0:
        which = choose.integers(0, len(batches.chosen), _BATCH)
        # Long pieces hold most of the n-grams and teach the least: half of them are passed over.
        long = batches.lengths.numpy()[which] > 75
        which = which[~long | (choose.random(_BATCH) < 0.5)]
        for group in optimizer.param_groups:
            group["lr"] = _RATE * max(0.02, 1.0 - used)
        batch, targets = batches.take(which, _DROP)
        loss = torch.nn.functional.cross_entropy(network(batch), targets, weight=weights)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call,unused-ignore]
        optimizer.step()
        step += 1
        if step % 100 == 0:
            print(f"{step} {loss.item():.3f} {used:.0%}", flush=True)
    return network


def temperature(network: Network, dev: Pieces) -> tuple[float, float]:
    """Temperature and its growth with the logarithm of the length, by the likelihood of `dev`."""
    batches = Batches(dev, network)
    network.eval()
    with torch.no_grad():
        batch, targets = batches.take(np.arange(len(batches.chosen)), 0.0)
        scores = network(batch)
    length = torch.log(batches.lengths)
    pair = torch.nn.Parameter(torch.tensor([1.0, 0.0]))
    optimizer = torch.optim.LBFGS([pair], max_iter=60, line_search_fn="strong_wolfe")

    def loss() -> Any:
        optimizer.zero_grad()
        value = torch.nn.functional.cross_entropy(scores / (pair[0] + pair[1] * length).clamp(min=_LEAST_TEMPERATURE)[:, None], targets)
        value.backward()  # type: ignore[no-untyped-call,unused-ignore]
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call,unused-ignore]
    heat, growth = pair.detach().tolist()
    if min(heat, heat + growth * math.log(2 * _LONGEST)) < _LEAST_TEMPERATURE:
        raise SystemExit("bench.language_training: no temperature makes these scores probabilities; train for more --minutes")
    return heat, growth


def store(network: Network, heat: tuple[float, float], path: Path) -> None:
    """Write the weights: the table in 8 bits with one scale, the rest in 16."""
    table = network.table.weight.detach().numpy()
    scale = np.float32(np.quantile(np.abs(table), 0.9999) / 127)
    np.savez_compressed(
        path,
        table=np.clip(np.round(table / scale), -127, 127).astype(np.int8),
        scale=scale,
        strength=network.strength.detach().numpy(),
        temperature=np.array(heat, np.float32),
        labels=np.array(network.labels),
        codes=np.array(network.codes),
        scripts=np.array(network.scripts),
        written=network.written.numpy(),
        own=network.own.numpy(),
        output=network.output.weight.detach().numpy().T.astype(np.float16),
        bias=network.output.bias.detach().numpy().astype(np.float16),
        base=network.base.weight.detach().numpy().astype(np.float16),
    )


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--minutes", type=float, default=14.0)
    parser.add_argument("--texts", type=int, default=700, help="of a language of a set")
    options = parser.parse_args()
    network = fit(pieces(options.data, "train", options.texts, 1), options.minutes)
    heat = temperature(network, pieces(options.data, "dev", 60, 2))
    print(f"temperature {heat[0]:.3f} + {heat[1]:.3f} log(length)")
    store(network, heat, options.out)


if __name__ == "__main__":
    main()
