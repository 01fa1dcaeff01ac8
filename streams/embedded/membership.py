"""A worker that was killed cannot leave its consumer group: we take it out, or the next one waits until its session ends."""

from __future__ import annotations

import structlog
from kafka.admin import KafkaAdminClient, MemberToRemove
from kafka.errors import KafkaError

from streams.errors import BellwetherError
from streams.kafka import admin_options
from streams.settings import Settings
from streams.topics import group_members

__all__ = ["forget_members"]

_log = structlog.get_logger(__name__)


def forget_members(settings: Settings) -> int:
    """Remove all members of the group; gives their number. Call it only while no worker runs. Blocks.

    Where that fails the group finds out by itself, after ``worker.session_timeout``.
    """
    group = settings.kafka.group
    try:
        members = group_members(settings, group)
        if members:
            admin = KafkaAdminClient(**admin_options(settings.kafka))
            try:
                admin.remove_group_members(group, [MemberToRemove(member_id=member.id) for member in members])
            finally:
                admin.close()
    except (BellwetherError, KafkaError) as error:
        _log.warning("the group finds out by itself that the worker is gone", group=group, error=str(error))
        return 0
    return len(members)
