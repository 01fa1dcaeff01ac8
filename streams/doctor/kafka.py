"""Kafka: whether it answers, its version, our topics there, and how far behind the group is."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.errors import AuthorizationError, KafkaError, SaslAuthenticationFailedError

from streams.doctor.check import PATIENCE, Check
from streams.kafka import admin_options
from streams.settings import Settings
from streams.topics import TopicInfo, describe

__all__ = ["check_kafka"]

_KNOCKING_MS = 3000
"""How long the client knocks at brokers that refuse; it does so all the time that it is given."""


async def check_kafka(settings: Settings) -> list[Check]:
    """Brokers and topics. An address nobody configured and nobody answers is the one-command mode at rest."""
    return await asyncio.to_thread(_check, settings)


def _check(settings: Settings) -> list[Check]:
    brief = settings.model_copy(update={"kafka": settings.kafka.model_copy(update={"request_timeout": PATIENCE})})
    place = settings.kafka.bootstrap_servers
    try:
        admin = KafkaAdminClient(**(admin_options(brief.kafka) | {"bootstrap_timeout_ms": _KNOCKING_MS}))
    except (AuthorizationError, SaslAuthenticationFailedError) as error:
        return [Check("Kafka", "fail", f"{place} refuses us: {error}", "check kafka.sasl_username, sasl_password and the user's rights")]
    except (KafkaError, OSError) as error:
        if "bootstrap_servers" not in settings.kafka.model_fields_set:
            return [
                Check(
                    "Kafka", "warn", f"none configured, none at {place}", "`bellwether up` brings its own; or set kafka.bootstrap_servers"
                )
            ]
        return [
            Check(
                "Kafka",
                "fail",
                f"{place} does not answer: {error}",
                "start the brokers; check kafka.bootstrap_servers and security_protocol",
            )
        ]
    try:
        cluster = admin.describe_cluster()
        brokers = cluster["brokers"]
        versions = sorted({admin.get_broker_version_data(broker["broker_id"]).broker_version for broker in brokers})
        shown = ", ".join(".".join(map(str, version)) for version in versions)
        detail = (
            f"{place}: {len(brokers)} broker{'s' if len(brokers) != 1 else ''}, protocol of Kafka {shown}, cluster {cluster['cluster_id']}"
        )
        topics = describe(brief)
        return [Check("Kafka", "ok", detail), _topics(settings, topics, _limits(admin, topics))]
    finally:
        admin.close()


def _limits(admin: KafkaAdminClient, topics: list[TopicInfo]) -> dict[str, int]:
    """max.message.bytes by topic, as far as the brokers show it."""
    resources = [ConfigResource(ConfigResourceType.TOPIC, topic.name) for topic in topics if topic.exists]
    if not resources:
        return {}
    try:
        found: Mapping[str, Mapping[str, Any]] = admin.describe_configs(resources, config_filter="all").get("topic", {})
    except AuthorizationError:
        return {}
    return {name: int(configs["max.message.bytes"]["value"]) for name, configs in found.items() if "max.message.bytes" in configs}


def _topics(settings: Settings, topics: list[TopicInfo], limits: Mapping[str, int]) -> Check:
    missing = [topic.name for topic in topics if not topic.exists]
    if missing:
        return Check("topics", "warn", f"missing: {', '.join(missing)}", "`bellwether topics` or the first worker creates them")
    wanted = settings.topics.max_message_bytes
    # The changelog of the watch agent holds small records only.
    small = [f"{name} ({limit})" for name, limit in limits.items() if limit < wanted and name != settings.topics.watch_state]
    waiting = [f"{topic.name} {len(topic.partitions)}p" + (f" lag {topic.lag}" if topic.lag is not None else "") for topic in topics]
    degraded = [topic.name for topic in topics if any(partition.in_sync < partition.replicas for partition in topic.partitions)]
    detail = f"{', '.join(waiting)}; group {settings.kafka.group}"
    if degraded:
        return Check("topics", "warn", f"{detail}; copies out of sync: {', '.join(degraded)}", "is a broker down?")
    if small:
        return Check(
            "topics", "warn", f"{detail}; max.message.bytes below {wanted}: {', '.join(small)}", "kafka-configs.sh raises max.message.bytes"
        )
    return Check("topics", "ok", detail)
