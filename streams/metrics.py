"""Prometheus metrics of a worker. Names follow the Prometheus naming rules; counters restart with the process."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

__all__ = ["Metrics"]


class Metrics:
    """One set of metrics, in a registry of its own so that tests and several workers of one process do not collide."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.received = Counter(
            "bellwether_documents_received", "Raw documents taken by the score agent, redeliveries included", registry=self.registry
        )
        self.finished = Counter(
            "bellwether_documents_finished", "Documents by how their way ended, redeliveries included", ["outcome"], registry=self.registry
        )
        self.dead = Counter("bellwether_dead_letters", "Dead letters by stage and reason", ["stage", "reason"], registry=self.registry)
        self.languages = Counter("bellwether_documents_language", "Scored documents by language", ["language"], registry=self.registry)
        self.sentiments = Counter(
            "bellwether_documents_sentiment", "Scored documents by sentiment label", ["label"], registry=self.registry
        )
        self.model_stages = Counter(
            "bellwether_documents_model_stage",
            "Scored documents by the stage of the cascade that answered; none without a cascade",
            ["model_stage"],
            registry=self.registry,
        )
        self.near_copies = Counter("bellwether_near_copies", "Documents recognised as near-copies", registry=self.registry)
        self.watched = Counter("bellwether_documents_watched", "Scored documents that the watch agent counted", registry=self.registry)
        self.ignored = Counter(
            "bellwether_watch_ignored",
            "Scored documents that the alert engine did not count, by reason",
            ["reason"],
            registry=self.registry,
        )
        self.alerts = Counter("bellwether_alerts", "Alerts by rule and status", ["rule", "status"], registry=self.registry)
        self.explanations = Counter(
            "bellwether_alert_explanations",
            "Evidence documents of firing alerts by whether their words were told (explained), or why not",
            ["outcome"],
            registry=self.registry,
        )
        self.explanation_seconds = Histogram(
            "bellwether_alert_explanation_seconds",
            "Seconds that an alert was held up to be explained",
            buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
            registry=self.registry,
        )
        self.deliveries = Counter(
            "bellwether_deliveries", "Attempts to deliver an alert, by result and channel", ["result", "channel"], registry=self.registry
        )
        self.deliveries_waiting = Gauge(
            "bellwether_deliveries_waiting", "Alerts that a channel has not had yet", ["channel"], registry=self.registry
        )
        self.delivery_log_dropped = Counter(
            "bellwether_delivery_log_dropped",
            "Attempts to deliver that could not be logged while the search server was away",
            registry=self.registry,
        )
        self.decisions_dropped = Counter(
            "bellwether_decisions_dropped", "Decisions that could not be stored while the search server was away", registry=self.registry
        )
        self.rules_loaded = Counter("bellwether_rules_loaded", "Times that changed rules were put into force", registry=self.registry)
        self.rules_broken = Counter(
            "bellwether_rules_broken", "Contents of the rule file that could not be used; the former rules stay", registry=self.registry
        )
        self.retries = Counter(
            "bellwether_retries", "Repeated attempts after a transient fault", ["stage", "error"], registry=self.registry
        )
        self.stage_seconds = Histogram(
            "bellwether_stage_seconds",
            "Seconds that a batch spends in a stage",
            ["stage"],
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
            registry=self.registry,
        )
        self.event_lag = Gauge(
            "bellwether_event_lag_seconds", "Age of the newest document of the last batch when it was scored", registry=self.registry
        )
        self.build = Gauge("bellwether_build_info", "Version and model, value 1", ["version", "model"], registry=self.registry)
