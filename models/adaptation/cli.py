"""``bellwether models adapt`` and ``bellwether models replay``: a head for a user's own labels, and the old texts that hold it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from models.adaptation.labels import Labelled, read_labels
from models.adaptation.replay import REPLAY_FILE, Replay, load_replay
from models.artifact import DEFAULT_ARTIFACT, Artifact, load_artifact
from models.command_line import ArtifactOption, CacheOption, errors, reported
from models.data import LABELS, SENTIMENT_LABELS, find_data
from models.encoder.pretrained import cache_folder
from models.errors import ModelError
from models.progress import Progress, shown_progress

if TYPE_CHECKING:
    from models.adaptation.adapting import Adaptation

__all__ = ["register"]


def _chosen_task(task: str | None, rows: Sequence[Labelled]) -> str:
    """``task``, or what the labels look like: sentiments if all of them are, else topics."""
    if task is not None:
        if task not in LABELS:
            raise ModelError(f"--task is {task!r}", mend=f"use one of {', '.join(LABELS)}")
        return task
    return "sentiment" if {row.label.casefold() for row in rows} <= set(SENTIMENT_LABELS) else "topic"


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


def _told(done: Adaptation, task: str) -> Iterator[str]:
    outcome, decay = done.outcome, done.outcome.decay
    yield f"{task} head, {done.rows} texts, pull {outcome.setting.pull:g}, old texts weigh {outcome.setting.replay:g} times"
    if done.new:
        yield f"new classes: {'; '.join(done.new)}"
    for setting, why in outcome.refused:
        yield f"not taken: pull {setting.pull:g}, old texts {setting.replay:g} times: {why}"
    for name, one in done.held.items():
        chance = "" if one.low > 0 or one.high < 0 else ", may be chance"
        figure = {"accuracy": "accuracy", "macro_f1": "macro-F1"}[name]
        yield f"held-out labels: {figure} {one.before:.1f} -> {one.after:.1f} % (difference {one.low:+.1f} to {one.high:+.1f}, 95%{chance})"
    whole = decay.whole
    first, second = decay.macro_f1
    yield f"old texts: accuracy {whole.before:.2f} -> {whole.after:.2f} %, macro-F1 {first:.2f} -> {second:.2f} % ({whole.rows} rows)"
    for group in decay.groups:
        sides = f"{group.rows} rows, {group.lost} lost, {group.gained} gained"
        yield f"  {group.name}: {group.before:.1f} -> {group.after:.1f} % ({sides})"
    yield f"{done.artifact.model_id} in {done.artifact.root}"


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""

    @app.command()
    def adapt(
        labels: Annotated[Path, typer.Option(help="Your labels: .jsonl, .jsonl.gz or .csv with text, label and, if known, lang.")],
        out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the new model; must not exist.")],
        task: Annotated[str | None, typer.Option(help="sentiment, topic or event; by default what the labels look like.")] = None,
        artifact: ArtifactOption = DEFAULT_ARTIFACT,
        within: Annotated[list[str] | None, typer.Option(help="NEW=OLD: the new class is a part of this old one. May be repeated.")] = None,
        replay: Annotated[Path | None, typer.Option(help="Old text: a replay file, or a folder of JSONL; by default the model's.")] = None,
        cache: CacheOption = None,
    ) -> None:
        """Adapt a head to your labels: a new domain, or new topics. Refuses where an old language would decay by more than 0.5 points.

        Example: bellwether models adapt --labels desk.jsonl --within "central banks=economy, business and finance" --out my-model
        """
        from models.adaptation.adapting import adapt as run_adapt

        with reported(), shown_progress(errors) as show:
            read = read_labels(labels)
            chosen, inside, loaded, place = (
                _chosen_task(task, read.rows),
                _within(within or []),
                load_artifact(artifact),
                cache or cache_folder(),
            )
            done = run_adapt(loaded, read, chosen, out, _replay(loaded, replay, place, show), place, show, within=inside)
        if read.dropped:
            typer.echo(f"{read.dropped} texts bear two different labels and were left out")
        for line in _told(done, chosen):
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
