"""The one exception of the package, and the lazy import that names its mend."""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["TRAIN_MEND", "ModelError", "require"]

TRAIN_MEND = "pip install 'bellwether[train]'"


class ModelError(Exception):
    """Something about a model, its data or its artifact is wrong.

    ``str(error)`` says what is wrong and where, in one line; ``mend`` says how to put it right.
    """

    def __init__(self, message: str, *, mend: str) -> None:
        super().__init__(message)
        self.mend = mend


def require(module: str) -> Any:
    """Import ``module``, which only the extra ``train`` installs.

    Raises:
        ModelError: the module is not installed; the mend is the ``pip`` line.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != module.split(".")[0]:
            raise
        message = f"the Python package {module.split('.')[0]!r} is not installed; training and unpacking need it"
        raise ModelError(message, mend=TRAIN_MEND) from error
