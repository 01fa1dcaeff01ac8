"""Names of the topics."""

from __future__ import annotations

from streams.settings import load_settings


def test_the_prefix_stands_before_every_topic() -> None:
    topics = load_settings(topics={"prefix": "staging."}).topics
    names = [topics.raw, topics.scored, topics.dead, topics.alerts, topics.watch_state]
    assert all(name.startswith("staging.") for name in names)
    assert len(set(names)) == 5
