"""The model card (Hugging Face form) of an artifact, written from its files and never by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from models.artifact import Artifact
from models.calibration.record import Calibration, HeadCalibration, load_calibration
from models.data import Source, sources
from models.errors import ModelError
from models.events import event_table
from models.languages import ENCODER_LANGUAGES
from models.topics import topic_table

__all__ = ["render_card"]


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise ModelError(f"cannot read {path}: {error}", mend=_mend(path)) from error


def _mend(path: Path) -> str:
    """What makes the file: an adapted model has all but its figures, so it is not to be trained anew."""
    if path.name == "evaluation.json":
        return _measure(path.parent)
    return f"take a model folder that is whole; bellwether models train --artifact {path.parent} writes {path.name}"


def _measure(root: Path) -> str:
    return f"bellwether models evaluate --artifact {root} --write"


def _teacher(artifact: Artifact) -> dict[str, Any] | None:
    """The report of the float32 model that this one was made from, where ``evaluate --teacher-of`` kept it."""
    path = artifact.root / "teacher.json"
    return _read(path) if path.is_file() else None


def _front_matter(artifact: Artifact, evaluation: dict[str, Any]) -> list[str]:
    headline = evaluation["headline"]
    lines = ["---", "license: mit", "library_name: onnx", "pipeline_tag: text-classification", "base_model: intfloat/multilingual-e5-small"]
    lines += ["tags: [sentiment, topic, iptc-media-topics, multilingual, finance, news]", "language:"]
    lines += [f"- {json.dumps(lang)}" for lang in artifact.languages]
    lines += ["model-index:", f"- name: {artifact.root.name}", "  results:"]
    shown = (("umsab", "f1", "umsab_macro_f1_mean_over_languages"), ("sib200", "accuracy", "sib200_accuracy_mean_of_eleven"))
    for name, kind, key in shown:
        lines += [
            "  - task: {type: text-classification}",
            f"    dataset: {{type: {name}, name: {name}, split: test}}",
            f"    metrics: [{{type: {kind}, value: {headline[key]}}}]",
        ]
    return [*lines, "---", ""]


def _set_table(entries: list[Source]) -> list[str]:
    lines = ["| set | task | from | licence | counted as |", "|---|---|---|---|---|"]
    for one in entries:
        how = f"left out: {one.left_out}" if one.left_out else one.scheme
        lines.append(f"| {one.name} | {one.task} | {one.origin} | {one.licence} | {how} |")
    return lines


def _measured(evaluation: dict[str, Any]) -> list[str]:
    lines = ["| set | language | rows | accuracy % | macro-F1 % | ECE |", "|---|---|---:|---:|---:|---:|"]
    for name, table in evaluation["sets"].items():
        known = [(lang, one) for lang, one in table.items() if lang == "all" or lang in ENCODER_LANGUAGES]
        for lang, one in sorted(known, key=lambda item: (item[0] != "all", item[0])):
            lines.append(f"| {name} | {lang} | {one['rows']} | {one['accuracy']} | {one['macro_f1']} | {one['ece']} |")
    for name, one in evaluation["languages_the_encoder_never_saw"].items():
        lines.append(f"| {name} | never seen by the encoder | {one['rows']} | {one['accuracy']} | {one['macro_f1']} | {one['ece']} |")
    return lines


def _calibration(training: dict[str, Any]) -> list[str]:
    lines = [
        "| head | temperature | ECE before | ECE after | score on dev % | rows train | rows dev |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for task, one in training["heads"].items():
        cells = (one["temperature"], one["ece_before"], one["ece_after"], one["score"], one["rows_train"], one["rows_dev"])
        lines.append(f"| {task} | " + " | ".join(map(str, cells)) + " |")
    return lines


#: Headline figures beside the two that stand in the text: name in the report -> what it is called here.
_FIGURES = {
    "umsab_macro_f1_mean_over_languages": "UMSAB macro-F1 %, mean of eight languages",
    "twitter_financial_news_accuracy": "Twitter Financial News accuracy %",
    "finfe_zh_accuracy": "FinFE dev accuracy %",
    "economy_watchers_ja_macro_f1": "Economy Watchers macro-F1 %",
    "sib200_accuracy_mean_of_eleven": "SIB-200 accuracy %, mean of eleven languages",
    "masakhanews_weighted_f1": "MasakhaNEWS weighted F1 %, every language",
    "sentiment_ece_all_rows": "calibration error of sentiment, all rows",
    "sentiment_ece_mean_of_sets": "calibration error of sentiment, mean of sets",
}


def _headlines(evaluation: dict[str, Any], teacher: dict[str, Any] | None) -> list[str]:
    """The figures a model is known by, beside its teacher's where that was measured; nothing for a report that has only two."""
    headline = evaluation["headline"]
    shown = [name for name in _FIGURES if name in headline]
    if len(shown) <= 2:
        return []
    if teacher is None:
        table = [f"| {_FIGURES[name]} | {_cell(headline[name])} |" for name in shown]
        return ["| | this model (int8) |", "|---|---:|", *table, "", "The float32 teacher was not measured.", ""]
    before = teacher["headline"]
    lines = [f"| | this model (int8) | teacher `{teacher['model_id']}` (float32) |", "|---|---:|---:|"]
    return [*lines, *(f"| {_FIGURES[name]} | {_cell(headline[name])} | {_cell(before.get(name))} |" for name in shown), ""]


