from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from models.cli import app
from models.errors import ModelError
from models.robustness.cli import _write, real_examples

RUNNER = CliRunner()


def write(folder: Path, name: str, kind: str, rows: list[tuple[str, str, str, str]]) -> None:
    place = folder / "train" / kind
    place.mkdir(parents=True, exist_ok=True)
    records = [{"text": text, "label": label, "lang": lang, "source": name, "split": split} for text, label, lang, split in rows]
    (place / f"{name}.jsonl").write_text("\n".join(json.dumps(record) for record in records) + "\n", encoding="utf-8")


def test_real_examples_are_labelled_dev_rows_so_many_a_language(tmp_path: Path) -> None:
    rows = [(f"text {index} {lang}", "positive", lang, split) for index in range(5) for lang in ("en", "de") for split in ("dev", "train")]
    write(tmp_path, "umsab", "sentiment_general", [(f"{text} {split}", label, lang, split) for text, label, lang, split in rows])
    write(tmp_path, "finfe_zh", "sentiment_financial", [("亏损", "negative", "zh", "dev")])
    found = real_examples(tmp_path, 2)
    assert [(one.source, one.lang) for one in found] == [
        ("finfe_zh", "zh"),
        ("umsab", "de"),
        ("umsab", "de"),
        ("umsab", "en"),
        ("umsab", "en"),
    ]
    assert {one.split for one in found} == {"dev"}
    assert all(one.label is not None for one in found)
    assert real_examples(tmp_path, 3)[1:3] == found[1:3]


def test_a_folder_without_the_sets_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, "smsa_id", "sentiment_general", [("bagus", "positive", "id", "dev")])
    with pytest.raises(ModelError, match="none of umsab") as caught:
        real_examples(tmp_path, 2)
    assert "--data" in caught.value.mend


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["{folder}/nothing"], "no config.json in the model folder"),
        (["--data", "{folder}"], "none of umsab"),
        (["--data", "{folder}/nothing"], "no labelled text"),
        (["--out", "{folder}/nothing/report.md"], "cannot be written"),
    ],
)
def test_faults_are_one_line_and_a_mend(tmp_path: Path, arguments: list[str], said: str) -> None:
    (tmp_path / "train").mkdir()
    done = RUNNER.invoke(app, ["robustness", *(argument.format(folder=tmp_path) for argument in arguments)])
    assert done.exit_code == 1
    assert said in done.output
    assert "mend:" in done.output


def test_a_report_that_cannot_be_written_in_the_end_is_a_fault_too(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be written: Is a directory"):
        _write(tmp_path, "text")
