"""The topics of the service on a cluster: made when they are missing, compared when they are there, described with their lag.

Everything here blocks (kafka-python's admin client); call it through ``asyncio.to_thread`` from a running loop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import stamina
from kafka import TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, OffsetSpec
from kafka.errors import (
    AuthorizationError,
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    GroupIdNotFoundError,
    InvalidConfigurationError,
    InvalidReplicationFactorError,
    KafkaError,
    NotCoordinatorError,
    PolicyViolationError,
    SaslAuthenticationFailedError,
    TopicAlreadyExistsError,
    for_code,
)

from streams.errors import BellwetherError, SettingsError, TransientError
from streams.kafka import admin_options
from streams.settings import KafkaSettings, Settings, TopicSettings

__all__ = [
    "EnsuredTopics",
    "GroupMember",
    "PartitionInfo",
    "TopicInfo",
    "TopicPlan",
    "describe",
    "ensure_topics",
    "group_members",
    "plan",
]

_READY_MS = 10_000
_COORDINATOR_SECONDS = 15.0
_COORDINATOR_ERRORS = (CoordinatorNotAvailableError, CoordinatorLoadInProgressError, NotCoordinatorError)
_CHECK = "check kafka.bootstrap_servers (BELLWETHER_KAFKA__BOOTSTRAP_SERVERS), kafka.security_protocol, and that the brokers run"
_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class TopicPlan:
    """What a topic should be: number of partitions, copies, and topic-level configuration as the broker names it."""

    name: str
    partitions: int
    replication: int
    configs: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class EnsuredTopics:
    """What :func:`ensure_topics` found and did. `warnings` are readable lines: what differs, and the command that mends it."""

    created: tuple[str, ...]
    existing: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PartitionInfo:
    """One partition: first offset still kept, next offset to be written, offset that the group committed (None: never).

    The embedded broker names as `end` the first offset of the last batch, plus one: its lag is too small by at most a batch.
    """

    partition: int
    start: int
    end: int
    committed: int | None
    replicas: int
    in_sync: int

    @property
    def messages(self) -> int:
        """Offsets between start and end; more than there are records where a topic is compacted."""
        return self.end - self.start

    @property
    def behind(self) -> int:
        """Offsets that the group has yet to read; one that never committed here begins at the start."""
        read = self.start if self.committed is None else max(self.start, self.committed)
        return max(0, self.end - read)


@dataclass(frozen=True, slots=True)
class TopicInfo:
    """One topic. A topic that does not exist has no partitions."""

    name: str
    partitions: tuple[PartitionInfo, ...]

    @property
    def exists(self) -> bool:
        """Whether the cluster knows the topic."""
        return bool(self.partitions)

    @property
    def messages(self) -> int:
        """Sum over the partitions."""
        return sum(partition.messages for partition in self.partitions)

    @property
    def lag(self) -> int | None:
        """Offsets that the group has yet to read; None when it never committed an offset of this topic."""
        if all(partition.committed is None for partition in self.partitions):
            return None
        return sum(partition.behind for partition in self.partitions)


@dataclass(frozen=True, slots=True)
class GroupMember:
    """A live member of a consumer group. Brokers may leave client and host empty."""

    id: str
    client: str
    host: str


def plan(topics: TopicSettings) -> tuple[TopicPlan, ...]:
    """The six topics of the service.

    What people tell the watch agent has one partition, so that it is read in the order in which it was said. The changelog of the
    watch agent's state is compacted and has one partition: its writer restores it whole and in order.
    """
    size = {"max.message.bytes": str(topics.max_message_bytes)}
    streams = (topics.raw, topics.scored, topics.dead, topics.alerts)
    return (
        *(TopicPlan(name, topics.partitions, topics.replication, size) for name in streams),
        TopicPlan(topics.control, 1, topics.replication, size),
        TopicPlan(topics.watch_state, 1, topics.replication, {"cleanup.policy": "compact", **size}),
    )


class _Admin(KafkaAdminClient):  # type: ignore[misc]
    """kafka-python's client, mended in two places: see below."""

    def __init__(self, **options: Any) -> None:
        try:
            super().__init__(**options)
        except KafkaError:
            # The constructor has started a thread by now and nobody else could stop it.
            network = getattr(self, "_net", None)
            if network is not None:
                network.stop()
            raise

    def _process_acl_operations(self, obj: dict[str, Any]) -> dict[str, Any]:
        # Tansu answers with all 32 bits set, of which kafka-python knows 14; nobody here asks for them.
        obj.pop("authorized_operations", None)
        return obj


