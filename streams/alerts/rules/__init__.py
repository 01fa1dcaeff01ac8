"""Rules: what is watched, how it is judged, and who hears of it.

`reading` makes rules of a file, `defaults` of the settings; `matching` tells which documents count for them.
"""

from __future__ import annotations

__all__: list[str] = []
