"""The Triton scorer against the real server, killed, frozen and misused."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.artifact import Artifact
from models.inference import Encoder, Scores
from streams.documents import RawDocument
from streams.embedded.triton import REPOSITORY
from streams.errors import BellwetherError, PermanentError, TransientError
from streams.newswire import NEWSWIRE
from streams.scoring.contract import Scores as ContractScores
from streams.scoring.onnx import OnnxScorer
from streams.scoring.selection import AutoScorer
from streams.scoring.triton import TritonScorer
from streams.settings import TritonSettings

if TYPE_CHECKING:
    from conftest import Server

ODD = ["", " ", "\x00", "x", "😀🔥", "﷽", "\u200b\ufeff", "word " * 3000, "字" * 3000, "\U0010ffff"]


@pytest.fixture(scope="module")
def texts() -> list[str]:
    """The newswire's texts of all its languages, and odd ones."""
    lines = NEWSWIRE.read_text(encoding="utf-8").splitlines()[::3]
    documents = [RawDocument.model_validate_json(line) for line in lines]
    return [f"{document.title} {document.text}" for document in documents] + ODD


@pytest.fixture(scope="module")
def expected(artifact: Artifact, texts: list[str]) -> Scores:
    with Encoder(artifact) as encoder:
        return encoder.score(texts)


def _same(found: ContractScores, expected: Scores, rows: list[int] | slice = slice(None)) -> bool:
    pairs = zip((found.sentiment, found.topic, found.embedding), expected, strict=True)
    return all(np.array_equal(one, other[rows]) for one, other in pairs)


async def _infer(server: Server, body: dict[str, Any], path: str = "/v2/models/bellwether/infer") -> httpx.Response:
    async with httpx.AsyncClient(base_url=server.http_url, timeout=30) as client:
        return await client.post(path, json=body)


def _body(*texts: Any, outputs: tuple[str, ...] = ("SENTIMENT",)) -> dict[str, Any]:
    tensor = {"name": "TEXT", "shape": [len(texts), 1], "datatype": "BYTES", "data": list(texts)}
    return {"inputs": [tensor], "outputs": [{"name": name} for name in outputs]}


async def test_identical_to_the_scorer_in_process(scorer: TritonScorer, texts: list[str], expected: Scores, artifact: Artifact) -> None:
    in_process = OnnxScorer()
    await in_process.open()
    local = await in_process.score(texts)
    await in_process.close()
    assert _same(local, expected)
    assert _same(await scorer.score(texts), expected)
    assert scorer.model_id == artifact.model_id
    assert scorer.topics == artifact.topic_labels


@pytest.mark.parametrize("max_batch", [1, 7, 1000])
async def test_the_size_of_requests_changes_nothing(server: Server, texts: list[str], expected: Scores, max_batch: int) -> None:
    scorer = TritonScorer(TritonSettings(url=server.url, max_batch=max_batch))
    await scorer.open()
    some = list(range(0, len(texts), 2))[:70]
    found = await scorer.score([texts[row] for row in some])
    await scorer.close()
    assert _same(found, expected, some)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.integers(0, 60), max_size=20))
async def test_order_is_kept(scorer: TritonScorer, texts: list[str], expected: Scores, rows: list[int]) -> None:
    assert _same(await scorer.score([texts[row] for row in rows]), expected, rows)


async def test_requests_of_many_clients_are_merged_and_told_apart(server: Server, texts: list[str], expected: Scores) -> None:
    async with httpx.AsyncClient(base_url=server.http_url) as client:

        async def counts() -> tuple[int, int]:
            stats = (await client.get("/v2/models/bellwether/stats")).json()["model_stats"][0]
            return int(stats["inference_count"]), int(stats["execution_count"])

        async def counted(inferences: int) -> tuple[int, int]:
            # Triton counts a request a moment after it has answered.
            async with asyncio.timeout(30):
                while (found := await counts())[0] < inferences:
                    await asyncio.sleep(0.05)
            return found

        await asyncio.sleep(0.5)  # requests of the test before
        before = await counts()
        scorers = [TritonScorer(TritonSettings(url=server.url)) for _ in range(4)]
        for scorer in scorers:
            await scorer.open()
        opened = await counted(before[0] + 4)
        answers = await asyncio.gather(*(scorers[row % 4].score([texts[row]]) for row in range(60)))
        after = await counted(opened[0] + 60)
        for scorer in scorers:
            await scorer.close()
    assert opened[0] - before[0] == 4
    assert after[0] - opened[0] == 60
    assert after[1] - opened[1] < 40
    for row, found in enumerate(answers):
        assert _same(found, expected, [row])


