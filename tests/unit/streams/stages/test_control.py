"""What people say is obeyed in its order; what is no command is a dead letter."""

from __future__ import annotations

import pytest

from streams.alerts.life.commands import Command, Unsilence
from streams.errors import TransientError
from streams.stages.contract import Delivery
from streams.stages.control import ControlStage


def said(number: int, value: bytes) -> Delivery:
    return Delivery(value, f"alerts.control-0-{number}")


async def test_commands_are_obeyed_in_order_and_rubbish_is_a_letter() -> None:
    obeyed: list[Command] = []

    async def obey(command: Command) -> None:
        obeyed.append(command)

    values = [Unsilence(id=f"s{n}").model_dump_json().encode() for n in range(3)]
    letters = await ControlStage(obey).process([said(0, values[0]), said(1, b"what?"), said(2, values[1]), said(3, values[2])])
    assert [command.id for command in obeyed if isinstance(command, Unsilence)] == ["s0", "s1", "s2"]
    assert [(letter.reason, letter.stage, letter.origin, letter.original) for letter in letters] == [
        ("control.unreadable", "watch", "alerts.control-0-1", b"what?")
    ]


async def test_what_cannot_be_written_now_is_said_again() -> None:
    async def obey(command: Command) -> None:
        raise TransientError("the store is away")

    with pytest.raises(TransientError):
        await ControlStage(obey).process([said(0, Unsilence(id="a").model_dump_json().encode())])
