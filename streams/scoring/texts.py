"""What every scorer asks of the texts it is given."""

from __future__ import annotations

from collections.abc import Sequence

from streams.errors import PermanentError

__all__ = ["as_utf8"]


def as_utf8(texts: Sequence[str]) -> list[bytes]:
    """The texts as UTF-8.

    Raises:
        PermanentError: a text holds a lone surrogate, which no encoding of Unicode can express (``encoding.surrogate``).
    """
    try:
        return [text.encode("utf-8") for text in texts]
    except UnicodeEncodeError as error:
        message = f"text to score holds a lone surrogate at character {error.start}"
        raise PermanentError(message, reason="encoding.surrogate", mend="clean texts before they are scored") from error