def _cell(value: float | None) -> str:
    return "not measured" if value is None else str(value)


def _vouched(task: str, head: HeadCalibration) -> list[str]:
    none = sorted(language for language, one in head.languages.items() if not one.vouched)
    temperatures = ", ".join(f"{group} {value:.2f}" for group, value in head.groups.items())
    lines = [
        f"### {task}",
        "",
        f"Temperatures on top of the graph's: {temperatures or 'none'}; every other language {head.temperature:.2f}.",
    ]
    lines += [f"Vouched for: {' '.join(head.vouched) or 'none'}.", f"Measured and not vouched for: {' '.join(none) or 'none'}.", ""]
    lines += ["| language | dev rows | threshold | coverage | wrong among the answers given |", "|---|---:|---:|---:|---:|"]
    for language in head.vouched:
        one = head.languages[language]
        lines.append(f"| {language} | {one.rows} | {one.threshold} | {one.coverage:.0%} | {one.risk:.1%} |")
    return [*lines, ""]


def _reliability(calibration: Calibration | None) -> list[str]:
    """Where the model is to be relied on; nothing for a model that was not calibrated by language."""
    if calibration is None:
        return []
    target = next(iter(calibration.heads.values())).target_risk
    rule = (
        f"A language is vouched for where the answers that are given on its dev texts are wrong at most {target:.0%} of the time (with "
        f"{calibration.sureness:.0%} sureness), and at least {calibration.least_coverage:.0%} of the texts get one; below the threshold "
        "the service says `unscored`. Languages without text of all classes are not vouched for, whatever the encoder may know of them."
    )
    sections = [line for task, head in calibration.heads.items() for line in _vouched(task, head)]
    return ["## Where it is to be relied on", "", rule, "Measured on dev rows of the train sets by this int8 graph.", "", *sections]


def _made(training: dict[str, Any], layers: str) -> str:
    """How encoder and heads came about, in a sentence."""
    recipe = training["recipe"]
    if "frozen" not in recipe:
        how, heads = "One frozen encoder, multilingual-e5-small (12 layers, MIT licence)", "two"
    else:
        options = recipe["optimisation"]
        seen = training["history"][-1]["step"] * options["batch"] * options["accumulation"]
        how = f"multilingual-e5-small (12 layers, MIT licence), fine-tuned from layer {recipe['frozen'] + 1} up on {seen:,} texts"
        if str(recipe["model"]).endswith("-tuned"):
            how += ", after an earlier run of the same kind"
        heads = str(len(training["heads"]))
    return f"{how}, with {heads} linear heads on the mean-pooled states of layers {layers}."


def _limits(training: dict[str, Any]) -> str:
    kind, them = ("A small encoder", "it") if "frozen" in training["recipe"] else ("Linear heads on a small frozen encoder", "them")
    return (
        f"- {kind}: irony, mixed tone and tone toward one of several companies are beyond {them}. Bad news in the plain words of a report "
        "(a company files for insolvency, cuts jobs, pays a fine) is often called neutral in languages "
        "whose labelled text is tweets and opinion rather than news."
    )


def _event_output(config: dict[str, Any]) -> str:
    labels = config.get("event_labels", [])
    return f"`event` `[batch, {len(labels)}]` (finance events: {'; '.join(labels)}), " if labels else ""


def _untaught_events(config: dict[str, Any]) -> list[str]:
    """Finance events that the table names and the head does not have, for want of labelled text; nothing where there is no such head."""
    labels = config.get("event_labels", [])
    absent = [name for name in event_table().untaught if name not in labels] if labels else []
    if not absent:
        return []
    return [f"Finance events without training text, which the head therefore never answers: {'; '.join(absent)}."]


