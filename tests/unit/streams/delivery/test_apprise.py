"""Apprise against a real receiver of its own JSON, and against ones that hang, refuse, or are not public."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from ipaddress import ip_network
from typing import Any

import pytest
from aiohttp import web

from streams.delivery.apprise import AppriseSender, text_of
from streams.delivery.channels import AppriseChannel
from streams.delivery.guard import Guard
from streams.documents import Alert, Explanation, Key, Member, WordEffect
from streams.errors import PermanentError, SettingsError, TransientError

Make = Callable[..., Alert]
GUARD = Guard([ip_network("127.0.0.0/8")])


def sender(url: str, guard: Guard = GUARD, timeout: float = 3) -> AppriseSender:
    return AppriseSender(AppriseChannel.model_validate({"name": "chat", "type": "apprise", "url": url, "timeout": timeout}), guard)


def address(receiver: Any, user: str = "") -> str:
    return f"json://{user}{receiver.url.removeprefix('http://')}/hook"


@pytest.mark.parametrize(("status", "kind"), [("firing", "failure"), ("resolved", "success")])
async def test_a_notice_arrives(receiver: Any, make_alert: Make, status: str, kind: str) -> None:
    sending = sender(address(receiver))
    await sending.send(make_alert(1, status), "msg-1")
    await sending.close()
    await sending.close()
    [(path, _, body)] = receiver.requests
    notice = json.loads(body)
    assert path == "/hook"
    assert notice["type"] == kind
    assert "Банк" in notice["title"]
    assert make_alert().summary in notice["message"]
    assert "奥雷利亚银行 https://news.example/1" in notice["message"]


async def test_one_that_is_not_taken_may_be_later_and_no_secret_is_shown(receiver: Any, make_alert: Make) -> None:
    receiver.answers = [500]
    sending = sender(address(receiver, "user:p4ssw0rd@"))
    with pytest.raises(TransientError, match="was not taken") as caught:
        await sending.send(make_alert(), "msg-1")
    assert "p4ssw0rd" not in str(caught.value)
    assert "json://user:****@" in str(caught.value)
    await sending.send(make_alert(), "msg-1")
    await sending.close()


async def test_one_that_hangs_is_left_in_time_and_blocks_nothing(receiver: Any, make_alert: Make) -> None:
    async def hangs(request: web.Request, body: bytes) -> web.Response:
        await asyncio.sleep(30)
        return web.Response()

    receiver.answer = hangs
    sending = sender(address(receiver), timeout=1)
    began, ticks = time.monotonic(), 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    ticking = asyncio.create_task(tick())
    with pytest.raises(TransientError):
        await sending.send(make_alert(), "msg-1")
    ticking.cancel()
    assert time.monotonic() - began < 20
    assert ticks > 5, "the loop goes on meanwhile"
    await sending.close()


async def test_a_server_that_is_not_public_is_not_notified(receiver: Any, make_alert: Make) -> None:
    sending = sender(address(receiver), Guard())
    with pytest.raises(PermanentError, match="loopback") as caught:
        await sending.send(make_alert(), "msg-1")
    assert caught.value.reason == "webhook.forbidden"
    assert receiver.requests == []
    await sending.close()


def test_what_apprise_does_not_know_is_refused_without_showing_it() -> None:
    with pytest.raises(SettingsError, match="channel chat") as caught:
        sender("nosuch://p4ssw0rd@x")
    assert "p4ssw0rd" not in str(caught.value)


def test_a_digest_names_its_members(make_alert: Make) -> None:
    key = Key(kind="entity", value="e", name="E")
    members = tuple(
        Member(id=f"{number}", fingerprint="f", rule="r", key=key, severity="info", summary=f"member {number}") for number in range(25)
    )
    title, text = text_of(make_alert(members=members, severity="warning"))
    assert title == "[warning] Банк"
    assert "- member 19" in text
    assert "- member 20" not in text
    assert text.endswith("… and 5 more")
    assert text_of(make_alert(1, "resolved"))[0] == "[over] Банк"


def test_the_words_stand_below_the_first_headline(make_alert: Make) -> None:
    bare = make_alert()
    words = Explanation(words=(WordEffect(text="挤兑", effect=-0.31),), turning=("挤兑",), turned="neutral")
    told = make_alert(evidence=(bare.evidence[0].model_copy(update={"explanation": words}), bare.evidence[0]))
    headline = "- [zh] 奥雷利亚银行 https://news.example/1"
    assert text_of(told)[1].splitlines()[-3:] == [headline, "  its words: 挤兑 -0.31; neutral without 挤兑", headline]
    assert "its words" not in text_of(bare)[1]
    second = make_alert(evidence=(bare.evidence[0], told.evidence[0]))
    assert text_of(second)[1].splitlines()[-3:] == [headline, headline, "  its words: 挤兑 -0.31; neutral without 挤兑"]
