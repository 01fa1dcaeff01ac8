"""Becomes another program that dies with its parent. Run as a file by an isolated interpreter: imports nothing of ours.

    python -I -S launcher.py PARENT_PID PROGRAM [ARGUMENT …]

On Linux the kernel kills the program when the supervisor is gone, however it went (prctl(2), PR_SET_PDEATHSIG; kept
across execve). Elsewhere the program is started all the same, and the next start on the data folder sweeps up.
"""

from __future__ import annotations

import os
import signal
import sys

__all__ = ["main"]

_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Ask for the parent's death signal, then exec. Exits 127 when the program cannot be executed."""
    parent, command = int(arguments[0]), arguments[1:]
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it died before we asked
            sys.exit(1)
    try:
        os.execv(command[0], command)  # noqa: S606 - becoming the program is the purpose
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        sys.exit(127)


if __name__ == "__main__":
    main(sys.argv[1:])
