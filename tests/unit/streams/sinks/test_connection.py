from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.errors import SettingsError
from streams.settings import SearchSettings
from streams.sinks.connection import connect, masked

_NAME = st.text(alphabet="abcdefghijklmnopqrstuvwxyz0123456789", min_size=6, max_size=12)


@given(user=_NAME, password=_NAME, token=_NAME)
def test_no_secret_of_an_address_is_printed(user: str, password: str, token: str) -> None:
    shown = masked(f"https://{user}:{password}@hooks.example:8443/path?token={token}#x")
    assert shown == "https://***@hooks.example:8443/path"


@pytest.mark.parametrize("url", ["http://127.0.0.1:9200", "https://search.example/es"])
def test_an_address_without_secrets_is_printed_as_it_is(url: str) -> None:
    assert masked(url) == url


@pytest.mark.parametrize(
    ("url", "port"), [("https://search.example", 443), ("http://search.example", 80), ("https://search.example:9243/es", 9243)]
)
async def test_an_address_needs_no_port(url: str, port: int) -> None:
    client = connect(SearchSettings(url=url))
    (node,) = client.transport.node_pool.all()
    assert (node.host, node.port) == ("search.example", port)
    await client.close()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"api_key": "k", "username": "u", "password": "p"}, "both api_key and username"),
        ({"username": "u"}, "go together"),
        ({"password": "p"}, "go together"),
        ({"url": "http://search.example:99999"}, "url"),
        ({"url": "https://search.example", "ca_certs": Path("no-such-file.pem")}, "search"),
    ],
)
def test_settings_that_cannot_work_are_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        connect(SearchSettings.model_validate(changes))
    assert caught.value.mend


async def test_credentials_reach_the_server(local_server, elastic) -> None:
    async def answer(request, body):
        return elastic({"version": {"number": "8.15.0"}})

    local_server.answer = answer
    for changes, header in (
        ({"username": "ann", "password": "pw"}, "Basic YW5uOnB3"),
        ({"api_key": "bWluZQ=="}, "ApiKey bWluZQ=="),
    ):
        client = connect(SearchSettings.model_validate({"url": local_server.url, **changes}))
        await client.info()
        await client.close()
        assert local_server.requests[-1][2]["authorization"] == header