async def test_a_frozen_server_is_a_transient_error_in_time(server: Server, texts: list[str], expected: Scores) -> None:
    scorer = TritonScorer(TritonSettings(url=server.url, deadline=1.0))
    await scorer.open()
    server.signal(signal.SIGSTOP)
    try:
        started = time.monotonic()
        with pytest.raises(TransientError, match="within 1 s"):
            await scorer.score(texts[:3])
        assert time.monotonic() - started < 10
    finally:
        server.signal(signal.SIGCONT)
    await server.ready()
    assert _same(await _eventually(lambda: scorer.score(texts[:3])), expected, [0, 1, 2])
    await scorer.close()


async def _eventually(call: Callable[[], Any], seconds: float = 60.0) -> Any:
    """The result of `call`, repeated while it raises TransientError."""
    until = time.monotonic() + seconds
    while True:
        try:
            return await call()
        except TransientError:
            if time.monotonic() > until:
                raise
            await asyncio.sleep(0.2)


async def test_killed_in_mid_call_and_started_again(server: Server, scorer: TritonScorer, texts: list[str], expected: Scores) -> None:
    call = asyncio.create_task(scorer.score(texts * 5))
    await asyncio.sleep(0.05)
    server.signal(signal.SIGSTOP)  # a fast machine must not be done before the kill
    assert not call.done()
    server.kill()
    with pytest.raises(TransientError):
        await asyncio.wait_for(call, 60)
    started = time.monotonic()
    with pytest.raises(TransientError, match="UNAVAILABLE"):
        await scorer.score(texts[:1])
    assert time.monotonic() - started < 15
    server.start()
    await server.ready()
    assert _same(await _eventually(lambda: scorer.score(texts[:9])), expected, slice(9))


async def test_any_client_can_call_it(server: Server, artifact: Artifact, expected: Scores, texts: list[str]) -> None:
    answer = await _infer(server, _body(texts[0], "мир", outputs=("SENTIMENT", "TOPIC", "EMBEDDING", "MODEL", "LABELS")))
    assert answer.status_code == 200, answer.text
    outputs = {output["name"]: output for output in answer.json()["outputs"]}
    assert outputs["SENTIMENT"]["shape"] == [2, 3]
    np.testing.assert_array_equal(np.array(outputs["SENTIMENT"]["data"][:3], np.float32), expected.sentiment[0])
    assert outputs["TOPIC"]["shape"] == [2, len(artifact.topic_labels)]
    assert outputs["MODEL"]["data"] == [artifact.model_id] * 2
    labels = json.loads(outputs["LABELS"]["data"][1])
    assert labels["topic"] == list(artifact.topic_labels)
    assert outputs["EMBEDDING"]["shape"] == [2, labels["embedding"]]


async def test_the_classification_extension_names_the_sentiments(server: Server, expected: Scores, texts: list[str]) -> None:
    body = _body(texts[0]) | {"outputs": [{"name": "SENTIMENT", "parameters": {"classification": 1}}]}
    (told,) = (await _infer(server, body)).json()["outputs"][0]["data"]
    best = int(expected.sentiment[0].argmax())
    assert told.split(":")[1:] == [str(best), ("negative", "neutral", "positive")[best]]


async def _raw(server: Server, payload: bytes, texts: int) -> httpx.Response:
    """A request with binary tensor data, so that the bytes can be anything."""
    tensor = {"name": "TEXT", "shape": [texts, 1], "datatype": "BYTES", "parameters": {"binary_data_size": len(payload)}}
    header = json.dumps({"inputs": [tensor], "outputs": [{"name": "SENTIMENT"}]}).encode()
    async with httpx.AsyncClient(base_url=server.http_url, timeout=30) as client:
        headers = {"Inference-Header-Content-Length": str(len(header))}
        return await client.post("/v2/models/bellwether/infer", content=header + payload, headers=headers)


def _tensor(*values: bytes) -> bytes:
    return b"".join(len(value).to_bytes(4, "little") + value for value in values)


async def test_bytes_that_are_not_text_fail_alone(server: Server, texts: list[str], expected: Scores) -> None:
    bad = _raw(server, _tensor(b"good", b"\xff\xfe bad"), 2)
    good = [_infer(server, _body(text)) for text in texts[:12]]
    refused, *answers = await asyncio.gather(bad, *good)
    assert refused.status_code == 400
    assert refused.json()["error"].endswith("TEXT[1] is not UTF-8: invalid start byte at byte 0")
    for row, answer in enumerate(answers):
        assert answer.status_code == 200
        np.testing.assert_array_equal(np.array(answer.json()["outputs"][0]["data"], np.float32), expected.sentiment[row])


