"""What the sink makes of faults that a healthy server does not have: answers of a scripted one."""

from __future__ import annotations

import pytest
from aiohttp import web

from streams.documents import Outcome
from streams.errors import BellwetherError, PermanentError, TransientError
from streams.settings import SearchSettings
from streams.sinks.search import SearchSink


@pytest.fixture
async def sink(scripted_search):
    opened = SearchSink(SearchSettings(url=scripted_search.server.url, index_prefix="t", timeout=2))
    await opened.open()
    yield opened
    await opened.close()


def _item(status: int, type: str = "", reason: str = "because") -> dict:
    return {"create": {"status": status, **({"error": {"type": type, "reason": reason}} if type else {})}}


@pytest.mark.parametrize(
    ("status", "type"),
    [
        (429, "es_rejected_execution_exception"),
        (503, "unavailable_shards_exception"),
        (500, "internal"),
        (403, "cluster_block_exception"),
        (404, "index_not_found_exception"),
        (400, "index_closed_exception"),
        (400, "validation_exception"),
    ],
)
async def test_a_fault_that_is_not_the_documents_own_claims_nothing(sink, scripted_search, elastic, make_document, status, type) -> None:
    documents = [make_document(number) for number in range(3)]
    scripted_search.bulk = lambda actions: elastic({"items": [_item(201), _item(status, type), _item(201)]})
    with pytest.raises(TransientError, match=type) as caught:
        await sink.index(documents)
    assert caught.value.mend
    # The repeat: what was written is there with our origin, the other is created now.
    written = {documents[0].id: documents[0].origin, documents[2].id: documents[2].origin}
    scripted_search.bulk = lambda actions: elastic(
        {"items": [_item(409, "version_conflict_engine_exception") if action["_id"] in written else _item(201) for action in actions]}
    )
    answer = scripted_search.answer

    async def with_mget(request: web.Request, body: bytes) -> web.StreamResponse:
        if request.path == "/_mget":
            return elastic({"docs": [{"found": True, "_source": {"origin": origin}} for origin in written.values()]})
        return await answer(request, body)

    scripted_search.server.answer = with_mget
    assert (await sink.index(documents)).outcomes == {document.origin: Outcome.INDEXED for document in documents}


@pytest.mark.parametrize("type", ["document_parsing_exception", "strict_dynamic_mapping_exception", "illegal_argument_exception"])
async def test_a_fault_of_the_document_rejects_it_alone(sink, scripted_search, elastic, make_document, type) -> None:
    scripted_search.bulk = lambda actions: elastic({"items": [_item(201), _item(400, type, "field [x]"), _item(201)]})
    report = await sink.index([make_document(number) for number in range(3)])
    assert [(document.origin, reason, detail) for document, reason, detail in report.rejected] == [
        ("journal-0-1", "search.rejected", f"{type}: field [x]")
    ]
    assert set(report.outcomes) == {"journal-0-0", "journal-0-2"}


@pytest.mark.parametrize("status", [400, 413])
async def test_a_refused_request_is_halved_until_the_one_document_is_found(sink, scripted_search, elastic, make_document, status) -> None:
    documents = [make_document(number) for number in range(16)]
    poison = documents[11].id

    def bulk(actions):
        if any(action["_id"] == poison for action in actions):
            return elastic({"error": {"type": "parse_exception", "reason": "no"}}, status)
        return elastic({"items": [_item(201) for _ in actions]})

    scripted_search.bulk = bulk
    report = await sink.index(documents)
    assert [document.origin for document, _, _ in report.rejected] == ["journal-0-11"]
    assert len(report.outcomes) == 15
    assert len(scripted_search.bulks) <= 9


@pytest.mark.parametrize("status", [429, 502, 503])
async def test_a_server_that_refuses_the_request_for_now(sink, scripted_search, elastic, make_document, status) -> None:
    scripted_search.bulk = lambda actions: elastic({"error": {"type": "busy", "reason": "later"}}, status)
    with pytest.raises(TransientError, match=str(status)):
        await sink.index([make_document(1), make_document(2)])
    assert len(scripted_search.bulks) == 1, "it is not for the sink to repeat"


async def test_lost_rights_while_running_are_waited_out(sink, scripted_search, elastic, make_document) -> None:
    scripted_search.bulk = lambda actions: elastic({"error": {"type": "security_exception", "reason": "expired"}}, 401)
    with pytest.raises(TransientError, match="401"):
        await sink.index([make_document(1)])


async def test_an_answer_that_is_not_json(sink, scripted_search, make_document) -> None:
    scripted_search.bulk = lambda actions: web.Response(
        text="<html>proxy</html>", headers={"X-Elastic-Product": "Elasticsearch", "content-type": "application/json"}
    )
    with pytest.raises(TransientError):
        await sink.index([make_document(1)])


async def test_a_silent_server_is_given_up_after_the_timeout(scripted_search, make_document) -> None:
    import asyncio

    async def silent(request: web.Request, body: bytes) -> web.StreamResponse:
        await asyncio.sleep(5)
        return web.Response()

    scripted_search.server.answer = silent
    sink = SearchSink(SearchSettings(url=scripted_search.server.url, index_prefix="t", timeout=0.2))
    with pytest.raises(TransientError, match="ConnectionTimeout"):
        await sink.open()
    await sink.close()


