"""A forked child of the test's own process."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable


def in_child(do: Callable[[], bool]) -> bool:
    """What it answers in a forked process, which ends without ceremony."""
    pid = os.fork()
    if pid == 0:
        code = 2
        try:
            code = 0 if do() else 1
        except BaseException:  # noqa: BLE001 - told, and by the code, too
            traceback.print_exc()
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code in (0, 1)
    return code == 0
