"""Options of the client libraries: the same security everywhere, and no secret in any print."""

from __future__ import annotations

import inspect
import logging
import ssl
import subprocess
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from kafka import KafkaConsumer
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from streams.errors import SettingsError
from streams.kafka import MaskedSecret, admin_options, aiokafka_options, faust_broker, ssl_context
from streams.settings import KafkaSettings

PASSWORD = "correct horse battery staple"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    key, pem = folder / "client.key", folder / "client.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    try:
        subprocess.run([*command, "-keyout", str(key), "-out", str(pem)], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("needs the openssl command to make a certificate")
    return pem, key


def sasl(protocol: str, mechanism: str, **more: object) -> KafkaSettings:
    return KafkaSettings(
        bootstrap_servers="k1:9093, k2:9093",
        security_protocol=protocol,
        sasl_mechanism=mechanism,
        sasl_username="bell",
        sasl_password=PASSWORD,
        **more,
    )


def test_plaintext_carries_no_credentials() -> None:
    settings = KafkaSettings(bootstrap_servers="k1:9092,k2:9092", request_timeout=2.5)
    assert admin_options(settings) == {
        "bootstrap_servers": ["k1:9092", "k2:9092"],
        "client_id": "bellwether",
        "request_timeout_ms": 2500,
        "bootstrap_timeout_ms": 2500,
        "security_protocol": "PLAINTEXT",
    }
    assert aiokafka_options(settings) == {
        "bootstrap_servers": ["k1:9092", "k2:9092"],
        "client_id": "bellwether",
        "request_timeout_ms": 2500,
        "security_protocol": "PLAINTEXT",
    }
    broker = faust_broker(settings)
    assert broker == (["kafka://k1:9092", "kafka://k2:9092"], {})
    assert broker.credentials_class is None


def test_the_first_answer_is_not_awaited_for_a_whole_request_timeout() -> None:
    assert admin_options(KafkaSettings(request_timeout=300))["bootstrap_timeout_ms"] == 10_000


@pytest.mark.parametrize("protocol", ["SASL_PLAINTEXT", "SASL_SSL"])
@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_sasl_reaches_every_client_alike(protocol: str, mechanism: str) -> None:
    settings = sasl(protocol, mechanism)
    for options in (admin_options(settings), aiokafka_options(settings)):
        assert options["security_protocol"] == protocol
        assert options["sasl_mechanism"] == mechanism
        assert options["sasl_plain_username"] == "bell"
        assert options["sasl_plain_password"] == PASSWORD
        assert ("ssl_context" in options) == (protocol == "SASL_SSL")
    urls, credentials = faust_broker(settings)
    assert urls == ["kafka://k1:9093", "kafka://k2:9093"]
    assert (credentials["username"], credentials["password"], credentials["mechanism"]) == ("bell", PASSWORD, mechanism)
    assert isinstance(credentials["ssl_context"], ssl.SSLContext) == (protocol == "SASL_SSL")
    assert faust_broker(settings).credentials_class == "SASLCredentials"


def test_faust_and_aiokafka_understand_the_same_security() -> None:
    faust = pytest.importorskip("faust")
    driver = pytest.importorskip("faust.transport.drivers.aiokafka")
    for settings in (sasl("SASL_SSL", "SCRAM-SHA-512"), sasl("SASL_PLAINTEXT", "PLAIN"), KafkaSettings(security_protocol="SSL")):
        broker = faust_broker(settings)
        credentials = getattr(faust, broker.credentials_class)(**broker.credentials)
        through_faust = driver.credentials_to_aiokafka_auth(credentials)
        ours = aiokafka_options(settings)
        for name in ("security_protocol", "sasl_mechanism", "sasl_plain_username", "sasl_plain_password"):
            assert through_faust.get(name) == ours.get(name)
        assert (through_faust["ssl_context"] is None) == ("ssl_context" not in ours)


def test_the_clients_take_every_option() -> None:
    settings = sasl("SASL_SSL", "SCRAM-SHA-512")
    assert set(admin_options(settings)) <= set(KafkaAdminClient.DEFAULT_CONFIG)
    assert set(admin_options(settings)) <= set(KafkaConsumer.DEFAULT_CONFIG)
    for client in (AIOKafkaProducer, AIOKafkaConsumer):
        assert set(aiokafka_options(settings)) <= set(inspect.signature(client).parameters)


def test_no_secret_in_prints() -> None:
    settings = sasl("SASL_PLAINTEXT", "PLAIN")
    for thing in (settings, admin_options(settings), aiokafka_options(settings), faust_broker(settings)):
        assert PASSWORD not in repr(thing)
        assert PASSWORD not in str(thing)
    secret = MaskedSecret(PASSWORD)
    assert secret.encode() == PASSWORD.encode()
    assert "\0".join(["", "bell", secret]).endswith(PASSWORD)


def test_no_secret_in_the_debug_log_of_the_client(caplog: pytest.LogCaptureFixture) -> None:
    settings = sasl("SASL_PLAINTEXT", "PLAIN").model_copy(update={"bootstrap_servers": "127.0.0.1:1", "request_timeout": 0.2})
    with caplog.at_level(logging.DEBUG), pytest.raises(KafkaError):
        KafkaAdminClient(**admin_options(settings))
    assert "Starting KafkaAdminClient" in caplog.text, "the log that would show it was written"
    assert PASSWORD not in caplog.text


def test_sasl_without_user_or_password_names_both_settings() -> None:
    incomplete = KafkaSettings().model_copy(update={"security_protocol": "SASL_SSL"})
    for build in (admin_options, aiokafka_options, faust_broker):
        with pytest.raises(SettingsError, match="SASL_USERNAME and BELLWETHER_KAFKA__SASL_PASSWORD"):
            build(incomplete)


def test_tls_checks_the_host_name_and_takes_a_client_certificate(certificate: tuple[Path, Path]) -> None:
    pem, key = certificate
    context = ssl_context(KafkaSettings(security_protocol="SSL", ssl_cafile=pem, ssl_certfile=pem, ssl_keyfile=key))
    assert context is not None
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert len(context.get_ca_certs()) == 1, "only the given authority is trusted"
    assert ssl_context(KafkaSettings(ssl_cafile=pem)) is None


@pytest.mark.parametrize("setting", ["ssl_cafile", "ssl_certfile", "ssl_keyfile"])
def test_a_missing_file_is_named_with_its_setting(tmp_path: Path, setting: str) -> None:
    with pytest.raises(SettingsError, match=f"kafka.{setting}: .*none.pem is not a file"):
        ssl_context(KafkaSettings(security_protocol="SSL", **{setting: tmp_path / "none.pem"}))


def test_a_file_that_is_no_certificate_is_named(tmp_path: Path, certificate: tuple[Path, Path]) -> None:
    garbage = tmp_path / "garbage.pem"
    garbage.write_text("this is not PEM")
    with pytest.raises(SettingsError, match=r"kafka\.ssl_cafile: not a usable PEM"):
        ssl_context(KafkaSettings(security_protocol="SSL", ssl_cafile=garbage))
    with pytest.raises(SettingsError, match=r"kafka\.ssl_certfile: not a usable PEM"):
        ssl_context(KafkaSettings(security_protocol="SSL", ssl_certfile=garbage))
    with pytest.raises(SettingsError, match="a key without its certificate"):
        ssl_context(KafkaSettings(security_protocol="SSL", ssl_keyfile=certificate[1]))