@contextmanager
def _admin(settings: KafkaSettings) -> Iterator[_Admin]:
    """An admin client whose faults come out as our errors."""
    place = f"Kafka at {settings.bootstrap_servers}"
    try:
        admin = _Admin(**admin_options(settings))
        try:
            yield admin
        finally:
            admin.close()
    except (AuthorizationError, SaslAuthenticationFailedError) as error:
        raise BellwetherError(
            f"{place} refuses us: {error}", mend="check kafka.security_protocol, sasl_mechanism, user and password, and the user's rights"
        ) from error
    except (KafkaError, OSError) as error:
        raise TransientError(f"{place} does not answer: {error}", mend=_CHECK) from error


def ensure_topics(settings: Settings) -> EnsuredTopics:
    """Create the service's topics that are missing; leave those that exist as they are, and say how they differ.

    Safe to call from several processes and as often as one likes.

    Raises:
        TransientError: the brokers cannot be reached.
        SettingsError: the cluster has fewer brokers than copies are asked for.
        BellwetherError: the brokers refuse us, or refuse to create a topic.
    """
    wanted = plan(settings.topics)
    with _admin(settings.kafka) as admin:
        found = {topic["name"]: topic for topic in _described(admin)}
        missing = [topic for topic in wanted if topic.name not in found]
        present = [topic for topic in wanted if topic.name in found]
        warnings: list[str] = []
        created = _create(admin, missing, warnings)
        if missing:
            admin.wait_for_topics([topic.name for topic in missing], timeout_ms=_READY_MS)
        warnings += _differences(admin, present, found)
    return EnsuredTopics(
        created=created,
        existing=tuple(topic.name for topic in wanted if topic.name not in created),
        warnings=tuple(warnings),
    )


def _described(admin: _Admin) -> list[dict[str, Any]]:
    # All topics, not ours by name: asking for a missing one by name can create it on old brokers.
    topics: list[dict[str, Any]] = admin.describe_topics()
    return topics


def _create(admin: _Admin, missing: list[TopicPlan], warnings: list[str]) -> tuple[str, ...]:
    created = []
    for topic in missing:
        error = _try_create(admin, topic, topic.configs)
        if isinstance(error, InvalidConfigurationError | PolicyViolationError):
            warnings.append(f"{topic.name}: the broker refuses {_shown(topic.configs)} ({error}); created with its defaults")
            error = _try_create(admin, topic, {})
        if error is None:
            created.append(topic.name)
        elif not isinstance(error, TopicAlreadyExistsError):  # else another process was faster
            raise _refusal(topic, error) from error
    return tuple(created)


def _try_create(admin: _Admin, topic: TopicPlan, configs: Mapping[str, str]) -> KafkaError | None:
    request = {"num_partitions": topic.partitions, "replication_factor": topic.replication, "configs": dict(configs)}
    answer = admin.create_topics({topic.name: request}, raise_errors=False)["topics"][0]
    if not answer["error_code"]:
        return None
    error: KafkaError = for_code(answer["error_code"])(answer.get("error_message") or "")
    return error


def _refusal(topic: TopicPlan, error: KafkaError) -> BellwetherError:
    if isinstance(error, InvalidReplicationFactorError):
        return SettingsError(
            f"topics.replication: the cluster cannot keep {topic.replication} copies of {topic.name}: {error}",
            mend="set BELLWETHER_TOPICS__REPLICATION to at most the number of brokers",
        )
    if getattr(error, "retriable", False):
        return TransientError(f"topic {topic.name} cannot be created now: {error}", mend="try again")
    return BellwetherError(f"topic {topic.name} cannot be created: {error}", mend="create it by hand, or ask the cluster's owner")


def _shown(configs: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in configs.items())


def _differences(admin: _Admin, present: list[TopicPlan], found: Mapping[str, dict[str, Any]]) -> Iterator[str]:
    if not present:
        return
    try:
        configs = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic.name) for topic in present], config_filter="all")
        known = configs.get("topic", {})
    except AuthorizationError:
        known = {}
        yield "the configuration of the topics is not shown to us: their max.message.bytes is unchecked"
    for topic in present:
        partitions = len(found[topic.name]["partitions"])
        actual = {name: entry["value"] for name, entry in known.get(topic.name, {}).items()}
        if "cleanup.policy" in topic.configs:
            yield from _changelog_differences(topic, partitions, actual)
        elif partitions < topic.partitions:
            more = "kafka-topics.sh --alter adds them"
            yield f"{topic.name} has {partitions} partitions, topics.partitions asks for {topic.partitions}; {more}"
        yield from _size_difference(topic, actual)


def _changelog_differences(topic: TopicPlan, partitions: int, actual: Mapping[str, str]) -> Iterator[str]:
    if partitions != 1:
        yield f"{topic.name} has {partitions} partitions, the state's changelog needs exactly one; choose another topics.prefix"
    policy = actual.get("cleanup.policy", "compact")
    if policy != "compact":
        yield f"{topic.name} has cleanup.policy={policy}: state is lost when records expire; kafka-configs.sh sets cleanup.policy=compact"


def _size_difference(topic: TopicPlan, actual: Mapping[str, str]) -> Iterator[str]:
    wanted = topic.configs["max.message.bytes"]
    given = actual.get("max.message.bytes")  # Tansu shows only what was set when the topic was created
    if given is not None and int(given) < int(wanted):
        yield (
            f"{topic.name} takes messages of at most {given} bytes, topics.max_message_bytes asks for {wanted} "
            "(larger ones are dead-lettered cut off; kafka-configs.sh sets max.message.bytes)"
        )


def describe(settings: Settings) -> list[TopicInfo]:
    """The service's topics as they are, in the order of :func:`plan`, with what the group ``kafka.group`` has yet to read.

    Raises:
        TransientError: the brokers cannot be reached, or a partition has no leader now.
        BellwetherError: the brokers refuse us.
    """
    names = [topic.name for topic in plan(settings.topics)]
    with _admin(settings.kafka) as admin:
        found = {topic["name"]: topic["partitions"] for topic in _described(admin)}
        places = [TopicPartition(name, entry["partition_index"]) for name in names for entry in found.get(name, [])]
        if not places:
            return [TopicInfo(name, ()) for name in names]
        starts = admin.list_partition_offsets(dict.fromkeys(places, OffsetSpec.EARLIEST))
        ends = admin.list_partition_offsets(dict.fromkeys(places, OffsetSpec.LATEST))
        committed = _once_coordinated(lambda: _committed(admin, settings.kafka.group, places))
    return [
        TopicInfo(
            name,
            tuple(
                PartitionInfo(
                    partition=place.partition,
                    start=starts[place].offset,
                    end=ends[place].offset,
                    committed=committed.get(place),
                    replicas=len(entry["replica_nodes"]),
                    in_sync=len(entry["isr_nodes"]),
                )
                for entry in sorted(found.get(name, []), key=lambda entry: int(entry["partition_index"]))
                for place in (TopicPartition(name, entry["partition_index"]),)
            ),
        )
        for name in names
    ]


def _once_coordinated(ask: Callable[[], _Answer]) -> _Answer:
    # The first question about any group makes a fresh cluster create its offsets topic; it says "not now" meanwhile.
    for attempt in stamina.retry_context(
        on=_COORDINATOR_ERRORS, timeout=_COORDINATOR_SECONDS, attempts=None, wait_initial=0.2, wait_max=1.0
    ):
        with attempt:
            answer = ask()
    return answer


def _committed(admin: _Admin, group: str, places: list[TopicPartition]) -> dict[TopicPartition, int]:
    try:
        offsets = admin.list_group_offsets({group: places})[group]
    except GroupIdNotFoundError:
        return {}
    return {place: entry.offset for place, entry in offsets.items() if entry.offset >= 0}


def group_members(settings: Settings, group: str) -> list[GroupMember]:
    """Live members of a consumer group; empty when there is no such group.

    Raises:
        TransientError: the brokers cannot be reached.
        BellwetherError: the brokers refuse us.
    """
    with _admin(settings.kafka) as admin:
        try:
            described = _once_coordinated(lambda: admin.describe_groups([group]))[group]
        except GroupIdNotFoundError:
            return []
    return [GroupMember(id=member["member_id"], client=member["client_id"], host=member["client_host"]) for member in described["members"]]