def render_card(artifact: Artifact) -> str:
    """The card as Markdown with a YAML front matter, from ``config.json``, ``training.json`` and ``evaluation.json``.

    Raises:
        ModelError: one of the three is missing, or the evaluation is of another model.
    """
    evaluation, training = _read(artifact.root / "evaluation.json"), _read(artifact.root / "training.json")
    config = _read(artifact.root / "config.json")
    if evaluation["model_id"] != artifact.model_id:
        raise ModelError(f"evaluation.json measures {evaluation['model_id']}, not {artifact.model_id}", mend=_measure(artifact.root))
    headline = evaluation["headline"]
    without = [name for name in topic_table().names if name not in artifact.topic_labels]
    megabytes = sum((artifact.root / name).stat().st_size for name in ("model.onnx", "tokenizer.json")) / 1e6
    layers = ", ".join(map(str, config["feature_layers"]))
    lines = [
        *_front_matter(artifact, evaluation),
        f"# {artifact.root.name}",
        "",
        f"Sentiment (negative, neutral, positive) and topic (IPTC Media Topics) of short news and social text. "
        f"Model id `{artifact.model_id}`.",
        f"{_made(training, layers)} Vocabulary trimmed to {config['vocabulary']:,} pieces, {megabytes:.1f} MB in all.",
        "",
        "## Use",
        "",
        f"Inputs `input_ids` and `attention_mask`, int64 `[batch, sequence]`, from `tokenizer.json`, cut to {artifact.max_length} tokens, "
        f"prefix {artifact.prefix!r}. Outputs, float32: `sentiment` `[batch, 3]` ({', '.join(artifact.sentiment_labels)}), "
        f"`topic` `[batch, {len(artifact.topic_labels)}]`, {_event_output(config)}`embedding` `[batch, 384]` (L2-normalised). "
        "Probabilities are calibrated.",
        "Activations are quantised token by token: a text's result does not depend on the texts beside it, nor on padding.",
        "",
        "Topics, in order: " + "; ".join(artifact.topic_labels) + ".",
        "IPTC top-level names without labelled text, which the head therefore never answers: " + "; ".join(without) + ".",
        *_untaught_events(config),
        "",
        "## Measured",
        "",
        f"On this int8 artifact. UMSAB macro-F1, mean of eight languages: **{headline['umsab_macro_f1_mean_over_languages']}**. "
        f"SIB-200 accuracy, mean of en zh de fr es ru ja ar pt hi id: **{headline['sib200_accuracy_mean_of_eleven']}**; the answer is the "
        "best of all topics of the head, the seven classes of SIB-200 mapped as in `models/topics.toml` (travel is lifestyle and leisure, "
        "for IPTC files tourism under leisure; geography is environment, IPTC's one name for land, water and wildlife).",
        f"Rows a set and language: {evaluation['rows_a_set_and_language']} (UMSAB, those eleven languages and the financial sets: all). "
        "Nothing was trained on these sets and settings were chosen on dev, but for one: the "
        "share of SIB-200's train rows was raised after a first look at 60 of its test rows a language.",
        "",
        *_headlines(evaluation, _teacher(artifact)),
        *_measured(evaluation),
        "",
        "## Calibration",
        "",
        "One temperature a head, fitted on dev; 15 bins.",
        "",
        *_calibration(training),
        "",
        *_reliability(load_calibration(artifact)),
        "## Data",
        "",
        "Where no licence is stated the repository names none; check before you redistribute anything derived. No text is in this folder.",
        "Two-class sets teach negative against positive and nothing about neutral. "
        "Labels left out stand with reasons in `models/topics.toml`.",
        "",
        *_set_table(list(sources().values())),
        "",
        "## Limits",
        "",
        _limits(training),
        "- *environment* is learnt from SIB-200's geography sentences alone, *conflict* from Chinese military headlines, *education* from "
        "Chinese and Vietnamese headlines, *crime* from Vietnamese headlines and English finance tweets: expect less elsewhere.",
        "- Languages the encoder never saw are scored, but see the last rows of the table.",
        "- The weights come from a 4-bit copy of the encoder; what that costs against the original float weights is not measured.",
        "",
        "## Checksums (SHA-256)",
        "",
        *[f"- `{name}` `{digest}`" for name, digest in artifact.sha256.items()],
        *[f"- made from {name}: `{value}`" for name, value in config["made_from"].items()],
        "",
    ]
    return "\n".join(lines)
