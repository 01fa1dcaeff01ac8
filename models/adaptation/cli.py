"""``bellwether models adapt`` and ``bellwether models replay``: a model for a user's own labels, and the old texts that hold it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from models.adaptation.labels import Labelled, likely_task, read_labels
from models.adaptation.replay import REPLAY_FILE, Replay, load_replay
from models.artifact import DEFAULT_ARTIFACT, Artifact, load_artifact
from models.command_line import ArtifactOption, CacheOption, errors, reported
from models.data import LABELS, find_data
from models.encoder.pretrained import cache_folder
from models.errors import ModelError, require
from models.progress import Progress, shown_progress

if TYPE_CHECKING:
    from models.adaptation.adapting import Adaptation
    from models.adaptation.choice import Held
    from models.adaptation.decay import Decay
    from models.adaptation.encoder_adapting import EncoderAdaptation
    from models.adaptation.old_texts import OldText

__all__ = ["Method", "register"]


class Method(StrEnum):
    """What is moved."""

    HEADS = "heads"
    LORA = "lora"


def _chosen_task(task: str | None, rows: Sequence[Labelled]) -> str:
    """``task``, or what the labels look like."""
    if task is not None and task not in LABELS:
        raise ModelError(f"--task is {task!r}", mend=f"use one of {', '.join(LABELS)}")
    return task or likely_task(rows)


def _within(pairs: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in pairs:
        new, sign, old = pair.partition("=")
        if not (new.strip() and sign and old.strip()):
            raise ModelError(f"--within is {pair!r}", mend='write --within "NEW CLASS=OLD CLASS"')
        found[new.strip()] = old.strip()
    return found


def _replay(artifact: Artifact, given: Path | None, cache: Path, show: Progress) -> Replay:
    """The rows of the artifact's replay file or of ``given``; a folder of text is added to the file, or takes its place."""
    from models.adaptation.graph import ServedModel
    from models.adaptation.old_texts import Quotas, choose_old, read_old, read_own
    from models.adaptation.replay_making import build_replay, compute_features, old_rows

    stored = artifact.root / REPLAY_FILE
    if given is None:
        return load_replay(stored)
    if not given.is_dir():
        return load_replay(given)
    served = ServedModel(artifact.onnx_path)
    heads = {task: artifact.labels(task) for task in served.heads}
    texts = choose_old(read_old(given) if (given / "train").is_dir() else read_own(given, heads), Quotas(), set(artifact.languages))
    if not stored.is_file():
        return build_replay(artifact, texts, cache, show)
    replay = load_replay(stored)
    replay.belongs_to(artifact)
    features = compute_features(artifact, served, [one.text for one in texts], cache, "old texts", show)
    return replay.joined(old_rows(artifact, replay.space, list(replay.answers), texts, features))


def _old_texts(artifact: Artifact, given: Path | None, show: Progress) -> list[OldText]:
    """Old text of a data folder or of the user's own: where layers move, the numbers of a replay file say nothing."""
    from models.adaptation.old_answers import MEND
    from models.adaptation.old_texts import Quotas, choose_old, read_old, read_own

    if given is None or given.suffix == ".npz":
        message = "--method lora moves the layers below the heads, where a replay file has only what came out of them: it needs old text"
        raise ModelError(message, mend=MEND)
    if not given.exists():
        raise ModelError(f"no old text at {given}", mend=MEND)
    show("reading the old text", 0, 1)
    if (given / "train").is_dir():
        return choose_old(read_old(given), Quotas(), set(artifact.languages))
    heads = {task: artifact.labels(task) for task in artifact.temperatures}
    return choose_old(read_own(given, heads), Quotas(fit=400, check=4_000), set(artifact.languages))


def _told(done: Adaptation, task: str) -> Iterator[str]:
    outcome = done.outcome
    yield f"{task} head, {done.rows} texts, pull {outcome.setting.pull:g}, old texts weigh {outcome.setting.replay:g} times"
    if done.new:
        yield f"new classes: {'; '.join(done.new)}"
    for setting, why in outcome.refused:
        yield f"not taken: pull {setting.pull:g}, old texts {setting.replay:g} times: {why}"
    yield from _told_held(done.held)
    yield from _told_decay("old texts", outcome.decay)
    yield f"{done.artifact.model_id} in {done.artifact.root}"


def _told_of_layers(done: EncoderAdaptation, task: str) -> Iterator[str]:
    how = f"{done.trial.steps} steps, {done.trial.share:g} of the adapters"
    yield f"{task} head and the upper {done.layers} layers, {done.rows} texts, {how}"
    if done.new:
        yield f"new classes: {'; '.join(done.new)}"
    for share, why in done.refused:
        yield f"not taken: {share:g} of the adapters: {why}"
    yield from _told_held(done.held)
    for name, decay in done.decays.items():
        drawn = ", labels drawn from the old model's own probabilities" if name in done.drawn else ""
        yield from _told_decay(f"old texts, {name}{drawn}", decay)
    yield f"{done.artifact.model_id} in {done.artifact.root}"


