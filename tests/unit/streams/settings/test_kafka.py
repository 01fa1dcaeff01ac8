"""SASL asks for a user and a password."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from streams.errors import SettingsError
from streams.settings import load_settings


@pytest.mark.parametrize("protocol", ["SASL_PLAINTEXT", "SASL_SSL"])
@pytest.mark.parametrize("given", [{}, {"sasl_username": "u"}, {"sasl_password": "hunter2"}, {"sasl_username": "", "sasl_password": "p"}])
def test_sasl_needs_user_and_password(protocol: str, given: dict[str, str], refusal: Callable[..., SettingsError]) -> None:
    error = refusal(kafka={"security_protocol": protocol, **given})
    assert "sasl_username and sasl_password are needed" in error.message
    assert "hunter2" not in str(error)


def test_sasl_with_both_is_taken() -> None:
    kafka = load_settings(kafka={"security_protocol": "SASL_SSL", "sasl_username": "u", "sasl_password": "p"}).kafka
    assert kafka.sasl_password is not None
    assert kafka.sasl_password.get_secret_value() == "p"
