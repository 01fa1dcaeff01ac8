from __future__ import annotations

import json
from pathlib import Path

import pytest

from models.errors import TRAIN_MEND, ModelError, require


def test_a_module_that_is_there_is_given() -> None:
    assert require("json") is json


def test_a_module_that_is_missing_names_the_extra() -> None:
    with pytest.raises(ModelError, match="'no_such_package' is not installed") as caught:
        require("no_such_package.inside")
    assert caught.value.mend == TRAIN_MEND == "pip install 'bellwether[train]'"


def test_a_module_that_is_there_but_broken_is_not_called_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_package.py").write_text("import no_such_dependency\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ModuleNotFoundError, match="no_such_dependency"):
        require("broken_package")


def test_the_message_is_the_text_and_the_mend_is_beside_it() -> None:
    error = ModelError("no model", mend="train one")
    assert str(error) == "no model"
    assert error.mend == "train one"