async def test_a_conflict_whose_document_is_gone_is_tried_again(sink, scripted_search, elastic, make_document) -> None:
    scripted_search.bulk = lambda actions: elastic({"items": [_item(409, "version_conflict_engine_exception")]})
    answer = scripted_search.answer

    async def with_mget(request: web.Request, body: bytes) -> web.StreamResponse:
        return elastic({"docs": [{"found": False}]}) if request.path == "/_mget" else await answer(request, body)

    scripted_search.server.answer = with_mget
    with pytest.raises(TransientError, match="gone"):
        await sink.index([make_document(1)])


async def test_somebody_elses_document_under_our_id_makes_ours_a_duplicate(sink, scripted_search, elastic, make_document) -> None:
    scripted_search.bulk = lambda actions: elastic({"items": [_item(409, "version_conflict_engine_exception")]})
    answer = scripted_search.answer

    async def with_mget(request: web.Request, body: bytes) -> web.StreamResponse:
        return elastic({"docs": [{"found": True, "_source": {}}]}) if request.path == "/_mget" else await answer(request, body)

    scripted_search.server.answer = with_mget
    assert (await sink.index([make_document(1)])).outcomes == {"journal-0-1": Outcome.DUPLICATE}


async def test_nothing_is_refreshed_while_indexing(sink, scripted_search, make_document) -> None:
    await sink.index([make_document(1)])
    bulk = [path for _, path, _, _ in scripted_search.server.requests if path.startswith("/_bulk")]
    assert len(bulk) == 1
    assert "refresh" not in bulk[0]
    assert not any("_refresh" in path for _, path, _, _ in scripted_search.server.requests)


async def test_what_is_no_elasticsearch_is_said_at_once(local_server) -> None:
    async def other(request: web.Request, body: bytes) -> web.StreamResponse:
        return web.json_response({"version": {"number": "2.11.0", "distribution": "opensearch"}})

    local_server.answer = other
    sink = SearchSink(SearchSettings(url=local_server.url))
    with pytest.raises(BellwetherError, match="Elasticsearch") as caught:
        await sink.open()
    assert not isinstance(caught.value, TransientError)
    await sink.close()


@pytest.mark.parametrize("status", [401, 403])
async def test_wrong_credentials_at_the_start_are_said_at_once_and_masked(local_server, elastic, status) -> None:
    async def refuses(request: web.Request, body: bytes) -> web.StreamResponse:
        return elastic({"error": {"type": "security_exception", "reason": "unable to authenticate"}, "status": status}, status)

    local_server.answer = refuses
    sink = SearchSink(SearchSettings(url=local_server.url, username="ann", password="hunter2"))  # type: ignore[arg-type]
    with pytest.raises(BellwetherError, match="unable to authenticate") as caught:
        await sink.open()
    assert not isinstance(caught.value, TransientError)
    assert "search.api_key" in caught.value.mend
    assert "hunter2" not in str(caught.value)
    await sink.close()


async def test_the_retry_after_of_the_server_is_passed_on(local_server, elastic) -> None:
    async def busy(request: web.Request, body: bytes) -> web.StreamResponse:
        return elastic({"error": {"type": "busy"}}, 503, **{"Retry-After": "7"})

    local_server.answer = busy
    sink = SearchSink(SearchSettings(url=local_server.url))
    with pytest.raises(TransientError) as caught:
        await sink.open()
    assert caught.value.retry_after == 7
    await sink.close()


async def test_a_newer_template_is_left_alone(scripted_search, elastic) -> None:
    answer = scripted_search.answer

    async def newer(request: web.Request, body: bytes) -> web.StreamResponse:
        if request.path == "/_index_template/t-documents" and request.method == "GET":
            return elastic({"index_templates": [{"name": "t-documents", "index_template": {"version": 999}}]})
        return await answer(request, body)

    scripted_search.server.answer = newer
    sink = SearchSink(SearchSettings(url=scripted_search.server.url, index_prefix="t"))
    await sink.open()
    await sink.close()
    put = [path for method, path, _, _ in scripted_search.server.requests if method == "PUT" and "_index_template" in path]
    assert put == ["/_index_template/t-alerts", "/_index_template/t-decisions", "/_index_template/t-deliveries"]


async def test_a_closed_sink_says_so(make_document) -> None:
    sink = SearchSink(SearchSettings())
    with pytest.raises(BellwetherError, match="not open"):
        await sink.index([make_document(1)])
    with pytest.raises(BellwetherError, match="not open"):
        _ = sink.capabilities


async def test_an_alert_that_the_index_will_never_take_is_told_and_not_tried_for_ever(sink, scripted_search, elastic, alert) -> None:
    answer = scripted_search.answer
    fault = {"error": {"type": "document_parsing_exception", "reason": "a mapping of somebody's own"}}

    async def refuses(request: web.Request, body: bytes) -> web.StreamResponse:
        return elastic(fault, 400) if request.path.startswith("/t-alerts/_create") else await answer(request, body)

    scripted_search.server.answer = refuses
    with pytest.raises(PermanentError, match="somebody's own") as caught:
        await sink.write_alert(alert)
    assert caught.value.reason == "search.rejected"
    fault["error"]["type"] = "index_closed_exception"
    with pytest.raises(TransientError):
        await sink.write_alert(alert)
