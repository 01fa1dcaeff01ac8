"""``bellwether models export`` and ``bellwether models build``: the artifact in another precision, and the Triton repository around it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from models.artifact import DEFAULT_ARTIFACT, load_artifact
from models.command_line import console, errors, reported
from models.data import examples, find_data, read_rows
from models.encoder.pretrained import load_pretrained
from models.export.variants import demand_own, export_precision
from models.progress import shown_progress
from models.texts.sampling import choose

__all__ = ["check_texts", "register"]


ModelArgument = Annotated[Path, typer.Argument(help="Model folder.")]
EncoderOption = Annotated[Path | None, typer.Option("--encoder", help="Unquantised weights: the …-tuned folder of the model's run.")]


def check_texts(data: Path, rows: int) -> list[str]:
    """``rows`` dev texts of every set and language under ``data/train``, thinned evenly to 50 times that, the same on every run."""
    found = []
    for path in sorted((data / "train").glob("*/*.jsonl*")):
        task = "topic" if path.parent.name == "topic" else "sentiment"
        found += choose(examples((row for row in read_rows(path) if row.split == "dev"), task), lambda source, lang: rows)
    return [one.text for one in found[:: max(1, len(found) // (50 * rows))]]


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""

    @app.command()
    def export(
        model: ModelArgument = DEFAULT_ARTIFACT,
        out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder to write; NAME-PRECISION in this folder by default.")] = None,
        precision: Annotated[str, typer.Option(help="fp32, fp16 (both in standard operators) or int8 (as it ships).")] = "fp16",
        encoder: EncoderOption = None,
        check: Annotated[bool, typer.Option("--check", help="Compare the graph with PyTorch on labelled dev texts.")] = False,
        data: Annotated[Path | None, typer.Option("--data", help="Folder with train/, for --check; ../shared/data by default.")] = None,
        rows: Annotated[int, typer.Option(help="Texts a set and language, for --check.", min=1)] = 8,
    ) -> None:
        """Write the model as one ONNX graph of another precision: all heads and the pooled embedding.

        Example: bellwether models export --precision fp16 --check --out bellwether-fp16
        """
        from models.encoder.restoration import restore, with_weights
        from models.export.check import check_export
        from models.export.variants import write_variant

        with reported(), shown_progress(errors) as show:
            wanted = export_precision(precision)
            target = out or Path(f"{model.resolve().name}-{wanted}")
            if target.resolve() != model.resolve():
                demand_own(target)
            texts = check_texts(find_data(data), rows) if check else []
            artifact = load_artifact(model)
            artifact.verify()
            restored = restore(artifact)
            if encoder is not None:
                restored = with_weights(restored, load_pretrained(str(encoder)))
            made = write_variant(artifact, restored, wanted, target)
            if check:
                report = check_export(made, restored, wanted, texts, show)
                for line in report.lines():
                    console.print(line, highlight=False, soft_wrap=True)
                report.demand()
        size = (target / "model.onnx").stat().st_size / 1e6
        console.print(f"{made.model_id} in {target}, {size:.1f} MB", soft_wrap=True, highlight=False)

    @app.command()
    def build(
        model: ModelArgument = DEFAULT_ARTIFACT,
        out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the Triton model repository.")] = Path("triton_repo_built"),
        device: Annotated[str, typer.Option(help="cpu, gpu, or auto: gpu where NVIDIA's driver finds one.")] = "auto",
        encoder: EncoderOption = None,
    ) -> None:
        """Build a Triton model repository that holds the model: text in, scores out, the same tensors on a processor and on a GPU.

        Example: bellwether models build --device auto --out /srv/triton
        """
        from models.export.triton import build_repository, chosen_device

        with reported():
            wanted = chosen_device(device)
            artifact = load_artifact(model)
            artifact.verify()
            weights = None if encoder is None else load_pretrained(str(encoder))
            made = build_repository(artifact, out, wanted, weights)
        console.print(f"{artifact.model_id} for {wanted} in {made}", soft_wrap=True, highlight=False)
        cache = " --cache-config=local,size=67108864" if wanted == "gpu" else ""
        console.print(f"tritonserver --model-repository={made}{cache}", soft_wrap=True, highlight=False)