@pytest.mark.parametrize(
    ("payload", "count"), [(b"\x00", 1), (b"\xff\xff\xff\xff", 1), (_tensor(b"one"), 2), (_tensor(b"one", b"two"), 1), (b"", 1)]
)
async def test_broken_tensors_are_refused_and_the_server_lives(server: Server, payload: bytes, count: int) -> None:
    assert (await _raw(server, payload, count)).status_code >= 400
    assert (await _infer(server, _body("still here"))).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"inputs": []},
        {"inputs": [{"name": "WORDS", "shape": [1, 1], "datatype": "BYTES", "data": ["x"]}]},
        {"inputs": [{"name": "TEXT", "shape": [1, 1], "datatype": "FP32", "data": [1.0]}]},
        {"inputs": [{"name": "TEXT", "shape": [1, 2], "datatype": "BYTES", "data": ["x", "y"]}]},
        _body(*["x"] * 65),
    ],
)
async def test_requests_that_make_no_sense_are_refused(server: Server, body: dict[str, Any]) -> None:
    assert (await _infer(server, body)).status_code >= 400
    assert (await _infer(server, _body("still here"))).status_code == 200


async def test_an_unknown_model_is_said_at_once(server: Server) -> None:
    scorer = TritonScorer(TritonSettings(url=server.url, model="nonesuch"))
    with pytest.raises(BellwetherError, match="has no such model") as caught:
        await scorer.open()
    assert not isinstance(caught.value, (TransientError, PermanentError))
    assert "triton_repo" in caught.value.mend


async def test_auto_takes_the_server_and_else_the_process(server: Server, texts: list[str], expected: Scores) -> None:
    kinds = []
    for url in (server.url, "127.0.0.1:1"):
        scorer = AutoScorer(TritonScorer(TritonSettings(url=url)), OnnxScorer(), patience=0.5)
        await scorer.open()
        kinds.append(type(scorer.chosen))
        assert _same(await scorer.score(texts[:5]), expected, slice(5))
        await scorer.close()
    assert kinds == [TritonScorer, OnnxScorer]


def _other_model(artifact: Artifact, folder: Path) -> Path:
    """The same graph under another name, and with its topics in other words."""
    shutil.copytree(artifact.root, folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    # A calibration belongs to one model id.
    (folder / "calibration.json").unlink()
    del config["sha256"]["calibration.json"]
    config |= {"model_id": "other-2+00000000", "topic_labels": [f"topic {number}" for number in range(len(config["topic_labels"]))]}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


async def test_another_model_after_a_restart(
    server: Server, scorer: TritonScorer, artifact: Artifact, texts: list[str], expected: Scores, tmp_path: Path
) -> None:
    server.kill()
    server.environment = {"BELLWETHER_SCORING__MODEL": str(_other_model(artifact, tmp_path / "model")), "BELLWETHER_SCORING__THREADS": "1"}
    try:
        server.start()
        await server.ready()
        assert scorer.model_id == artifact.model_id
        found = await _eventually(lambda: scorer.score(texts[:3]))
        assert scorer.model_id == "other-2+00000000"
        assert scorer.topics[0] == "topic 0"
        assert _same(found, expected, slice(3))
    finally:
        server.environment = {}
        server.kill()


async def test_the_artifact_may_be_named_in_the_config(make_server: Callable[..., Server], artifact: Artifact, tmp_path: Path) -> None:
    repository = shutil.copytree(REPOSITORY, tmp_path / "repository")
    config = repository / "bellwether" / "config.pbtxt"
    folder = _other_model(artifact, tmp_path / "model")
    before, after = (f'key: "artifact"\n  value {{ string_value: "{value}" }}' for value in ("", folder))
    assert before in config.read_text()
    config.write_text(config.read_text().replace(before, after))
    server = make_server(repository, BELLWETHER_SCORING__MODEL="")
    await server.ready()
    answer = await _infer(server, _body("x", outputs=("MODEL",)))
    server.kill()
    assert answer.json()["outputs"][0]["data"] == ["other-2+00000000"]


async def test_a_missing_artifact_is_named_in_the_log(make_server: Callable[..., Server], tmp_path: Path) -> None:
    server = make_server(BELLWETHER_SCORING__MODEL=str(tmp_path / "nowhere"))
    assert server.process is not None
    await asyncio.to_thread(server.process.wait, 60)
    assert "no config.json in the model folder" in server.log.read_text(errors="replace")
