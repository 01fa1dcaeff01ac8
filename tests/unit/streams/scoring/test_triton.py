"""Faults that a real server does not make on demand, made by a small gRPC server that speaks Triton's protocol.

The real server stands in tests/integration/scoring.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import time
from collections.abc import AsyncIterator

import grpc
import numpy as np
import pytest
import pytest_asyncio
from tritonclient.grpc import service_pb2, service_pb2_grpc

from streams.errors import BellwetherError, PermanentError, TransientError
from streams.scoring.triton import IN_FLIGHT, TritonScorer
from streams.settings import TritonSettings

LABELS = {"model": "one+aa", "sentiment": ["negative", "neutral", "positive"], "topic": ["sport", "economy"], "embedding": 4}


def _bytes_tensor(values: list[bytes]) -> bytes:
    return b"".join(struct.pack("<I", len(value)) + value for value in values)


def _texts(raw: bytes) -> list[bytes]:
    texts, at = [], 0
    while at < len(raw):
        (size,) = struct.unpack_from("<I", raw, at)
        texts.append(raw[at + 4 : at + 4 + size])
        at += 4 + size
    return texts


class Scripted(service_pb2_grpc.GRPCInferenceServiceServicer):
    """Scores a text by its length; breaks as it is told."""

    def __init__(self) -> None:
        self.labels: object = LABELS
        self.max_batch = 8
        self.fail: tuple[grpc.StatusCode, str] | None = None
        self.delay = 0.0
        self.sizes: list[int] = []
        self.timeouts: set[int] = set()
        self.under_way = self.most_under_way = 0

    async def ModelConfig(self, request: object, context: grpc.aio.ServicerContext) -> object:  # noqa: N802
        answer = service_pb2.ModelConfigResponse()
        answer.config.max_batch_size = self.max_batch
        return answer

    async def ModelInfer(self, request: object, context: grpc.aio.ServicerContext) -> object:  # noqa: N802
        texts = _texts(request.raw_input_contents[0])
        names = [output.name for output in request.outputs]
        if names == ["LABELS"]:
            return self._answer({"LABELS": [json.dumps(self.labels).encode()]})
        self.sizes.append(len(texts))
        self.timeouts.add(request.parameters["timeout"].int64_param)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await asyncio.sleep(self.delay)
        finally:
            self.under_way -= 1
        if self.fail is not None:
            await context.abort(*self.fail)
        lengths = np.array([len(text) for text in texts], np.float32)
        model = self.labels["model"].encode() if isinstance(self.labels, dict) else b""
        return self._answer(
            {
                "SENTIMENT": np.repeat(lengths[:, None], 3, axis=1),
                "TOPIC": np.repeat(lengths[:, None], 2, axis=1),
                "EMBEDDING": np.repeat(lengths[:, None], 4, axis=1),
                "MODEL": [model] * len(texts),
            }
        )

    def _answer(self, tensors: dict[str, np.ndarray | list[bytes]]) -> object:
        answer = service_pb2.ModelInferResponse(model_name="bellwether", model_version="1")
        for name, values in tensors.items():
            strings = isinstance(values, list)
            output = answer.outputs.add(name=name, datatype="BYTES" if strings else "FP32")
            output.shape.extend([len(values), 1] if strings else values.shape)
            answer.raw_output_contents.append(_bytes_tensor(values) if strings else values.tobytes())
        return answer


class Served:
    def __init__(self, scripted: Scripted, url: str) -> None:
        self.scripted = scripted
        self.url = url


@pytest_asyncio.fixture
async def served() -> AsyncIterator[Served]:
    scripted = Scripted()
    server = grpc.aio.server()
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(scripted, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield Served(scripted, f"127.0.0.1:{port}")
    await server.stop(None)


@pytest_asyncio.fixture
async def scorer(served: Served) -> AsyncIterator[TritonScorer]:
    opened = TritonScorer(TritonSettings(url=served.url, deadline=5))
    await opened.open()
    yield opened
    await opened.close()


async def test_the_server_names_model_and_topics(scorer: TritonScorer) -> None:
    assert scorer.model_id == "one+aa"
    assert scorer.topics == ("sport", "economy")


@pytest.mark.parametrize(("asked", "offered", "expected"), [(64, 8, [8, 8, 4]), (5, 8, [5, 5, 5, 5]), (64, 64, [20]), (64, 0, [1] * 20)])
async def test_requests_are_as_large_as_both_sides_allow(served: Served, asked: int, offered: int, expected: list[int]) -> None:
    served.scripted.max_batch = offered
    scorer = TritonScorer(TritonSettings(url=served.url, max_batch=asked))
    await scorer.open()
    scores = await scorer.score(["x" * number for number in range(1, 21)])
    await scorer.close()
    assert sorted(served.scripted.sizes, reverse=True) == expected
    assert scores.sentiment[:, 0].tolist() == list(range(1, 21))


async def test_a_few_requests_at_once_and_no_more(served: Served, scorer: TritonScorer) -> None:
    served.scripted.delay = 0.02
    await asyncio.gather(*(scorer.score(["x"] * 40) for _ in range(3)))
    assert served.scripted.most_under_way == IN_FLIGHT


async def test_the_deadline_travels_as_the_requests_timeout(served: Served, scorer: TritonScorer) -> None:
    await scorer.score(["x"])
    assert served.scripted.timeouts == {5_000_000}


async def test_nothing_to_score_asks_nobody(served: Served, scorer: TritonScorer) -> None:
    scores = await scorer.score([])
    assert (scores.sentiment.shape, scores.topic.shape, scores.embedding.shape) == ((0, 3), (0, 2), (0, 4))
    assert served.scripted.sizes == []


@pytest.mark.parametrize(
    "code",
    [
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.ABORTED,
        # The model was unloaded, or the access changed, while documents flow: none of them is to blame.
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNAUTHENTICATED,
    ],
)
async def test_transient_faults_pass(served: Served, scorer: TritonScorer, code: grpc.StatusCode) -> None:
    served.scripted.fail = (code, "so it is")
    with pytest.raises(TransientError) as caught:
        await scorer.score(["x"])
    assert caught.value.mend
    served.scripted.fail = None
    assert (await scorer.score(["xx"])).sentiment[0, 0] == 2


@pytest.mark.parametrize("code", [grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.OUT_OF_RANGE])
async def test_refusals_are_permanent(served: Served, scorer: TritonScorer, code: grpc.StatusCode) -> None:
    served.scripted.fail = (code, "not such a text")
    with pytest.raises(PermanentError, match="not such a text") as caught:
        await scorer.score(["x"])
    assert caught.value.reason == "triton.refused"


async def test_a_lone_surrogate_never_reaches_the_server(served: Served, scorer: TritonScorer) -> None:
    with pytest.raises(PermanentError) as caught:
        await scorer.score(["x", "\ud800"])
    assert caught.value.reason == "encoding.surrogate"
    assert served.scripted.sizes == []


async def test_one_failure_calls_the_other_requests_off(served: Served, scorer: TritonScorer) -> None:
    served.scripted.fail = (grpc.StatusCode.UNAVAILABLE, "full")
    with pytest.raises(TransientError):
        await scorer.score(["x"] * 8 * 50)
    assert len(served.scripted.sizes) <= 2 * IN_FLIGHT


async def test_a_late_answer_is_transient(served: Served) -> None:
    scorer = TritonScorer(TritonSettings(url=served.url, deadline=1))
    await scorer.open()
    served.scripted.delay = 5
    started = time.monotonic()
    with pytest.raises(TransientError, match="within 1 s") as caught:
        await scorer.score(["x"])
    assert time.monotonic() - started < 5, "it was not waited for"
    assert "triton.deadline" in caught.value.mend
    await scorer.close()


async def test_another_model_under_way_is_noticed(served: Served, scorer: TritonScorer) -> None:
    served.scripted.labels = LABELS | {"model": "two+bb", "topic": ["politics", "health"]}
    with pytest.raises(TransientError, match=r"one\+aa by two\+bb") as caught:
        await scorer.score(["x"])
    assert caught.value.retry_after == 0
    assert (scorer.model_id, scorer.topics) == ("two+bb", ("politics", "health"))
    assert (await scorer.score(["xxx"])).topic[0, 0] == 3


@pytest.mark.parametrize(
    ("labels", "complaint"),
    [
        (LABELS | {"sentiment": ["positive", "neutral", "negative"]}, "gives the sentiments"),
        ({"model": "one"}, "does not tell its labels"),
        ([], "does not tell its labels"),
        (LABELS | {"topic": 5}, "does not tell its labels"),
    ],
)
async def test_a_model_that_is_not_ours_is_refused(served: Served, labels: object, complaint: str) -> None:
    served.scripted.labels = labels
    scorer = TritonScorer(TritonSettings(url=served.url))
    with pytest.raises(BellwetherError, match=complaint) as caught:
        await scorer.open()
    assert not isinstance(caught.value, (TransientError, PermanentError))
    assert "triton_repo" in caught.value.mend


@pytest_asyncio.fixture
async def silent() -> AsyncIterator[str]:
    """A port that accepts connections and never says a word."""
    held: list[asyncio.StreamWriter] = []

    async def hold(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    for writer in held:
        writer.close()
    server.close()


async def test_a_mute_server_is_given_up_at_the_deadline(silent: str) -> None:
    scorer = TritonScorer(TritonSettings(url=silent, deadline=0.4))
    started = time.monotonic()
    with pytest.raises(TransientError):
        await scorer.open()
    assert time.monotonic() - started < 10


async def test_refused_connections_are_transient() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    scorer = TritonScorer(TritonSettings(url=f"127.0.0.1:{port}"))
    with pytest.raises(TransientError, match="does not serve: UNAVAILABLE") as caught:
        await scorer.open()
    assert caught.value.mend
    await scorer.close()


def test_several_addresses_are_refused() -> None:
    with pytest.raises(BellwetherError, match="several servers") as caught:
        TritonScorer(TritonSettings(url="a:1,b:2"))
    assert "load balancer" in caught.value.mend


async def test_not_open() -> None:
    scorer = TritonScorer(TritonSettings())
    for ask in (lambda: scorer.model_id, lambda: scorer.topics):
        with pytest.raises(BellwetherError, match="not open"):
            ask()
    with pytest.raises(BellwetherError, match="not open"):
        await scorer.score(["early"])
    await scorer.close()
