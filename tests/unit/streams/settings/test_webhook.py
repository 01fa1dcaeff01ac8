"""Signing secrets, and the networks that alerts may go to."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from streams.errors import SettingsError
from streams.settings import load_settings


def test_webhooks_need_a_secret(refusal: Callable[..., SettingsError], secrets: Mapping[str, str]) -> None:
    assert "a signing secret is needed" in refusal(webhook={"urls": ["https://a.example"]}).message
    assert load_settings(webhook={"urls": ["https://a.example/"], "secret": secrets["webhook.secret"]}).webhook.urls == (
        "https://a.example",
    )


def test_a_secret_of_another_form_is_refused_and_not_shown(refusal: Callable[..., SettingsError]) -> None:
    error = refusal(webhook={"secret": "hunter2"})
    assert "must begin with whsec_" in error.message
    assert "hunter2" not in str(error)


def test_secrets_while_they_are_exchanged(refusal: Callable[..., SettingsError]) -> None:
    found = load_settings(webhook={"urls": ["https://a.example"], "secrets": ["whsec_bmV3", "whsec_b2xk"]}).webhook
    assert [secret.get_secret_value() for secret in found.secrets] == ["whsec_bmV3", "whsec_b2xk"]
    error = refusal(webhook={"secrets": ["whsec_bmV3", "hunter2"]})
    assert "webhook.secrets: each must begin with whsec_" in error.message
    assert "hunter2" not in str(error)
    assert "bmV3" not in str(error)


@pytest.mark.parametrize("wrong", [["10.0.0.1/8"], ["inside"], "10.0.0.0/8", [""]])
def test_networks_that_are_none(wrong: object, refusal: Callable[..., SettingsError]) -> None:
    assert "webhook.allow_networks" in refusal(webhook={"allow_networks": wrong}).message