def _told_held(held: Mapping[str, Held]) -> Iterator[str]:
    for name, one in held.items():
        chance = "" if one.low > 0 or one.high < 0 else ", may be chance"
        figure = {"accuracy": "accuracy", "macro_f1": "macro-F1"}[name]
        yield f"held-out labels: {figure} {one.before:.1f} -> {one.after:.1f} % (difference {one.low:+.1f} to {one.high:+.1f}, 95%{chance})"


def _told_decay(name: str, decay: Decay) -> Iterator[str]:
    whole = decay.whole
    first, second = decay.macro_f1
    yield f"{name}: accuracy {whole.before:.2f} -> {whole.after:.2f} %, macro-F1 {first:.2f} -> {second:.2f} % ({whole.rows} rows)"
    for group in decay.groups:
        sides = f"{group.rows} rows, {group.lost} lost, {group.gained} gained"
        yield f"  {group.name}: {group.before:.1f} -> {group.after:.1f} % ({sides})"


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""

    @app.command()
    def adapt(
        labels: Annotated[Path, typer.Option(help="Your labels: .jsonl, .jsonl.gz or .csv with text, label and, if known, lang.")],
        out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the new model; must not exist.")],
        task: Annotated[str | None, typer.Option(help="sentiment, topic or event; by default what the labels look like.")] = None,
        artifact: ArtifactOption = DEFAULT_ARTIFACT,
        within: Annotated[list[str] | None, typer.Option(help="NEW=OLD: the new class is a part of this old one. May be repeated.")] = None,
        method: Annotated[Method, typer.Option(help="What moves: a head, or (lora, needs old text) the upper layers too.")] = Method.HEADS,
        replay: Annotated[
            Path | None, typer.Option(help="Old text: a replay file, or JSONL in a file or folder; by default the model's file.")
        ] = None,
        cache: CacheOption = None,
    ) -> None:
        """Adapt a model to your labels: a new domain, or new topics. Refuses where old text decays: more than 0.5 points, beyond chance.

        Example: bellwether models adapt --labels desk.jsonl --within "central banks=economy, business and finance" --out my-model
        """
        from models.adaptation.adapting import adapt as run_adapt

        with reported(), shown_progress(errors) as show:
            read, inside, loaded, place = read_labels(labels), _within(within or []), load_artifact(artifact), cache or cache_folder()
            chosen = _chosen_task(task, read.rows)
            if method is Method.LORA:
                from models.adaptation.encoder_adapting import adapt_encoder

                # Before minutes are spent on reading text.
                require("torch")
                moved = adapt_encoder(loaded, read, chosen, out, _old_texts(loaded, replay, show), place, show, within=inside)
                told = _told_of_layers(moved, chosen)
            else:
                done = run_adapt(loaded, read, chosen, out, _replay(loaded, replay, place, show), place, show, within=inside)
                told = _told(done, chosen)
        if read.dropped:
            typer.echo(f"{read.dropped} texts bear two different labels and were left out")
        for line in told:
            typer.echo(line)

    @app.command("replay")
    def make_replay(
        data: Annotated[Path | None, typer.Option("--data", help="Folder with train/; ../shared/data by default.")] = None,
        artifact: ArtifactOption = DEFAULT_ARTIFACT,
        out: Annotated[Path | None, typer.Option("--out", "-o", help="File to write; replay.npz in the model folder by default.")] = None,
        leave_out: Annotated[list[str] | None, typer.Option(help="A set that is not to be in it. May be repeated.")] = None,
        cache: CacheOption = None,
    ) -> None:
        """Write the model's replay file: features and labels of old texts, no text, by which `adapt` knows what must not be forgotten.

        Example: bellwether models replay --data ../shared/data --artifact my-model
        """
        from models.adaptation.old_texts import Quotas, choose_old, read_old
        from models.adaptation.replay_making import build_replay

        with reported(), shown_progress(errors) as show:
            loaded, folder = load_artifact(artifact), find_data(data)
            show("reading the labelled text", 0, 1)
            texts = choose_old(read_old(folder, frozenset(leave_out or ())), Quotas(), set(loaded.languages))
            made = build_replay(loaded, texts, cache or cache_folder(), show)
            path = out or loaded.root / REPLAY_FILE
            try:
                digest = made.save(path)
            except OSError as error:
                raise ModelError(f"{path} cannot be written: {error.strerror}", mend="name a file that you may write to") from error
        size = path.stat().st_size / 1e6
        typer.echo(f"{path}: {len(made)} rows, {len(set(made.langs.tolist()))} languages, {size:.2f} MB, of {made.model_id}")
        typer.echo(f"sha256 {digest}")
