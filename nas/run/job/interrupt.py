"""Ctrl-C that cannot be lost.

A signal's exception rises wherever Python happens to be. In a destructor or in a weak reference's
callback (imports and the garbage collector run such all the time) Python prints and drops it, and
the job goes on. So the request is remembered too, and every step of a long job asks for it.
"""

from __future__ import annotations

import signal
from types import FrameType

_asked = False
_leaving = False


def listen() -> None:
    """From here on SIGTERM ends a job as Ctrl-C does, and a job that calls `check` loses neither.

    SIGTERM is what schedulers and `timeout` send. Where SIGINT is ignored, as a shell does for
    jobs in the background, it stays ignored. Call it in the main thread.
    """
    global _asked, _leaving
    _asked = _leaving = False
    signal.signal(signal.SIGTERM, _interrupted)
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _interrupted)


def check() -> None:
    """Raise what was asked for, if it was lost.

    Raises:
        KeyboardInterrupt: somebody asked to stop since `listen`.
    """
    if asked():
        raise KeyboardInterrupt


def asked() -> bool:
    """Whether somebody asked to stop since `listen`."""
    return _asked


def leave() -> None:
    """From here on nothing interrupts: the process is about to end, and says so."""
    global _leaving
    _leaving = True


def _interrupted(number: int, frame: FrameType | None) -> None:
    global _asked
    _asked = True
    if not _leaving:
        raise KeyboardInterrupt
