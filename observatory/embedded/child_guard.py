"""Child processes that never outlive their parent, even when it is killed with SIGKILL.

The kernel sends the child a signal when the thread that forked it ends (Linux). The setting is
cleared by a change of user and by exec of a set-uid program, so it is made after both.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def kill_with_parent(parent: int, number: signal.Signals) -> None:
    """Ask the kernel to send this process `number` when `parent`, its parent, is gone.

    Raises OSError when the kernel refuses, and ProcessLookupError when the parent is gone
    already. Does nothing on other systems than Linux.
    """
    if _libc is None:
        return
    if _libc.prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:  # it died between the fork and the call above
        raise ProcessLookupError(parent)


def guard_child(number: signal.Signals) -> Callable[[], None]:
    """Return a `preexec_fn`: the child gets `number` when this process ends.

    Only for the main thread of a process that has no others: after a fork beside threads only
    async-signal-safe calls are certain, and the kernel watches the forking thread.
    """
    parent = os.getpid()
    return lambda: kill_with_parent(parent, number)
