"""Ctrl-C, told apart from a KeyboardInterrupt that somebody else's code raises."""

from __future__ import annotations

import signal
import threading


def may_be_ctrl_c(error: BaseException) -> bool:
    """Whether this may be the user who wants everything to end, and is not to be kept.

    Python raises it between any two instructions of the main thread, as long as its own handler stands. Where
    another one does (`asyncio.run` puts one there, which cancels the main task), what is raised in a call of
    ours comes from the tracker, the clock or whatever else of the application's was called.
    """
    if not isinstance(error, KeyboardInterrupt):
        return False
    in_main = threading.current_thread() is threading.main_thread()
    return in_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler
