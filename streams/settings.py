"""Every setting of the service, validated at the border.

Sources, the first wins: command-line flags, environment (``BELLWETHER_KAFKA__BOOTSTRAP_SERVERS``), a TOML file
(``bellwether.toml`` in the working folder, or ``--config`` / ``BELLWETHER_CONFIG``), defaults.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from streams.errors import SettingsError
from streams.settings_sources import PREFIX, Pairs, given, giving, settings_file, variable
from streams.settings_values import Count, Duration, HostPort, HttpUrl, Network, Seconds

__all__ = [
    "AgentName",
    "AlertSettings",
    "EmbeddedSettings",
    "EnrichSettings",
    "FeedSettings",
    "KafkaSettings",
    "ScoringSettings",
    "SearchSettings",
    "Settings",
    "TopicSettings",
    "TritonSettings",
    "WebhookSettings",
    "WorkerSettings",
    "load_settings",
]

AgentName = Literal["score", "index", "watch", "notify"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class KafkaSettings(_Section):
    """Connection to Kafka; the security settings reach Faust, kafka-python and every other client alike."""

    bootstrap_servers: HostPort = Field("127.0.0.1:9092", description="Brokers to ask first", examples=["kafka-1:9092,kafka-2:9092"])
    group: str = Field("bellwether", description="Consumer group", min_length=1, examples=["bellwether"])
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="How to talk to the brokers", examples=["SASL_SSL"]
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "PLAIN", description="SASL mechanism", examples=["SCRAM-SHA-512"]
    )
    sasl_username: str | None = Field(None, description="SASL user", examples=["bellwether"])
    sasl_password: SecretStr | None = Field(None, description="SASL password", examples=["…"])
    ssl_cafile: Path | None = Field(None, description="CA certificates (PEM)", examples=["/etc/ssl/kafka-ca.pem"])
    ssl_certfile: Path | None = Field(None, description="Client certificate (PEM)", examples=["/etc/ssl/client.pem"])
    ssl_keyfile: Path | None = Field(None, description="Key of the client certificate (PEM)", examples=["/etc/ssl/client.key"])
    request_timeout: Seconds = Field(30.0, description="Seconds until a request to a broker counts as failed", examples=[30])

    @field_validator("sasl_password")
    @classmethod
    def _both_or_none(cls, value: SecretStr | None, info: Any) -> SecretStr | None:
        if info.data.get("security_protocol", "").startswith("SASL") and (value is None or not info.data.get("sasl_username")):
            raise ValueError("security_protocol asks for SASL: sasl_username and sasl_password are needed")
        return value


class TopicSettings(_Section):
    """Names and shape of the topics."""

    prefix: str = Field("", description="Put before every topic name", pattern=r"^[a-zA-Z0-9._-]*$", examples=["staging."])
    partitions: Count = Field(4, description="Partitions of topics that are created", examples=[12])
    replication: Count = Field(1, description="Copies of topics that are created", examples=[3])
    max_message_bytes: Count = Field(16_777_216, description="Largest message a topic takes", examples=[16777216])

    @property
    def raw(self) -> str:
        """Documents as sources hand them in."""
        return f"{self.prefix}documents.raw"

    @property
    def scored(self) -> str:
        """Documents with language, sentiment, topic, entities."""
        return f"{self.prefix}documents.scored"

    @property
    def dead(self) -> str:
        """What could not be read or scored, with the reason."""
        return f"{self.prefix}documents.dead"

    @property
    def alerts(self) -> str:
        """Alerts, firing and resolved."""
        return f"{self.prefix}alerts"

    @property
    def control(self) -> str:
        """What people tell the watch agent: silences, acknowledgements."""
        return f"{self.prefix}alerts.control"

    @property
    def watch_state(self) -> str:
        """Compacted changelog of the watch agent's state."""
        return f"{self.prefix}watch-state"


class TritonSettings(_Section):
    """Connection to Triton Inference Server."""

    url: HostPort = Field("127.0.0.1:8001", description="gRPC address", examples=["triton:8001"])
    model: str = Field("bellwether", description="Model name in the repository", min_length=1, examples=["bellwether"])
    deadline: Seconds = Field(30.0, description="Seconds until a request counts as failed", examples=[10])
    max_batch: Count = Field(64, description="Largest batch the model takes in one request", examples=[64])


class ScoringSettings(_Section):
    """How texts are scored."""

    backend: Literal["auto", "triton", "onnx", "noop"] = Field(
        "auto",
        description="auto: Triton where it answers, else ONNX Runtime in this process; noop: no model (to measure the path)",
        examples=["triton"],
    )
    batch_size: Count = Field(128, description="Documents that the score agent takes at once", le=4096, examples=[128])
    linger: Seconds = Field(0.1, description="Seconds that it waits for a batch to fill", le=60, examples=[0.1])
    threads: Annotated[int, Field(ge=0)] = Field(0, description="Threads of the in-process model; 0: all cores", examples=[2])
    model: Path | None = Field(
        None, description="Model folder; absent: the one that is shipped", examples=["models/artifacts/bellwether-base"]
    )
    abstain: Literal["off", "languages", "confidence"] = Field(
        "languages",
        description="Which documents go on unscored, with the reason: languages: those in languages that the model is not vouched for; "
        "confidence: also those it is too unsure of; off: none",
        examples=["confidence"],
    )
    cascade: Literal["off", "auto", "on"] = Field(
        "off",
        description="Whether cheap stages answer the texts that they are sure of, and the model the rest: on: by the cascade in the model "
        "folder; auto: where it has one; off: the model answers all",
        examples=["auto"],
    )


class SearchSettings(_Section):
    """Connection to Elasticsearch, and how documents rest there."""

    url: HttpUrl = Field("http://127.0.0.1:9200", description="Address", examples=["https://search:9200"])
    username: str | None = Field(None, description="User (basic authentication)", examples=["bellwether"])
    password: SecretStr | None = Field(None, description="Password (basic authentication)", examples=["…"])
    api_key: SecretStr | None = Field(None, description="API key, instead of user and password", examples=["…"])
    ca_certs: Path | None = Field(None, description="CA certificates (PEM)", examples=["/etc/ssl/search-ca.pem"])
    index_prefix: str = Field("opinion", description="Begin of every index name", pattern=r"^[a-z][a-z0-9_-]{0,60}$", examples=["opinion"])
    timeout: Seconds = Field(30.0, description="Seconds until a request counts as failed", examples=[30])
    batch_size: Count = Field(512, description="Documents that the index agent takes at once", le=4096, examples=[512])
    linger: Seconds = Field(0.2, description="Seconds that it waits for a batch to fill", le=60, examples=[0.2])


class EnrichSettings(_Section):
    """What is found out about a document beside its score."""

    languages: tuple[str, ...] = Field(
        (), description="Languages to keep (ISO 639); empty: all. Others are filtered", examples=[["en", "de"]]
    )
    min_language_confidence: Annotated[float, Field(ge=0, le=1)] = Field(
        0.35, description="Below it the language is `und`", examples=[0.35]
    )
    near_duplicates: bool = Field(True, description="Recognise near-copies and score them once", examples=[True])
    near_duplicate_threshold: Annotated[float, Field(gt=0, le=1)] = Field(
        0.7, description="Jaccard similarity of shingles from which two texts are near-copies", examples=[0.7]
    )
    near_duplicate_window: Count = Field(50_000, description="Documents that are remembered to find near-copies", examples=[50000])
    entities: Path | None = Field(None, description="JSONL of companies to recognise (id, name, aliases)", examples=["entities.jsonl"])


class AlertSettings(_Section):
    """What raises alerts: a rule file, or, without one, the negative share of every entity and tag against its own past.

    Durations in seconds or ISO 8601 (``PT6H``); from `window` to `severity` they describe the rules of a service without a file.
    """

    rules: Path | None = Field(
        None, description="Rule file (YAML), read again when it changes; absent: the settings below", examples=["rules.yaml"]
    )
    window: Duration = Field(timedelta(hours=3), description="Window of event time", examples=["PT3H"])
    baseline: Duration = Field(timedelta(days=7), description="How far the baseline reaches back before the window", examples=["P7D"])
    min_documents: Count = Field(12, description="Fewest documents in the window", examples=[12])
    min_share: Annotated[float, Field(gt=0, le=1)] = Field(0.5, description="Least negative share in the window", examples=[0.5])
    max_p_value: Annotated[float, Field(gt=0, lt=1)] = Field(
        1e-4, description="Largest probability of so many negatives under the baseline", examples=[0.0001]
    )
    cool_down: Duration = Field(timedelta(hours=24), description="Silence after an alert of the same rule and key", examples=["P1D"])
    allowed_lateness: Duration = Field(timedelta(hours=24), description="Older than the newest by more: not counted", examples=["P1D"])
    severity: Literal["info", "warning", "critical"] = Field("critical", description="Severity of its alerts", examples=["warning"])
    explain: Annotated[int, Field(ge=0, le=20)] = Field(
        3,
        description="Evidence documents of a firing alert of which the model tells the words that moved their score; 0: none",
        examples=[5],
    )
    explain_timeout: Seconds = Field(5.0, description="Seconds that explaining may hold an alert up", le=60, examples=[1])


class WebhookSettings(_Section):
    """Where alerts go whose rule names no channel, signed by the Standard Webhooks scheme; and what holds for every channel."""

    urls: tuple[HttpUrl, ...] = Field((), description="Receivers", examples=[["https://ops.example/hooks/bellwether"]])
    secrets: tuple[SecretStr, ...] = Field(
        (), description="Further signing secrets, while they are exchanged: each signs, after `secret`", examples=[["whsec_…"]]
    )
    secret: SecretStr | None = Field(None, description="Signing secret, whsec_ and base64", examples=["whsec_…"])
    timeout: Seconds = Field(10.0, description="Seconds until a delivery counts as failed", examples=[10])
    attempts: Count = Field(10, description="Tries until a delivery is given up, some three days after the first", examples=[10])
    allow_networks: tuple[Network, ...] = Field(
        (), description="Networks (CIDR) that alerts may go to although they are not public", examples=[["10.20.0.0/16"]]
    )
    log_days: Count = Field(90, description="Days that the log of deliveries is kept, in whole months", examples=[90])

    @field_validator("secrets")
    @classmethod
    def _each_with_its_prefix(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if not all(secret.get_secret_value().startswith("whsec_") for secret in value):
            raise ValueError("each must begin with whsec_")
        return value

    @field_validator("secret")
    @classmethod
    def _needed(cls, value: SecretStr | None, info: Any) -> SecretStr | None:
        if info.data.get("urls") and value is None and not info.data.get("secrets"):
            raise ValueError("webhook.urls is set: a signing secret is needed")
        if value is not None and not value.get_secret_value().startswith("whsec_"):
            raise ValueError("must begin with whsec_")
        return value


class FeedSettings(_Section):
    """RSS and Atom feeds."""

    file: Path | None = Field(None, description="TOML list of feeds to read", examples=["feeds.toml"])
    user_agent: str = Field("Bellwether/0.1 (+https://bellwether.example/bot)", description="How we present ourselves", examples=["…"])
    interval: Seconds = Field(300.0, description="Seconds between two visits of a feed, unless the file says otherwise", examples=[300])
    timeout: Seconds = Field(20.0, description="Seconds until a visit counts as failed", examples=[20])


class WorkerSettings(_Section):
    """The Faust worker."""

    agents: tuple[AgentName, ...] = Field(
        ("score", "index", "watch", "notify"), description="Agents that this worker runs", min_length=1, examples=[["score", "index"]]
    )

    @field_validator("agents")
    @classmethod
    def _outbox_is_shared(cls, value: tuple[AgentName, ...]) -> tuple[AgentName, ...]:
        if ("watch" in value) != ("notify" in value):
            raise ValueError("watch and notify go together: they share the outbox of alerts")
        return value

    metrics_port: Annotated[int, Field(ge=0, le=65535)] = Field(
        0, description="Port of /metrics on 127.0.0.1; 0: any free", examples=[9108]
    )
    session_timeout: Seconds = Field(10.0, description="Seconds until the group gives a silent worker up", examples=[10])
    rebalance_timeout: Seconds = Field(3.0, description="Seconds that a rebalance waits for the others", examples=[3])
    buffer: Count = Field(512, description="Events that a stream holds before it stops fetching", examples=[512])


class EmbeddedSettings(_Section):
    """The one-command mode."""

    data: Path = Field(Path("bellwether-data"), description="Folder of journal, index and logs", examples=["~/bellwether"])
    triton: Literal["auto", "off"] = Field("auto", description="off: score in the worker", examples=["off"])
    broker_memory_mb: Count = Field(
        1024, description="Megabytes from which the embedded broker is begun anew, once no document is on its way", examples=[512]
    )
    max_pending: Count = Field(20_000, description="Documents that may wait in the journal before sources are held back", examples=[20000])

    @field_validator("data")
    @classmethod
    def _expand(cls, value: Path) -> Path:
        return value.expanduser()


class Settings(BaseSettings):
    """All settings. Build it by :func:`load_settings`, which turns faults into one readable line."""

    model_config = SettingsConfigDict(
        env_prefix="BELLWETHER_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        validate_default=True,
    )

    kafka: KafkaSettings = KafkaSettings()
    topics: TopicSettings = TopicSettings()
    triton: TritonSettings = TritonSettings()
    scoring: ScoringSettings = ScoringSettings()
    search: SearchSettings = SearchSettings()
    enrich: EnrichSettings = EnrichSettings()
    alerts: AlertSettings = AlertSettings()
    webhook: WebhookSettings = WebhookSettings()
    feeds: FeedSettings = FeedSettings()
    worker: WorkerSettings = WorkerSettings()
    embedded: EmbeddedSettings = EmbeddedSettings()
    journal: Path | None = Field(
        None, description="Journal of the embedded mode; absent: Kafka keeps the documents", examples=["…/journal.db"]
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged", examples=["debug"])
    log_format: Literal["auto", "json", "console"] = Field("auto", description="auto: console on a terminal, else json", examples=["json"])

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags, environment, TOML, defaults: in this order."""
        file, pairs = given()
        return init_settings, Pairs(settings_cls, pairs), env_settings, TomlConfigSettingsSource(settings_cls, file)


def _refuse_unknown(name: str, shown: str) -> None:
    """Sections refuse names that they do not have; what no section would ever see is refused here."""
    section, _, rest = name.upper().removeprefix(PREFIX).lower().partition("__")
    field = Settings.model_fields.get(section)
    if field is None or (rest and not (isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel))):
        raise SettingsError(f"{shown}: there is no such setting", mend="`bellwether config` lists them all")


def _is_secret(place: str, given: object) -> bool:
    """Whether `given` may hold a secret: by the name of its place, as a whole section, or as an address with a password."""
    if isinstance(given, (dict, SecretStr)) or "." not in place:
        return place not in {"journal", "log_level", "log_format"}
    return any(word in place for word in ("password", "secret", "api_key")) or "@" in str(given)


def _example(location: tuple[int | str, ...]) -> str:
    model: Any = Settings
    field: Any = None
    for part in location:
        fields = getattr(model, "model_fields", {})
        if part not in fields:
            break
        field = fields[part]
        model = field.annotation
    if field is None or not field.examples:
        return ""
    example = field.examples[0]
    text = f"{example}" if not isinstance(example, list) else str(example).replace("'", '"')
    name = "__".join(str(part).upper() for part in location if isinstance(part, str))
    return f"for example BELLWETHER_{name}={text}"


def load_settings(config: Path | None = None, *, pairs: Mapping[str, str] | None = None, **flags: Any) -> Settings:
    """Read settings from flags, environment and file. Leaves nothing behind for the next call.

    Args:
        config: TOML file; None: ``BELLWETHER_CONFIG`` or ``bellwether.toml`` where it exists.
        pairs: values by dotted name (``scoring.batch_size``), written like those of environment variables; they win over these.
        flags: values from the command line, nested like the settings; they win.

    Raises:
        SettingsError: naming the setting, what is wrong, and an example.
    """
    for name in os.environ:
        if name.upper().startswith(PREFIX) and name.upper() not in {"BELLWETHER_CONFIG", "BELLWETHER_CACHE"}:
            _refuse_unknown(name, name)
    for name in pairs or {}:
        _refuse_unknown(variable(name), name)
    file = settings_file(config)
    try:
        with giving(file, pairs or {}):
            return Settings(**flags)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            raise SettingsError(f"{place}: there is no such setting", mend="`bellwether config` lists them all") from error
        value = first.get("input")
        shown = "" if _is_secret(place, value) else f", got {value!r}"
        raise SettingsError(f"{place}: {message}{shown}", mend=_example(first["loc"])) from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(
            f"config: {file} is not TOML: {error}", mend='for example: [kafka] and, below it, group = "bellwether"'
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"config: {file} cannot be read: {error}", mend="name a TOML file (UTF-8) that this user may read") from error
    except ValueError as error:  # pydantic-settings: a JSON list in the environment that does not parse
        raise SettingsError(f"environment: {error}", mend='lists are JSON, for example BELLWETHER_ENRICH__LANGUAGES=["en","de"]') from error
