"""Agents that go together."""

from __future__ import annotations

import pytest

from streams.settings import load_settings


@pytest.mark.parametrize("agents", [["score"], ["index"], ["watch", "notify"], ["score", "index", "watch", "notify"]])
def test_agents_that_go_together_are_taken(agents: list[str]) -> None:
    assert load_settings(worker={"agents": agents}).worker.agents == tuple(agents)
