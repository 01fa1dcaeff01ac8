"""Repositories as ``bellwether models build`` writes them, under the real server.

The GPU repository runs whole but for the GPU: in place of ONNX Runtime's backend, which this server lacks, a Python model of the same
name and tensors runs the same graph on the processor.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as pb

from models.artifact import Artifact
from models.export.triton import FRONT, GRAPH, build_repository, front_config, graph_config, read_config
from models.inference import Encoder
from streams.scoring.triton import TritonScorer
from streams.settings import TritonSettings

if TYPE_CHECKING:
    from conftest import Server

_PYTRITON = importlib.util.find_spec("pytriton")
_CACHES = Path(_PYTRITON.origin).parent / "tritonserver" / "caches" if _PYTRITON and _PYTRITON.origin else Path()

TEXTS = ["Profits doubled.", "Убытки выросли вдвое.", "銀行の利益は横ばいだった。", "x", "word " * 300, "The cup final was abandoned. " * 4]

_STAND_IN = """
import numpy as np, onnxruntime, triton_python_backend_utils as pb
from pathlib import Path

class TritonPythonModel:
    def initialize(self, args):
        self.session = onnxruntime.InferenceSession(str(Path(args["model_repository"]) / "1" / "model.onnx"))
        self.names = [one.name for one in self.session.get_outputs()]

    def execute(self, requests):
        answers = []
        for request in requests:
            feeds = {name: pb.get_input_tensor_by_name(request, name).as_numpy() for name in ("input_ids", "attention_mask")}
            found = dict(zip(self.names, self.session.run(self.names, feeds)))
            wanted = request.requested_output_names()
            answers.append(pb.InferenceResponse([pb.Tensor(name, found[name]) for name in wanted]))
        return answers
"""


def _stand_in(repository: Path, artifact: Artifact) -> None:
    """What ``_write_graph`` leaves, with the int8 artifact and a Python model under it."""
    folder = repository / GRAPH
    shutil.copytree(artifact.root, folder / "1")
    widths = [(head, len(artifact.labels(head))) for head in ("sentiment", "topic", "event")]
    config = graph_config([*widths, ("embedding", 384)], artifact.max_length)
    config.backend, config.default_model_filename = "python", ""
    config.ClearField("optimization")
    del config.instance_group[:]
    config.instance_group.add(count=1, kind=pb.ModelInstanceGroup.KIND_CPU)
    (folder / "config.pbtxt").write_text(text_format.MessageToString(config), encoding="utf-8")
    (folder / "1" / "model.py").write_text(_STAND_IN, encoding="utf-8")
    (repository / FRONT / "config.pbtxt").write_text(text_format.MessageToString(front_config("gpu")), encoding="utf-8")
    shutil.rmtree(repository / FRONT / "artifact")


async def _infer(server: Server, text: str, *outputs: str) -> httpx.Response:
    tensor = {"name": "TEXT", "shape": [1, 1], "datatype": "BYTES", "data": [text]}
    body = {"inputs": [tensor], "outputs": [{"name": name} for name in outputs]}
    async with httpx.AsyncClient(base_url=server.http_url, timeout=60, trust_env=False) as client:
        return await client.post("/v2/models/bellwether/infer", json=body)


async def test_a_processor_repository_serves_its_own_artifact(
    make_server: Callable[..., Server], artifact: Artifact, tmp_path: Path
) -> None:
    server = make_server(build_repository(artifact, tmp_path / "repository", "cpu"))
    await server.ready()
    scorer = TritonScorer(TritonSettings(url=server.url))
    await scorer.open()
    found, served = await scorer.score(TEXTS), scorer.model_id
    await scorer.close()
    with Encoder(artifact) as encoder:
        expected = encoder.score(TEXTS)
    assert served == artifact.model_id
    assert np.array_equal(found.sentiment, expected.sentiment)
    labels = json.loads((await _infer(server, "x", "LABELS")).json()["outputs"][0]["data"][0])
    assert labels["event"] == list(artifact.event_labels)
    event = (await _infer(server, "x", "EVENT")).json()["outputs"][0]
    assert event["shape"] == [1, len(artifact.event_labels)], "nought where the model has no such head"
    everything = await _infer(server, "x")
    assert everything.status_code == 200, everything.text


async def test_a_gpu_repository_tokenises_and_calls_its_graph(
    make_server: Callable[..., Server], artifact: Artifact, tmp_path: Path
) -> None:
    repository = build_repository(artifact, tmp_path / "repository", "cpu")
    _stand_in(repository, artifact)
    server = make_server(repository)
    await server.ready()
    scorer = TritonScorer(TritonSettings(url=server.url))
    await scorer.open()
    found, served = await scorer.score(TEXTS), scorer.model_id
    await scorer.close()
    with Encoder(artifact) as encoder:
        expected = encoder.score(TEXTS)
    assert served == artifact.model_id
    assert found.sentiment == pytest.approx(expected.sentiment, abs=2e-3), "padding is masked, to the rounding of int8"
    assert (found.embedding * expected.embedding).sum(1).min() > 0.999

    server.kill()
    server.spec.command.extend([f"--cache-directory={_CACHES}", "--cache-config=local,size=8388608"])
    server.start()
    await server.ready()
    for outputs in (("SENTIMENT",), ("SENTIMENT", "TOPIC"), ("LABELS",)):
        answer = (await _infer(server, "Profits doubled.", *outputs)).json()
        assert [one["name"] for one in answer["outputs"]] == list(outputs), "whatever was asked for first"
        if "SENTIMENT" in outputs:
            assert answer["outputs"][0]["data"] == pytest.approx(expected.sentiment[0].tolist(), abs=2e-3)
    async with httpx.AsyncClient(base_url=server.http_url, timeout=60, trust_env=False) as client:
        stats = (await client.get(f"/v2/models/{GRAPH}/stats")).json()["model_stats"][0]["inference_stats"]
    assert (stats["cache_hit"]["count"], stats["cache_miss"]["count"]) == (2, 1)


async def test_a_graph_that_is_not_there_is_said(make_server: Callable[..., Server], artifact: Artifact, tmp_path: Path) -> None:
    repository = build_repository(artifact, tmp_path / "repository", "cpu")
    _stand_in(repository, artifact)
    front = read_config(repository / FRONT / "config.pbtxt")
    front.parameters["graph"].string_value = "nonesuch"
    (repository / FRONT / "config.pbtxt").write_text(text_format.MessageToString(front), encoding="utf-8")
    server = make_server(repository)
    await server.ready()
    answer: Any = await _infer(server, "x", "SENTIMENT")
    assert answer.status_code >= 400
    assert "nonesuch" in answer.json()["error"]
