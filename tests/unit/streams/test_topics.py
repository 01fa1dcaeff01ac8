"""What the topics should be, and the arithmetic of lag."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.errors import (
    InvalidReplicationFactorError,
    InvalidTopicError,
    NotControllerError,
)

from streams.errors import BellwetherError, SettingsError, TransientError
from streams.settings import TopicSettings
from streams.topics import PartitionInfo, TopicInfo, _refusal, plan


def part(number: int, start: int, end: int, committed: int | None) -> PartitionInfo:
    return PartitionInfo(partition=number, start=start, end=end, committed=committed, replicas=1, in_sync=1)


def test_the_plan_has_every_topic_of_the_settings() -> None:
    topics = TopicSettings(prefix="s.", partitions=12, replication=3, max_message_bytes=2_000_000)
    planned = {topic.name: topic for topic in plan(topics)}
    assert list(planned) == [topics.raw, topics.scored, topics.dead, topics.alerts, topics.control, topics.watch_state]
    assert {topic.replication for topic in planned.values()} == {3}
    assert {topic.configs["max.message.bytes"] for topic in planned.values()} == {"2000000"}
    assert [topic.partitions for topic in planned.values()] == [12, 12, 12, 12, 1, 1]
    assert [name for name, topic in planned.items() if topic.configs.get("cleanup.policy") == "compact"] == [topics.watch_state]


def test_lag_counts_what_is_left_from_the_commit() -> None:
    topic = TopicInfo("t", (part(0, 0, 10, 4), part(1, 5, 10, None), part(2, 7, 9, 3), part(3, 0, 2, 8)))
    assert [p.behind for p in topic.partitions] == [6, 5, 2, 0]
    assert topic.lag == 13
    assert topic.messages == 10 + 5 + 2 + 2


def test_a_group_that_never_committed_has_no_lag() -> None:
    assert TopicInfo("t", (part(0, 0, 10, None), part(1, 0, 3, None))).lag is None
    missing = TopicInfo("t", ())
    assert (missing.exists, missing.lag, missing.messages) == (False, None, 0)


@given(start=st.integers(0, 1000), length=st.integers(0, 1000), committed=st.none() | st.integers(0, 3000))
def test_nobody_is_behind_by_less_than_nothing_or_more_than_is_kept(start: int, length: int, committed: int | None) -> None:
    partition = part(0, start, start + length, committed)
    assert 0 <= partition.behind <= partition.messages == length


def test_refusals_say_what_to_do() -> None:
    topic = plan(TopicSettings(replication=3))[0]
    copies = _refusal(topic, InvalidReplicationFactorError("1 broker"))
    assert isinstance(copies, SettingsError)
    assert "BELLWETHER_TOPICS__REPLICATION" in copies.mend
    assert isinstance(_refusal(topic, NotControllerError("moved")), TransientError)
    named = _refusal(topic, InvalidTopicError("bad name"))
    assert not isinstance(named, TransientError)
    with pytest.raises(BellwetherError, match=r"documents\.raw cannot be created.*bad name"):
        raise named
