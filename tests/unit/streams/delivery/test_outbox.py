"""The outbox: order, bounds, and that a kill at any point of a save neither loses nor repeats more than it must."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.delivery.outbox import Outbox, message_id
from streams.delivery.queue import Entry
from streams.documents import Alert

Make = Callable[..., Alert]
NOW = 1_000_000.0


def restored(saved: dict[str, bytes]) -> Outbox:
    found = Outbox()
    found.restore(saved)
    return found


def apply(store: dict[str, bytes], changes: dict[str, bytes | None], upto: int | None = None) -> None:
    for name, value in list(changes.items())[:upto]:
        if value is None:
            store.pop(name, None)
        else:
            store[name] = value


def drain(outbox: Outbox, channel: str, now: float = NOW) -> list[str]:
    """Take and finish all that may go."""
    found = []
    while (taken := outbox.take(channel, now)) is not None:
        found.append(taken[0].message)
        outbox.finish(taken[0], now)
    return found


def test_an_id_for_each_notice_and_no_dot_in_it(make_alert: Make) -> None:
    notices = [make_alert(1), make_alert(1, revision=1), make_alert(1, "resolved"), make_alert(2), make_alert(1, "resolved", revision=2)]
    ids = [message_id(notice) for notice in notices]
    assert len(set(ids)) == len(ids)
    assert not any("." in id for id in ids)


def test_a_head_that_is_under_way_or_waits_blocks_its_own_line_only(make_alert: Make) -> None:
    outbox = Outbox()
    for alert in (make_alert(1), make_alert(1, "resolved"), make_alert(2)):
        outbox.put(alert, ["a"], "o", NOW)
    first = outbox.take("a", NOW)
    assert first is not None
    second = outbox.take("a", NOW)
    assert second is not None
    assert second[0].message == message_id(make_alert(2))
    assert outbox.take("a", NOW) is None
    outbox.retry(first[0], NOW + 5, "503")
    assert outbox.take("a", NOW + 4) is None
    assert outbox.next_due("a") == NOW + 5
    assert drain(outbox, "a", NOW + 5) == [message_id(make_alert(1)), message_id(make_alert(1, "resolved"))]


def test_channels_know_nothing_of_each_other(make_alert: Make) -> None:
    outbox = Outbox()
    outbox.put(make_alert(1), ["a", "b"], "o", NOW)
    assert drain(outbox, "a") == [message_id(make_alert(1))]
    assert (outbox.size("a"), outbox.size("b"), outbox.channels) == (0, 1, ["b"])
    assert outbox.take("c", NOW) is None
    assert outbox.next_due("c") is None


def test_what_has_been_taken_or_done_is_not_taken_again(make_alert: Make) -> None:
    outbox = Outbox()
    outbox.put(make_alert(1), ["a"], "o", NOW)
    outbox.put(make_alert(1), ["a"], "o", NOW)
    assert outbox.size("a") == 1
    drain(outbox, "a")
    outbox.put(make_alert(1), ["a", "b"], "o", NOW)
    assert (outbox.size("a"), outbox.size("b")) == (0, 1)


def test_what_is_done_is_remembered_for_a_while_only(make_alert: Make) -> None:
    outbox, store = Outbox(remembered=3), {}
    for number in range(10):
        outbox.put(make_alert(number), ["a"], "o", NOW)
        drain(outbox, "a")
        apply(store, outbox.changes())
    assert len(store) == 3
    outbox.put(make_alert(0), ["a"], "o", NOW)
    assert outbox.size("a") == 1


def test_the_oldest_that_is_not_under_way_makes_room(make_alert: Make) -> None:
    outbox = Outbox(capacity=2)
    outbox.put(make_alert(1), ["a", "b"], "o-1", NOW)
    under_way = outbox.take("a", NOW)
    outbox.put(make_alert(2), ["a"], "o-2", NOW)
    [(gone, alert)] = outbox.put(make_alert(3), ["a"], "o-3", NOW)
    assert (gone.origin, alert) == ("o-2", make_alert(2))
    assert under_way is not None
    outbox.retry(under_way[0], NOW, "x")
    assert drain(outbox, "a") == [message_id(make_alert(1)), message_id(make_alert(3))]
    assert outbox.size("b") == 1


def test_one_that_had_to_make_room_while_it_was_under_way(make_alert: Make) -> None:
    outbox = Outbox(capacity=1)
    outbox.put(make_alert(1), ["a"], "o", NOW)
    taken = outbox.take("a", NOW)
    assert taken is not None
    outbox.put(make_alert(2), ["a"], "o", NOW)
    outbox.put(make_alert(3), ["a"], "o", NOW)
    for _ in range(2):
        outbox.retry(taken[0], NOW, "x")
        outbox.release(taken[0])
        outbox.finish(taken[0], NOW)
    assert outbox.size("a") <= 1


def test_a_broken_off_attempt_counts_for_nothing(make_alert: Make) -> None:
    outbox = Outbox()
    outbox.put(make_alert(1), ["a"], "o", NOW)
    taken = outbox.take("a", NOW)
    assert taken is not None
    outbox.release(taken[0])
    outbox.release(taken[0])
    again = outbox.take("a", NOW)
    assert again is not None
    assert again[0].attempts == 0
    assert outbox.take("a", NOW) is None


def test_a_channel_that_is_off_stays_off_until_it_leads_elsewhere() -> None:
    outbox, store = Outbox(), {}
    outbox.switch_off("a", "one", NOW)
    apply(store, outbox.changes())
    again = restored(store)
    assert again.is_off("a", "one")
    assert not again.is_off("b", "one")
    assert not again.is_off("a", "two")
    assert not again.is_off("a", "one")
    apply(store, again.changes())
    assert store == {}


def test_attempts_and_times_outlive_a_restart(make_alert: Make) -> None:
    outbox, store = Outbox(), {}
    outbox.put(make_alert(1), ["a"], "alerts-0-9", NOW)
    taken = outbox.take("a", NOW)
    assert taken is not None
    outbox.retry(taken[0], NOW + 300, "status 503")
    apply(store, outbox.changes())
    again = restored(store)
    assert again.take("a", NOW + 299) is None
    found = again.take("a", NOW + 300)
    assert found is not None
    entry, alert = found
    assert (entry.attempts, entry.error, entry.origin, alert) == (1, "status 503", "alerts-0-9", make_alert(1))


def test_entries_that_cannot_be_read_are_dropped_and_others_left_alone(make_alert: Make) -> None:
    outbox, store = Outbox(), {}
    outbox.put(make_alert(1), ["a"], "o", NOW)
    apply(store, outbox.changes())
    lost = Entry("lost", "a", "f", 7, "o", 1.0)
    odd = {"delivery|x|a": b"[1]", "delivery|y|a": b"not json", "delivery-alert|z": b"{}", "delivery-off|a": b"1", lost.name: lost.dump()}
    other = {"negative-share|meta": b"{}", "outbox:x:firing": b"x"}
    again = restored(store | odd | other)
    assert {name for name, value in again.changes().items() if value is None} == set(odd)
    assert drain(again, "a") == [message_id(make_alert(1))]


Step = st.tuples(st.sampled_from(["put", "resolve", "take", "done", "retry", "kill"]), st.integers(0, 3), st.integers(0, 30))


@given(st.lists(Step, max_size=40))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_killed_anywhere_it_loses_nothing_and_keeps_the_order(make_alert: Make, steps: list[tuple[str, int, int]]) -> None:
    """Whatever happens, and however much of the last save was written: what was wholly saved is delivered, in its order."""
    outbox = Outbox()
    store: dict[str, bytes] = {}
    promised: list[str] = []  # saved wholly: whoever gave it has let go
    delivered: list[str] = []
    under_way: list[Entry] = []
    now = NOW

    def save() -> None:
        apply(store, outbox.changes())

    for kind, number, cut in steps:
        now += 1
        if kind in {"put", "resolve"}:
            alert = make_alert(number, "firing" if kind == "put" else "resolved")
            outbox.put(alert, ["a"], "o", now)
            save()
            if message_id(alert) not in promised:
                promised.append(message_id(alert))
        elif kind == "take" and (taken := outbox.take("a", now)) is not None:
            under_way.append(taken[0])
        elif kind == "done" and under_way:
            entry = under_way.pop(0)
            delivered.append(entry.message)
            outbox.finish(entry, now)
            save()
        elif kind == "retry" and under_way:
            outbox.retry(under_way.pop(0), now + 5, "503")
            save()
        elif kind == "kill":
            extra = make_alert(90 + number)
            outbox.put(extra, ["a"], "o", now)
            changes = outbox.changes()
            upto = min(cut, len(changes))
            apply(store, changes, upto)
            if upto == len(changes) and message_id(extra) not in promised:
                promised.append(message_id(extra))
            outbox, under_way = restored(store), []
            save()
    rest = restored(store)
    delivered += drain(rest, "a", now + 1e9)
    assert set(promised) <= set(delivered)
    for number in range(4):
        both = [message_id(make_alert(number)), message_id(make_alert(number, "resolved"))]
        given_in = [message for message in promised if message in both]
        first_come = list(dict.fromkeys(message for message in delivered if message in both))
        assert first_come == given_in, "in the order in which they were given"
    saved: dict[str, bytes] = {}
    apply(saved, dict(store))
    apply(saved, rest.changes())
    assert not [name for name in saved if name.startswith("delivery-alert|")], "nothing is left behind"


@pytest.mark.parametrize("fields", [[], ["f", "x", "o", 1, 0, ""], ["f", 1, "o", "soon", 0, ""], ["f", 1, "o", 1.0, None, ""]])
def test_an_entry_that_is_none(fields: list[object]) -> None:
    with pytest.raises((TypeError, ValueError)):
        Entry.load("m", "c", fields)


def test_ten_thousand_at_once(make_alert: Make) -> None:
    """A storm costs time in proportion, not squared."""
    import time

    alert = make_alert(1)
    outbox = Outbox()
    began = time.monotonic()
    for number in range(10_500):
        outbox.put(alert.model_copy(update={"id": f"{number:032x}", "fingerprint": f"{number:016x}"}), ["a"], "o", NOW)
    assert outbox.size("a") == 10_000
    assert len(drain(outbox, "a")) == 10_000
    assert time.monotonic() - began < 30
