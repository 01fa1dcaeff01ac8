"""One family of errors, each with what is wrong and what to do."""

from __future__ import annotations

import pickle

import pytest

from streams.errors import BellwetherError, PermanentError, SettingsError, StackError, TransientError


@pytest.mark.parametrize("kind", [SettingsError, StackError, TransientError])
def test_everything_raised_on_purpose_is_of_one_family(kind: type[BellwetherError]) -> None:
    error = kind("broker: away", mend="start it")
    assert isinstance(error, BellwetherError)
    assert (error.message, error.mend, str(error)) == ("broker: away", "start it", "broker: away (start it)")
    assert str(kind("broker: away")) == "broker: away"


def test_a_permanent_error_has_a_reason_and_a_transient_one_perhaps_a_wait() -> None:
    assert PermanentError("x", reason="search.rejected").reason == "search.rejected"
    assert TransientError("x").retry_after is None
    assert TransientError("x", retry_after=0.0).retry_after == 0.0


def test_the_two_fates_are_told_apart() -> None:
    assert not issubclass(TransientError, PermanentError)
    assert not issubclass(PermanentError, TransientError)
    assert not issubclass(SettingsError, PermanentError | TransientError)


def test_errors_cross_threads_and_processes_of_a_pool() -> None:
    error = pickle.loads(pickle.dumps(BellwetherError("x", mend="y")))
    assert (error.message, error.mend) == ("x", "y")
