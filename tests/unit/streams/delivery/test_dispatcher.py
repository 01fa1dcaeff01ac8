"""The whole way from an alert to its receivers, over real connections, with a clock that is turned by hand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from waiting import until

from streams.delivery.channels import read_channels
from streams.delivery.schedule import STANDARD_WAITS
from streams.documents import Alert
from streams.errors import SettingsError, TransientError
from streams.settings import WebhookSettings

Make = Callable[..., Alert]
MakePost = Callable[..., Awaitable[Any]]
Fields = Callable[..., dict[str, Any]]


async def test_an_alert_reaches_its_channel_at_once_and_leaves_the_outbox(
    post: MakePost, receiver: Any, webhook: Fields, make_alert: Make
) -> None:
    box = await post({"default": webhook(receiver)})
    assert await box.dispatcher.enqueue(make_alert(), "alerts-0-1") == []
    await until(lambda: box.count("delivered") == 1)
    assert receiver.ids == [f"{make_alert().id}-0-firing"]
    assert box.outbox.size("default") == 0
    await box.idle()
    assert not [name for name in await box.store.load() if name.startswith("delivery-alert|")]


async def test_it_is_safe_before_it_is_sent(post: MakePost, receiver: Any, webhook: Fields, make_alert: Make) -> None:
    sent = asyncio.Event()

    async def hangs(request: web.Request, body: bytes) -> web.Response:
        await sent.wait()
        return web.Response()

    receiver.answer = hangs
    box = await post({"default": webhook(receiver)})
    await box.dispatcher.enqueue(make_alert(), "alerts-0-1")
    saved = await box.store.load()
    assert {name.split("|")[0] for name in saved} == {"delivery-alert", "delivery"}
    sent.set()


async def test_the_schedule_of_the_standard_under_one_id(post: MakePost, receiver: Any, webhook: Fields, make_alert: Make) -> None:
    receiver.answers = [503] * 100
    box = await post({"default": webhook(receiver)})
    await box.dispatcher.enqueue(make_alert(), "alerts-0-7")
    for tries, wait in enumerate(STANDARD_WAITS, start=1):
        await until(lambda tries=tries: box.count("retry") == tries)
        box.clock.turn(wait - 1)
        await box.idle()
        assert len(receiver.requests) == tries, "not before its time"
        box.clock.turn(1)
    await until(lambda: box.letters != [])
    assert len(receiver.requests) == 10
    assert len(set(receiver.ids)) == 1
    assert len({body for _, _, body in receiver.requests}) == 1
    [letter] = box.letters
    assert (letter.reason, letter.origin, letter.stage) == ("webhook.given_up", "alerts-0-7", "notify")
    assert "10 attempts" in letter.detail
    assert "503" in letter.detail
    assert Alert.model_validate_json(letter.original) == make_alert()
    assert box.count("given_up") == 1


@pytest.mark.parametrize(("asked", "waited"), [("3", 5), ("1000", 1000), ("999999999", 86_400)])
async def test_retry_after_is_honoured_and_bounded_and_holds_the_whole_channel(
    asked: str, waited: float, post: MakePost, receiver: Any, webhook: Fields, make_alert: Make
) -> None:
    receiver.answers = [(429, {"Retry-After": asked})]
    box = await post({"default": webhook(receiver)})
    await box.dispatcher.enqueue(make_alert(1), "o")
    await until(lambda: box.count("retry") == 1)
    if waited > 5:
        await box.dispatcher.enqueue(make_alert(2), "o")
        await box.idle()
        assert len(receiver.requests) == 1, "the receiver is busy, not this message"
    box.clock.turn(waited - 1)
    await box.idle()
    assert len(receiver.requests) == 1
    box.clock.turn(1)
    await until(lambda: len(receiver.requests) == (3 if waited > 5 else 2))


async def test_a_resolved_never_overtakes_its_firing_and_others_pass(
    post: MakePost, receiver: Any, webhook: Fields, make_alert: Make
) -> None:
    receiver.answers = [500]
    box = await post({"default": webhook(receiver)})
    await box.dispatcher.enqueue(make_alert(1), "o")
    await until(lambda: box.count("retry") == 1)
    await box.dispatcher.enqueue(make_alert(1, "resolved"), "o")
    await box.dispatcher.enqueue(make_alert(2), "o")
    await until(lambda: box.count("delivered") == 1)
    assert receiver.ids[-1] == f"{make_alert(2).id}-0-firing"
    box.clock.turn(5)
    await until(lambda: box.count("delivered") == 3)
    assert receiver.ids[-2:] == [f"{make_alert(1).id}-0-firing", f"{make_alert(1).id}-1-resolved"]


async def test_a_dead_and_a_slow_receiver_delay_nobody_else(
    post: MakePost, receivers: Callable[[], Awaitable[Any]], webhook: Fields, make_alert: Make
) -> None:
    well, slow, dead = await receivers(), await receivers(), await receivers()

    async def hangs(request: web.Request, body: bytes) -> web.Response:
        await asyncio.sleep(30)
        return web.Response()

    slow.answer = hangs
    box = await post(
        {"well": webhook(well), "slow": webhook(slow), "dead": webhook(dead, url="http://127.0.0.1:9/")},
    )
    for number in range(20):
        await box.dispatcher.enqueue(make_alert(number, channels=("dead", "slow", "well")), "o")
    await until(lambda: box.count("delivered", "well") == 20)
    assert box.count("delivered", "slow") == 0
    assert len(slow.requests) <= 4


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_redirects_are_refused_and_never_followed(
    status: int, post: MakePost, receiver: Any, webhook: Fields, make_alert: Make
) -> None:
    receiver.answers = [(status, {"Location": f"{receiver.url}/elsewhere"})]
    box = await post({"default": webhook(receiver, url=f"{receiver.url}/hook")})
    await box.dispatcher.enqueue(make_alert(), "o")
    await until(lambda: box.letters != [])
    assert [path for path, _, _ in receiver.requests] == ["/hook"]
    assert box.letters[0].reason == "webhook.refused"
    assert "redirect" in box.letters[0].detail


@pytest.mark.parametrize("status", [400, 401, 404, 422])
async def test_a_refusal_is_a_letter_and_no_second_call(
    status: int, post: MakePost, receiver: Any, webhook: Fields, make_alert: Make
) -> None:
    receiver.answers = [status]
    box = await post({"default": webhook(receiver)})
    await box.dispatcher.enqueue(make_alert(), "o")
    await until(lambda: box.letters != [])
    box.clock.turn(1e6)
    await box.idle()
    assert (box.letters[0].reason, len(receiver.requests)) == ("webhook.refused", 1)


async def test_410_switches_the_channel_off_until_it_leads_elsewhere(
    post: MakePost, receiver: Any, webhook: Fields, make_alert: Make, quiet: list[Any]
) -> None:
    receiver.answers = [500, 410]
    box = await post({"default": webhook(receiver)})
    await box.dispatcher.enqueue(make_alert(1), "o")
    await until(lambda: box.count("retry") == 1)
    await box.dispatcher.enqueue(make_alert(1, "resolved"), "o")
    box.clock.turn(5)
    await until(lambda: len(box.letters) == 2)
    assert {letter.reason for letter in box.letters} == {"webhook.gone"}, "what waited goes with it"
    assert any("410" in line["event"] and line["log_level"] == "error" for line in quiet)
    await box.dispatcher.enqueue(make_alert(2), "o")
    await until(lambda: box.count("disabled") == 1)
    assert len(receiver.requests) == 2
    await box.dispatcher.close()

    again = await post({"default": webhook(receiver)}, box.store)
    await again.dispatcher.enqueue(make_alert(3), "o")
    assert again.count("disabled") == 1, "also after a restart"
    await again.dispatcher.close()

    moved = await post({"default": webhook(receiver, url=f"{receiver.url}/new")}, box.store)
    await moved.dispatcher.enqueue(make_alert(4), "o")
    await until(lambda: moved.count("delivered") == 1)
    assert not [name for name in await moved.store.load() if name.startswith("delivery-off|")]


async def test_after_a_kill_it_goes_on_where_it_was_and_nothing_twice(
    post: MakePost, receiver: Any, webhook: Fields, make_alert: Make
) -> None:
    receiver.answers = [204, 500, 500]
    box = await post({"default": webhook(receiver)})
    await box.dispatcher.enqueue(make_alert(1), "o")
    await until(lambda: box.count("delivered") == 1)
    await box.dispatcher.enqueue(make_alert(2), "o")
    await until(lambda: box.count("retry") == 1)
    box.clock.turn(5)
    await until(lambda: box.count("retry") == 2)
    await box.idle()
    await box.dispatcher.close()  # a kill would leave the same store: everything in it was saved before it was done

    again = await post({"default": webhook(receiver)}, box.store)
    again.clock.time = box.clock.time
    await again.dispatcher.enqueue(make_alert(1), "o")
    await again.dispatcher.enqueue(make_alert(2), "o")
    again.clock.turn(299)
    await again.idle()
    assert len(receiver.requests) == 3, "five minutes after the second attempt"
    again.clock.turn(1)
    await until(lambda: again.count("delivered") == 1)
    assert receiver.ids.count(f"{make_alert(1).id}-0-firing") == 1


async def test_a_channel_that_does_not_exist_is_a_letter_and_the_others_have_it(
    post: MakePost, receiver: Any, webhook: Fields, make_alert: Make
) -> None:
    box = await post({"ops": webhook(receiver)})
    [letter] = await box.dispatcher.enqueue(make_alert(channels=("ops", "nobody")), "alerts-0-3")
    assert (letter.reason, letter.origin) == ("webhook.unknown_channel", "alerts-0-3")
    await until(lambda: box.count("delivered", "ops") == 1)


async def test_too_many_make_the_oldest_a_letter(post: MakePost, receiver: Any, webhook: Fields, make_alert: Make) -> None:
    receiver.answers = [503] * 100
    box = await post({"default": webhook(receiver)}, capacity=3)
    letters = []
    for number in range(6):
        letters += await box.dispatcher.enqueue(make_alert(number), f"alerts-0-{number}")
        await until(lambda number=number: box.count("retry") == number + 1)
    assert [(letter.reason, letter.origin) for letter in letters] == [("webhook.overflow", f"alerts-0-{number}") for number in range(3)]
    assert box.count("overflow") == 3
    assert box.outbox.size("default") == 3


async def test_severity_and_resolved_by_channel(
    post: MakePost, receivers: Callable[[], Awaitable[Any]], webhook: Fields, make_alert: Make
) -> None:
    phone, chat = await receivers(), await receivers()
    box = await post({"phone": webhook(phone, min_severity="critical", send_resolved=False), "chat": webhook(chat)})
    both = ("phone", "chat")
    await box.dispatcher.enqueue(make_alert(1, severity="warning", channels=both), "o")
    await box.dispatcher.enqueue(make_alert(2, channels=both), "o")
    await box.dispatcher.enqueue(make_alert(2, "resolved", channels=both), "o")
    await until(lambda: box.count("delivered", "chat") == 3)
    await until(lambda: box.count("delivered", "phone") == 1)
    assert phone.ids == [f"{make_alert(2).id}-0-firing"]


async def test_without_channels_nothing_waits(post: MakePost, make_alert: Make) -> None:
    box = await post({})
    assert await box.dispatcher.enqueue(make_alert(), "o") == []
    assert await box.store.load() == {}


async def test_a_letter_that_cannot_be_written_leaves_the_message_in_the_outbox(
    post: MakePost, receiver: Any, webhook: Fields, make_alert: Make
) -> None:
    receiver.answers = [400, 400]
    box = await post({"default": webhook(receiver)})
    box.faults = [RuntimeError("ledger")]
    await box.dispatcher.enqueue(make_alert(), "o")
    await until(lambda: box.count("refused") == 1)
    await box.idle()
    assert (box.letters, box.outbox.size("default")) == ([], 1)
    box.clock.turn(300)
    await until(lambda: len(box.letters) == 1)
    assert box.outbox.size("default") == 0


async def test_a_store_that_is_away_holds_the_alert_back_and_loses_nothing(
    post: MakePost, receiver: Any, webhook: Fields, make_alert: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = await post({"default": webhook(receiver)})
    save, faults = box.store.save, [TransientError("locked"), OSError(28, "disk full")]

    async def fails(changes: Any) -> None:
        if faults:
            raise faults.pop(0)
        await save(changes)

    monkeypatch.setattr(box.store, "save", fails)
    monkeypatch.setattr("streams.patience.WAIT_MAX", 0.01)
    await box.dispatcher.enqueue(make_alert(), "o")
    await until(lambda: box.count("delivered") == 1)
    assert faults == []


async def test_other_channels_without_a_restart(
    post: MakePost, receivers: Callable[[], Awaitable[Any]], webhook: Fields, make_alert: Make
) -> None:
    old, new = await receivers(), await receivers()
    old.answers = [503] * 9
    box = await post({"a": webhook(old), "b": webhook(old)})
    await box.dispatcher.enqueue(make_alert(1, channels=("a", "b")), "alerts-0-5")
    await until(lambda: box.count("retry", "a") == box.count("retry", "b") == 1)
    await box.dispatcher.configure(read_channels({"a": webhook(new), "c": webhook(new)}, WebhookSettings(), {}))
    assert [(letter.reason, letter.origin) for letter in box.letters] == [("webhook.unknown_channel", "alerts-0-5")]
    box.clock.turn(5)
    await until(lambda: box.count("delivered", "a") == 1)
    await box.dispatcher.enqueue(make_alert(2, channels=("c",)), "o")
    await until(lambda: box.count("delivered", "c") == 1)
    with pytest.raises(SettingsError):
        await box.dispatcher.configure(read_channels({"a": webhook(new, secrets=["whsec_é"])}, WebhookSettings(), {}))
    await box.dispatcher.enqueue(make_alert(3, channels=("a",)), "o")
    await until(lambda: box.count("delivered", "a") == 2)


async def test_what_was_under_way_when_a_channel_changed_is_sent_by_the_new_one(
    post: MakePost, receivers: Callable[[], Awaitable[Any]], webhook: Fields, make_alert: Make
) -> None:
    old, new = await receivers(), await receivers()

    async def hangs(request: web.Request, body: bytes) -> web.Response:
        await asyncio.sleep(30)
        return web.Response()

    old.answer = hangs
    box = await post({"a": webhook(old)})
    await box.dispatcher.enqueue(make_alert(channels=("a",)), "o")
    await until(lambda: len(old.requests) == 1)
    await box.dispatcher.configure(read_channels({"a": webhook(new)}, WebhookSettings(), {}))
    await until(lambda: box.count("delivered", "a") == 1)
    assert len(new.requests) == 1


async def test_every_attempt_stands_in_the_log_without_secrets(post: MakePost, receiver: Any, webhook: Fields, make_alert: Make) -> None:
    receiver.answers = [500]
    box = await post({"ops": webhook(receiver, url=f"{receiver.url}/hook?token=s3cret", headers={"x-key": "s3cret"})})
    await box.dispatcher.enqueue(make_alert(channels=("ops",)), "o")
    await until(lambda: box.count("retry", "ops") == 1)
    box.clock.turn(5)
    await until(lambda: len(box.keeper.attempts) == 2)
    first, second = box.keeper.attempts
    assert (first.result, first.attempt, second.result, second.attempt) == ("retry", 1, "delivered", 2)
    assert first.next_at is not None
    assert (first.next_at - first.at).total_seconds() == 5
    assert first.target == f"{receiver.url}/hook"
    assert first.message == f"{make_alert().id}-0-firing"
    shown = json.dumps([each.model_dump(mode="json") for each in box.keeper.attempts])
    assert "s3cret" not in shown
    assert receiver.requests[0][1]["x-key"] == "s3cret"
