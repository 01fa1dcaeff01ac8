"""Training adapters and a head on a user's labels, held by what the model answered on old texts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.adaptation.adapters import AdaptedNetwork
from models.adaptation.fitting import APART
from models.adaptation.lower_layers import LowerLayers
from models.encoder.restoration import Restored
from models.errors import require
from models.training.configuration import Optimisation
from models.training.heads import Head
from models.training.network import masked_loss
from models.training.optimisation import advance_average, make_optimizer, rate_factor, set_rates

__all__ = ["Kept", "Taught", "Tuner", "Tuning", "Weights", "batches", "kept_loss", "milestones"]

Weights = Mapping[str, Any]
Floats = NDArray[np.float64]

#: Texts that answer together; batches of like length that are drawn from together.
ASKED, WINDOW = 64, 8


@dataclass(frozen=True)
class Tuning:
    """How the adapters are trained.

    ``layers``: how many upper layers get adapters of ``rank``. ``batch``: new texts of a step, and as many old ones. ``replay``: weight
    of the old texts of a step against its new ones. ``average``: decay of the moving average of the weights, which is what counts.
    ``threads``: of PyTorch; another number may change the last bits of a result.
    """

    layers: int = 2
    rank: int = 8
    batch: int = 16
    replay: float = 8.0
    rate: float = 1e-3
    head_rate: float = 2e-4
    average: float = 0.95
    warmup: int = 8
    threads: int = 2
    seed: int = 17

    def optimisation(self, steps: int) -> Optimisation:
        """The same for the optimiser: the step size stays up, the average smooths."""
        return Optimisation(
            steps=steps,
            batch=self.batch,
            learning_rate=self.rate,
            head_rate=self.head_rate,
            layer_decay=1.0,
            weight_decay=0.0,
            warmup=self.warmup,
            cooldown=0.0,
            average=self.average,
        )


@dataclass(frozen=True)
class Taught:
    """New texts with the class of each; ``universe`` bool ``[classes]``: what could have been said."""

    texts: Sequence[str]
    labels: NDArray[np.int64]
    universe: NDArray[np.bool_]

    def at(self, rows: NDArray[np.int64]) -> Taught:
        """The rows at these positions."""
        return Taught([self.texts[row] for row in rows], self.labels[rows], self.universe)


@dataclass(frozen=True)
class Kept:
    """Old texts with the base model's probabilities ``[n, old classes]`` of every head.

    ``members`` float32 ``[classes, old classes]`` of the adapted head: 1 where a class counts as an old one on old texts.
    """

    texts: Sequence[str]
    answers: Mapping[str, NDArray[np.float32]]
    members: NDArray[np.float32]


def milestones(texts: int, batch: int) -> tuple[int, ...]:
    """After how many steps a run is looked at, fewest first: four passes at the end, but within what tens of labels and minutes allow."""
    steps = min(192, max(48, 4 * texts // batch))
    return steps // 4, steps // 2, steps


def batches(lengths: NDArray[np.int64], size: int, random: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """Endless batches of rows of like length; no row comes again before every other one has come."""
    while True:
        order = random.permutation(len(lengths))
        cut: list[NDArray[np.int64]] = []
        for start in range(0, len(order), size * WINDOW):
            part = order[start : start + size * WINDOW]
            part = part[np.argsort(lengths[part], kind="stable")]
            cut += [part[place : place + size] for place in range(0, len(part), size)]
        yield from (cut[place] for place in random.permutation(len(cut)))


def kept_loss(logits: Any, answers: Any, members: Any, apart: float) -> Any:
    """How far each row of ``logits`` ``[n, classes]`` has left ``answers`` ``[n, old classes]``, the probabilities of the base model.

    The Kullback-Leibler divergence, a class counted as the old one that it belongs to (``members`` ``[classes, old classes]``), and
    with the weight ``apart`` that of the old classes themselves: see :data:`models.adaptation.fitting.APART`.
    """
    torch = require("torch")
    said = torch.log_softmax(logits, 1)
    # A class without members gets a very small number in place of minus infinity, whose gradient would be nan.
    grouped = (said[:, :, None] + torch.where(members > 0, 0.0, -1e4)).logsumexp(1)
    certain = torch.xlogy(answers, answers).sum(1)
    loss = certain - (answers * grouped).sum(1)
    if logits.shape[1] > answers.shape[1]:
        loss = loss + apart * (certain - (answers * said[:, : answers.shape[1]]).sum(1))
    return loss


@contextmanager
def _computing(network: AdaptedNetwork, weights: Weights, share: float) -> Iterator[None]:
    """Let ``network`` compute with ``weights`` and ``share`` of the adapters (weights between two models: Wortsman et al. 2022,
    arXiv:2109.01903)."""
    before = network.parameters, network.lora_scale
    network.parameters, network.lora_scale = dict(weights), network.lora_scale * share
    try:
        yield
    finally:
        network.parameters, network.lora_scale = before


class Tuner:
    """Trains one network after another on the same ground.

    Args:
        lower: has the states of every text.
        task: the head that learns.
    """

    def __init__(self, restored: Restored, lower: LowerLayers, task: str, kept: Kept, chosen: Tuning) -> None:
        self._torch = require("torch")
        self._torch.set_num_threads(chosen.threads)
        self._torch.set_flush_denormal(True)
        self.restored, self.lower, self.task, self.kept, self.chosen = restored, lower, task, kept, chosen
        self._classes = {name: len(head.bias) for name, head in restored.heads.items()} | {task: len(kept.members)}
        self._scale: tuple[Any, Any] | None = None

    def network(self, start: Head) -> AdaptedNetwork:
        """A network whose adapters change nothing yet, the learning head at ``start``, the others as they are."""
        made = AdaptedNetwork(self.restored, self.lower.frozen, self._classes, self.chosen.rank, seed=self.chosen.seed)
        if self._scale is None:
            made.standardise(self._features(made, self.kept.texts))
            self._scale = made.mean, made.deviation
        made.mean, made.deviation = self._scale
        for name, head in ({**self.restored.heads, self.task: start}).items():
            made.start_head(name, head)
            if name != self.task:
                for part in ("weight", "bias"):
                    made.parameters[f"heads.{name}.{part}"].requires_grad_(False)
        return made

    def run(self, network: AdaptedNetwork, taught: Taught, stops: Sequence[int], advance: Callable[[int], None]) -> dict[int, Weights]:
        """The averaged weights after each number of steps in ``stops``, in rising order; the same on every run."""
        chosen, torch = self.chosen, self._torch
        optimisation = chosen.optimisation(stops[-1])
        optimizer = make_optimizer(network, optimisation)
        average = {name: value.detach().clone() for name, value in network.parameters.items()}
        new = batches(self.lower.lengths(taught.texts), chosen.batch, np.random.default_rng((chosen.seed, 0)))
        old = batches(self.lower.lengths(self.kept.texts), chosen.batch, np.random.default_rng((chosen.seed, 1)))
        learnt = [value for value in network.parameters.values() if value.requires_grad]
        found: dict[int, Weights] = {}
        for step in range(stops[-1]):
            loss = self._new_loss(network, taught.at(next(new))) + chosen.replay * self._old_loss(network, next(old))
            loss.backward()
            torch.nn.utils.clip_grad_norm_(learnt, optimisation.clip)
            set_rates(optimizer, rate_factor(step, optimisation))
            optimizer.step()
            optimizer.zero_grad()
            advance_average(average, network.parameters, step + 1, chosen.average)
            if step + 1 in stops:
                found[step + 1] = {name: value.clone() for name, value in average.items()}
            advance(step + 1)
        return found

    def _new_loss(self, network: AdaptedNetwork, taught: Taught) -> Any:
        torch = self._torch
        logits = network.logits(network.all_features(*self.lower.get(taught.texts)))[self.task]
        right = torch.nn.functional.one_hot(torch.from_numpy(taught.labels), logits.shape[1]).bool()
        return masked_loss(logits, right, torch.from_numpy(taught.universe).expand_as(right)).mean()

    def _old_loss(self, network: AdaptedNetwork, rows: NDArray[np.int64]) -> Any:
        torch, kept = self._torch, self.kept
        logits = network.logits(network.all_features(*self.lower.get([kept.texts[row] for row in rows])))
        losses = []
        for name, answers in kept.answers.items():
            members = kept.members if name == self.task else np.eye(answers.shape[1], dtype=np.float32)
            losses.append(
                kept_loss(logits[name], torch.from_numpy(answers[rows]), torch.from_numpy(members), APART / self.chosen.replay).mean()
            )
        return sum(losses)

    def _features(self, network: AdaptedNetwork, texts: Sequence[str]) -> NDArray[np.float32]:
        lengths = self.lower.lengths(texts)
        order = np.argsort(lengths, kind="stable")
        features = np.zeros((len(texts), network.mean.shape[0]), np.float32)
        with self._torch.no_grad():
            for start in range(0, len(order), ASKED):
                rows = order[start : start + ASKED]
                features[rows] = network.all_features(*self.lower.get([texts[row] for row in rows])).numpy()
        return features

    def tensors(self, network: AdaptedNetwork, weights: Weights, share: float) -> dict[str, NDArray[np.float32]]:
        """The encoder's matrices by ``weights`` with ``share`` of the adapters."""
        with _computing(network, weights, share):
            return network.tensors(network.parameters)

    def logits(self, network: AdaptedNetwork, weights: Weights, share: float, texts: Sequence[str]) -> Floats:
        """Logits ``[n, classes]`` of the learning head for ``texts``, by ``weights`` with ``share`` of the adapters."""
        with _computing(network, weights, share):
            head = network.heads(network.parameters)[self.task]
            return head.logits(self._features(network, texts)).astype(np.float64)
