"""The standard vocabulary: our own events and items, and the exceptions that Python itself raises."""

from __future__ import annotations

import asyncio
import builtins
import json
import re
from collections.abc import Iterable
from typing import Any

from .. import items, usage
from ..events import RECEIVED_EVENTS
from ..frames import Frame, frame_of, frame_state
from ..sends import SENT_EVENTS
from .vocabulary import FRAME, Vocabulary

# By name and not by `vars(builtins)`: what a newer Python adds is read by an older one, too.
BUILTIN_EXCEPTIONS = (
    "ArithmeticError",
    "AssertionError",
    "AttributeError",
    "BaseException",
    "BaseExceptionGroup",
    "BlockingIOError",
    "BrokenPipeError",
    "BufferError",
    "BytesWarning",
    "ChildProcessError",
    "ConnectionAbortedError",
    "ConnectionError",
    "ConnectionRefusedError",
    "ConnectionResetError",
    "DeprecationWarning",
    "EOFError",
    "EncodingWarning",
    "Exception",
    "ExceptionGroup",
    "FileExistsError",
    "FileNotFoundError",
    "FloatingPointError",
    "FutureWarning",
    "GeneratorExit",
    "ImportError",
    "ImportWarning",
    "IndentationError",
    "IndexError",
    "InterruptedError",
    "IsADirectoryError",
    "KeyError",
    "KeyboardInterrupt",
    "LookupError",
    "MemoryError",
    "ModuleNotFoundError",
    "NameError",
    "NotADirectoryError",
    "NotImplementedError",
    "OSError",
    "OverflowError",
    "PendingDeprecationWarning",
    "PermissionError",
    "ProcessLookupError",
    "RecursionError",
    "ReferenceError",
    "ResourceWarning",
    "RuntimeError",
    "RuntimeWarning",
    "StopAsyncIteration",
    "StopIteration",
    "SyntaxError",
    "SyntaxWarning",
    "SystemError",
    "SystemExit",
    "TabError",
    "TimeoutError",
    "TypeError",
    "UnboundLocalError",
    "UnicodeDecodeError",
    "UnicodeEncodeError",
    "UnicodeError",
    "UnicodeTranslateError",
    "UnicodeWarning",
    "UserWarning",
    "ValueError",
    "Warning",
    "ZeroDivisionError",
)

ASYNCIO_EXCEPTIONS = (
    asyncio.CancelledError,
    asyncio.IncompleteReadError,
    asyncio.InvalidStateError,
    asyncio.LimitOverrunError,
    asyncio.QueueEmpty,
    asyncio.QueueFull,
    asyncio.BrokenBarrierError,
)


def received_name(cls: type[Any]) -> str | None:
    """The registered name of a received event's class: its `type` literal."""
    name = getattr(cls, "type", None)
    return str.__str__(name) if isinstance(name, str) else None  # of a subclass its text, and no code


def sent_name(cls: type[Any]) -> str:
    """The registered name of a sent event's class: `RealtimeModelSendToolOutput` → `send_tool_output`."""
    words = re.findall("[A-Z][a-z]*", cls.__name__.removeprefix("RealtimeModel"))
    return "_".join(words).lower()


def event_name(vocabulary: Vocabulary, cls: type[Any]) -> str:
    """What the `type` column says of an event of this class, registered or not."""
    word = vocabulary.word_for(cls)
    return word.name if word is not None else received_name(cls) or sent_name(cls)


def register_interface(
    vocabulary: Vocabulary,
    received: Iterable[type[Any]],
    sent: Iterable[type[Any]],
    values: Iterable[type[Any]],
) -> None:
    """Register one implementation of the interface: ours here, the SDK's by its integration.

    Args:
        received: event classes with a `type` literal.
        sent: `RealtimeModelSend…` classes.
        values: what stands in their fields; named by class name.
    """
    for cls in received:
        name = received_name(cls)
        if name is not None:
            vocabulary.register(name, cls)
    for cls in sent:
        vocabulary.register(sent_name(cls), cls)
    for cls in values:
        vocabulary.register(cls.__name__, cls)


def _python() -> Vocabulary:
    vocabulary = Vocabulary()
    for name in BUILTIN_EXCEPTIONS:
        vocabulary.register(f"py:{name}", getattr(builtins, name))
    for cls in ASYNCIO_EXCEPTIONS:
        vocabulary.register(f"asyncio:{cls.__name__}", cls)
    vocabulary.register("json:JSONDecodeError", json.JSONDecodeError)
    vocabulary.register(FRAME, Frame, to_state=frame_state, from_state=frame_of)
    return vocabulary


def _standard() -> Vocabulary:
    vocabulary = Vocabulary(PYTHON)
    register_interface(vocabulary, RECEIVED_EVENTS, SENT_EVENTS, items.ITEM_TYPES + usage.USAGE_TYPES)
    return vocabulary


PYTHON = _python()
"""Exceptions that Python itself raises: the ground for the vocabulary of another interface than ours.
What that interface lacks must be unknown there, and not come in a class of ours."""

STANDARD = _standard()
"""The vocabulary that needs nothing but Realtape. Make your own on top: `Vocabulary(STANDARD)`."""
