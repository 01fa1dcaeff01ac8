"""What each technique is worth: the same small run with and without it, the same texts, the same seeds."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from models.errors import ModelError
from models.progress import Progress
from models.texts.mixture import Lesson
from models.training.configuration import FineTuning
from models.training.finetuned import Ground, laid
from models.training.finetuning import FineTuner
from models.training.methods import Methods

__all__ = ["PLAIN", "VARIANTS", "Result", "Variant", "ablate", "table"]

PLAIN = "plain"


@dataclass(frozen=True)
class Variant:
    """A run with ``methods`` on, and ``optimisation`` where a technique needs other step sizes; ``told``: its line in the table."""

    told: str
    methods: Methods = field(default_factory=Methods)
    optimisation: Mapping[str, Any] = field(default_factory=dict)


#: By name. Factors are those of the papers, or the usual ones where a paper has none for this.
VARIANTS: Mapping[str, Variant] = MappingProxyType(
    {
        PLAIN: Variant("fine-tuning as it is"),
        "adversarial": Variant("FGM, a step of 5 % of the states", Methods(adversarial=0.05)),
        "contrastive": Variant("supervised contrast across languages, factor 0.1", Methods(contrastive=0.1)),
        "translations": Variant("translation pairs, factor 0.1", Methods(translations=0.1)),
        "language-loss": Variant("auxiliary language loss, factor 0.1", Methods(language_loss=0.1)),
        "language-embedding": Variant("language told to the heads for half of the lessons", Methods(language_embedding=0.5)),
        "lora": Variant("LoRA of rank 16 on every matrix, 5 times the step size", Methods(lora=16), {"learning_rate": 5.0}),
        "augmentation": Variant("a fifth of the lessons changed", Methods(augmentation=0.2)),
        "bf16": Variant("bf16 in the layers (mixed precision)", Methods(precision="bf16")),
        "no-average": Variant("the last weights in place of their moving average", optimisation={"average": 0.0}),
    }
)


@dataclass(frozen=True)
class Result:
    """The dev scores in percent after the last step, ``mean`` of sentiment and topic, and the processor seconds of the steps alone."""

    variant: str
    seed: int
    mean: float
    tasks: Mapping[str, float]
    seconds: float
    texts: int


class _Timed(FineTuner):
    """A fine-tuner that adds up the processor time of its steps: on a shared machine the clock on the wall says nothing."""

    seconds = 0.0
    texts = 0

    def _accumulate(self, batches: Sequence[Sequence[Lesson]]) -> float:
        start = time.process_time()
        loss = super()._accumulate(batches)
        self.seconds += time.process_time() - start
        self.texts += sum(map(len, batches))
        return loss


def _chosen(base: FineTuning, variant: Variant, seed: int) -> FineTuning:
    changes = dict(variant.optimisation)
    if "learning_rate" in changes:
        changes["learning_rate"] *= base.optimisation.learning_rate
    steps = dataclasses.replace(base.optimisation, **changes)
    watch = dataclasses.replace(base.watch, every=base.optimisation.steps)
    return dataclasses.replace(base, seed=seed, methods=variant.methods, optimisation=steps, watch=watch)


def _measure(ground: Ground, chosen: FineTuning, name: str, folder: Path, progress: Progress) -> Result:
    tuner = _Timed(ground.network(chosen), ground.store, ground.lessons, chosen, folder / f"{name}-{chosen.seed}")
    last = tuner.run(progress)[-1]
    return Result(name, chosen.seed, last.mean, last.tasks, round(tuner.seconds, 2), tuner.texts)


def ablate(
    data: Path, cache: Path, folder: Path, base: FineTuning, names: Iterable[str], seeds: Sequence[int], progress: Progress
) -> list[Result]:
    """Run every variant with every seed, the seeds in turn; results that ``folder/results.jsonl`` has are not run again.

    Raises:
        ModelError: a variant is unknown, ``base`` has methods of its own, or see :func:`models.training.finetuned.laid`.
    """
    wanted = list(dict.fromkeys((PLAIN, *names)))
    unknown = [name for name in wanted if name not in VARIANTS]
    if unknown:
        raise ModelError(f"there is no variant {unknown[0]!r}", mend=f"the variants are {', '.join(VARIANTS)}")
    if base.methods != Methods():
        raise ModelError("the configuration has methods on already", mend="take [methods] out: each variant switches one on")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "results.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    found = [Result(**json.loads(line)) for line in lines]
    done = {(one.variant, one.seed) for one in found}
    with laid(data, cache, base, progress) as ground:
        for seed in seeds:
            for name in wanted:
                if (name, seed) in done:
                    continue
                found.append(_measure(ground, _chosen(base, VARIANTS[name], seed), name, folder, progress))
                with path.open("a", encoding="utf-8") as results:
                    results.write(json.dumps(asdict(found[-1])) + "\n")
    return found


def table(results: Sequence[Result]) -> str:
    """Markdown: the difference of each variant to the plain run of the same seed, its mean and range, and what it costs."""
    plain = {one.seed: one for one in results if one.variant == PLAIN}
    rows = ["| | seeds | sentiment | topic | event | mean | range | cost |", "|---|---:|---:|---:|---:|---:|---:|---:|"]
    if plain:
        first = list(plain.values())
        figures = " | ".join(f"{np.mean([one.tasks[task] for one in first if task in one.tasks] or [np.nan]):.1f}" for task in _TASKS)
        rows.append(f"| {VARIANTS[PLAIN].told} | {len(first)} | {figures} | {np.mean([one.mean for one in first]):.1f} | | 1 |")
    for name, variant in VARIANTS.items():
        pairs = [(one, plain[one.seed]) for one in results if one.variant == name and one.seed in plain and name != PLAIN]
        if not pairs:
            continue
        figures = " | ".join(
            f"{np.mean([one.tasks[task] - before.tasks[task] for one, before in pairs if task in one.tasks] or [np.nan]):+.1f}"
            for task in _TASKS
        )
        gains = [one.mean - before.mean for one, before in pairs]
        cost = np.mean([one.seconds / before.seconds for one, before in pairs if before.seconds > 0] or [np.nan])
        rows.append(
            f"| {variant.told} | {len(pairs)} | {figures} | {np.mean(gains):+.1f} | {min(gains):+.1f} to {max(gains):+.1f} | {cost:.2f} |"
        )
    return "\n".join(rows) + "\n"


_TASKS = ("sentiment", "topic", "event")
