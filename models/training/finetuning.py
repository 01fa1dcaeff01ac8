"""Fine-tuning: the loop over the mixture, its dev scores, its checkpoints and its exact resume."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError, require
from models.evaluation.metrics import dev_score
from models.progress import Progress
from models.texts.augmentation import augmented
from models.texts.mixture import Lesson, Lessons, Mixture, class_factors, targets
from models.texts.translations import Pair, mine, translation_pairs
from models.training.activations import ActivationStore
from models.training.adversarial import adversarial_states
from models.training.auxiliary import Auxiliary
from models.training.configuration import FineTuning
from models.training.heads import fit_head
from models.training.language_loss import LanguageTable
from models.training.logging_board import Board
from models.training.network import Network, masked_loss
from models.training.optimisation import advance_average, make_optimizer, rate_factor, set_rates
from models.training.precision import MixedPrecision

__all__ = ["FineTuner", "Score", "Weights"]

#: Lessons whose states are computed together, and which are then cut into batches of like length.
WINDOW = 1_024
DEV_BATCH = 64
PROBE_DECAY = 1e-2

Weights = Mapping[str, Any]


@dataclass(frozen=True)
class Score:
    """One measure on dev, in percent: ``tasks`` each by its mean over sets, ``mean`` of sentiment and topic, which decides.

    ``loss``: mean training loss since the last one; ``rate``: examples a second of training alone.
    """

    step: int
    mean: float
    tasks: Mapping[str, float]
    loss: float
    rate: float


class FineTuner:
    """A run in a folder: ``checkpoint.pt`` to go on from, ``best.pt`` the averaged weights of the best dev score, ``history.jsonl``.

    The same folder, lessons and configuration give the same weights whether the run was interrupted or not.

    Args:
        network: its untrained state; a checkpoint in ``folder`` replaces it.
        store: states of the layers below ``network``.

    Raises:
        ModelError: the folder holds a run of another configuration.
    """

    def __init__(self, network: Network, store: ActivationStore, lessons: Lessons, chosen: FineTuning, folder: Path) -> None:
        self._torch = require("torch")
        self.network, self.store, self.lessons, self.chosen, self.folder = network, store, lessons, chosen, folder
        self.mixture = Mixture(lessons, chosen.mixing, chosen.seed)
        self.tasks = network.tasks
        self.mixed = MixedPrecision(chosen.methods.precision)
        if self.mixed.device != "cpu":
            network.move(self.mixed.device)
        first = self.mixture.of_pass(0)
        self.factors = {task: class_factors(targets(first, task)) for task in self.tasks}
        self.optimizer = make_optimizer(network, chosen.optimisation)
        self.average = {name: value.detach().clone() for name, value in network.parameters.items()}
        self.step = 0
        self.history: list[Score] = []
        folder.mkdir(parents=True, exist_ok=True)
        if not self._resume():
            self._torch.manual_seed(chosen.seed)
            # The last lessons of the first pass: the loss of the steps to come is then of texts the heads have not seen.
            self._start_heads(first[-chosen.probe :])
        languages = LanguageTable([lang for _, lang in lessons.train])
        self.auxiliary = Auxiliary(network, chosen.methods, languages, self._pairs(), chosen.seed)

    # -- the run ------------------------------------------------------------------------------------------------------

    def run(self, progress: Progress, *, pause_after: int | None = None) -> list[Score]:
        """Train to the last step, or until dev no longer improves, and return every score.

        ``pause_after``: stop after that many steps in all, as a kill would, to go on another day.
        """
        chosen = self.chosen.optimisation
        losses: list[float] = []
        spent, rows_done = 0.0, 0
        if not self.history:
            self._watch([], 0.0, progress)
        for lessons in self._batches(self.step * chosen.accumulation):
            if self.finished() or (pause_after is not None and self.step >= pause_after):
                break
            start = time.monotonic()
            losses.append(self._accumulate(lessons))
            spent += time.monotonic() - start
            rows_done += sum(map(len, lessons))
            progress("fine-tuning", self.step * chosen.batch * chosen.accumulation, chosen.steps * chosen.batch * chosen.accumulation)
            if self.step % self.chosen.watch.every == 0 or self.step == chosen.steps:
                self._watch(losses, rows_done / spent, progress)
                losses, spent, rows_done = [], 0.0, 0
        return self.history

    def finished(self) -> bool:
        """Whether the last step is done, or dev has not improved for too long."""
        if self.step >= self.chosen.optimisation.steps:
            return True
        best = max(range(len(self.history)), key=lambda index: self.history[index].mean, default=0)
        return len(self.history) - 1 - best >= self.chosen.watch.patience

    def best(self) -> dict[str, Any]:
        """The averaged weights of the best dev score."""
        return dict(self._torch.load(self.folder / "best.pt", weights_only=True, map_location="cpu"))

    # -- batches ------------------------------------------------------------------------------------------------------

    def _batches(self, skip: int) -> Iterator[list[list[Lesson]]]:
        """Endless groups of ``accumulation`` batches, each of texts of like length; the first ``skip`` batches are left out."""
        size, together = self.chosen.optimisation.batch, self.chosen.optimisation.accumulation
        waiting: list[list[Lesson]] = []
        number = 0
        while True:
            lessons = self.mixture.of_pass(number)
            for window, start in enumerate(range(0, len(lessons), WINDOW)):
                part = lessons[start : start + WINDOW]
                batches = -(-len(part) // size)
                if skip >= batches:
                    skip -= batches
                    continue
                self.store.fill([lesson.text for lesson in part])
                order = np.argsort(self.store.lengths([lesson.text for lesson in part]), kind="stable")
                shuffled = np.random.default_rng((self.chosen.seed, number, window)).permutation(batches)
                for index in shuffled[skip:]:
                    waiting.append([part[row] for row in order[index * size : (index + 1) * size]])
                    if len(waiting) == together:
                        yield waiting
                        waiting = []
                skip = 0
            number += 1

    def _accumulate(self, batches: Sequence[Sequence[Lesson]]) -> float:
        """One step of the optimiser over ``batches``; returns the mean loss of a lesson."""
        methods = self.chosen.methods
        rows = sum(map(len, batches))
        total = 0.0
        for number, lessons in enumerate(batches):
            place = (self.step, number)
            seen = self._changed(lessons, place) if methods.augmentation > 0 else lessons
            states, lengths = self._states(seen)
            if methods.adversarial > 0:
                states.requires_grad_(True)
            loss = self._whole_loss(states, lengths, seen, place) / rows
            self.mixed.backward(loss)
            total += float(loss.detach())
            if methods.adversarial > 0:
                harder = adversarial_states(states, states.grad, methods.adversarial)
                self.mixed.backward(self._whole_loss(harder, lengths, seen, place) / rows)
        self._advance()
        return total

    def _advance(self) -> None:
        """Let the optimiser go a step along the gradients that were gathered, and the average after it."""
        chosen = self.chosen.optimisation
        set_rates(self.optimizer, rate_factor(self.step, chosen))
        self.mixed.step(self.optimizer, list(self.network.parameters.values()), chosen.clip)
        self.optimizer.zero_grad()
        self.step += 1
        advance_average(self.average, self.network.parameters, self.step, chosen.average)

    def _whole_loss(self, states: Any, lengths: Any, lessons: Sequence[Lesson], place: tuple[int, int]) -> Any:
        """Sum over ``lessons`` of the losses of all tasks and of what the methods add."""
        chosen = self.chosen.optimisation
        features = self._forward(states, lengths)
        logits = self.network.logits(features, dropout=chosen.dropout, samples=chosen.samples, told=self.auxiliary.told(lessons))
        loss = sum(self._loss(task, logits[task], lessons) for task in self.tasks)
        return sum(self.auxiliary.losses(features, lessons, place, self._text_features), loss)

    def _changed(self, lessons: Sequence[Lesson], place: tuple[int, int]) -> list[Lesson]:
        seen = augmented(lessons, self.chosen.methods.augmentation, f"{self.chosen.seed} {place}")
        self.store.fill([lesson.text for lesson in seen])
        return seen

    def _loss(self, task: str, logits: Any, lessons: Sequence[Lesson]) -> Any:
        torch, taught, place = self._torch, targets(lessons, task), self.mixed.place
        # A row of several possible classes counts once.
        single = taught.right.sum(1) == 1
        importance = np.where(single, self.factors[task][taught.right.argmax(1)], np.float32(1.0))
        losses = masked_loss(
            logits,
            place(torch.from_numpy(taught.right)),
            place(torch.from_numpy(taught.universe)),
            smoothing=self.chosen.optimisation.smoothing,
        )
        return self.chosen.optimisation.tasks.get(task, 1.0) * (losses * place(torch.from_numpy(importance))).sum()

    def _features(self, lessons: Sequence[Lesson]) -> Any:
        return self._forward(*self._states(lessons))

    def _states(self, lessons: Sequence[Lesson]) -> tuple[Any, Any]:
        states, lengths = self.store.get([lesson.text for lesson in lessons])
        return self.mixed.place(self._torch.from_numpy(states)), self.mixed.place(self._torch.from_numpy(lengths))

    def _forward(self, states: Any, lengths: Any) -> Any:
        with self.mixed.forward():
            return self.network.features(states, lengths)

    def _text_features(self, texts: Sequence[str]) -> Any:
        states, lengths = self.store.get(texts)
        return self._forward(self.mixed.place(self._torch.from_numpy(states)), self.mixed.place(self._torch.from_numpy(lengths)))

    def _pairs(self) -> list[Pair]:
        """Translations, found once with the network as it began and kept in the run's folder; none where they are not asked for."""
        if self.chosen.methods.translations <= 0:
            return []

        def find() -> list[Pair]:
            mean, deviation = (part.cpu().numpy() for part in (self.network.mean, self.network.deviation))
            return mine(self.lessons.train, lambda lessons: (self._embed(lessons) - mean) / deviation)[0]

        pairs = translation_pairs(self.folder / "translations.json", find)
        self.store.fill([text for pair in pairs for text in pair])
        return pairs

    def _embed(self, lessons: Sequence[Lesson]) -> NDArray[np.float32]:
        """Features of ``lessons`` under the present weights, without gradients."""
        texts = [lesson.text for lesson in lessons]
        self.store.fill(texts)
        order = np.argsort(self.store.lengths(texts), kind="stable")
        width = self.network.hidden * len(self.network.feature_layers)
        features = np.zeros((len(lessons), width), np.float32)
        with self._torch.no_grad():
            for start in range(0, len(order), DEV_BATCH):
                rows = order[start : start + DEV_BATCH]
                features[rows] = self._features([lessons[row] for row in rows]).cpu().numpy()
        return features

    # -- the start and the scores -------------------------------------------------------------------------------------

    def _start_heads(self, lessons: Sequence[Lesson]) -> None:
        """Fit the heads on the untouched encoder first (Kumar et al. 2022, arXiv:2202.10054): random heads would distort it."""
        features = self._embed(lessons)
        self.network.standardise(features)
        for task in self.tasks:
            taught = targets(lessons, task)
            rows = np.flatnonzero(taught.universe.any(1))
            right, universe = taught.right[rows], taught.universe[rows]
            importance = np.where(right.sum(1) == 1, self.factors[task][right.argmax(1)], np.float32(1.0))
            self.network.start_head(task, fit_head(features[rows], right, universe, importance, decay=PROBE_DECAY))
        for name, value in self.average.items():
            value.copy_(self.network.parameters[name].detach())

    def _watch(self, losses: Sequence[float], rate: float, progress: Progress) -> None:
        """Score the averaged weights on dev, keep them if they are the best, and write a checkpoint."""
        progress("scoring dev", 0, 1)
        present = self.network.parameters
        self.network.parameters = self.average
        features = self._embed(self.lessons.dev)
        with self._torch.no_grad():
            answered = self.network.logits(self.mixed.place(self._torch.from_numpy(features)))
        logits = {task: values.cpu().numpy() for task, values in answered.items()}
        self.network.parameters = present
        scores = {}
        for task in self.tasks:
            rows, examples = self.lessons.dev_examples(task)
            if rows:
                scores[task] = round(dev_score(task, logits[task][rows], examples), 3)
        deciding = [scores[task] for task in ("sentiment", "topic") if task in scores]
        loss = float(np.mean(losses)) if losses else 0.0
        score = Score(self.step, round(float(np.mean(deciding)), 3), scores, round(loss, 4), round(rate, 1))
        if all(score.mean > before.mean for before in self.history):
            self._save("best.pt", self.average)
        self.history.append(score)
        with (self.folder / "history.jsonl").open("w", encoding="utf-8") as lines:
            lines.writelines(json.dumps(asdict(one)) + "\n" for one in self.history)
        self._checkpoint()
        if self.chosen.watch.tensorboard:
            with Board(self.folder / "tensorboard") as board:
                board.write(
                    score.step, {"loss": score.loss, "rate": score.rate, **{f"dev/{task}": value for task, value in scores.items()}}
                )
        progress("scoring dev", 1, 1)

    # -- checkpoints --------------------------------------------------------------------------------------------------

    def _save(self, name: str, content: object) -> None:
        partial = self.folder / f".{os.getpid()}.partial"
        self._torch.save(content, partial)
        partial.replace(self.folder / name)

    def _checkpoint(self) -> None:
        content = {
            "configuration": self.chosen.digest(),
            "step": self.step,
            "parameters": {name: value.detach() for name, value in self.network.parameters.items()},
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
            "mean": self.network.mean,
            "deviation": self.network.deviation,
            "random": self._torch.get_rng_state(),
            "history": [asdict(score) for score in self.history],
            "scaler": self.mixed.state(),
        }
        self._save("checkpoint.pt", content)

    def _resume(self) -> bool:
        path = self.folder / "checkpoint.pt"
        if not path.is_file():
            return False
        content = self._torch.load(path, weights_only=True, map_location="cpu")
        if content["configuration"] != self.chosen.digest():
            raise ModelError(f"{self.folder} holds a run of another configuration", mend="give another --run folder, or remove this one")
        with self._torch.no_grad():
            for name, value in self.network.parameters.items():
                value.copy_(content["parameters"][name])
        self.average = {name: self.mixed.place(value) for name, value in content["average"].items()}
        self.optimizer.load_state_dict(content["optimizer"])
        self.network.mean, self.network.deviation = (self.mixed.place(content[name]) for name in ("mean", "deviation"))
        self.mixed.restore(content.get("scaler", {}))
        self._torch.set_rng_state(content["random"])
        self.step = int(content["step"])
        self.history = [Score(**score) for score in content["history"]]
        return True
