"""Hypothesis strategies for exceptions: as Python, libraries and applications raise them."""

from __future__ import annotations

import asyncio
import builtins
import errno
import json
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from realtape.schema import RecordedError
from realtape.schema.codec.standard import ASYNCIO_EXCEPTIONS, BUILTIN_EXCEPTIONS

from .examples import DeviceError, QuotaError, RefundError
from .strategies import Strategy, hashables, leaves, octets, texts

# These take arguments of their own; the others take any.
_PARTICULAR = {
    "UnicodeDecodeError", "UnicodeEncodeError", "UnicodeTranslateError", "SyntaxError", "IndentationError",
    "TabError", "ExceptionGroup", "BaseExceptionGroup",
}  # fmt: skip
_SIMPLE = [getattr(builtins, name) for name in BUILTIN_EXCEPTIONS if name not in _PARTICULAR]
_NUMBERS = [errno.ENOENT, errno.EPIPE, errno.ECONNRESET, errno.EIO, errno.EACCES, errno.EEXIST, 99_999]
_NAMES: Strategy = texts | octets | st.integers(0, 9)


def _made(cls: type[Any], arguments: tuple[Any, ...]) -> BaseException:
    return cls(*arguments)


def _imported(cls: type[Any], text: str, name: Any, path: Any) -> BaseException:
    return cls(text, name=name, path=path)


def _named(cls: type[Any], text: str, name: Any) -> BaseException:
    return cls(text, name=name)


def _joined(text: str, members: list[BaseException]) -> BaseException:
    return BaseExceptionGroup(text, members)


simple: Strategy = st.one_of(
    st.builds(_made, st.sampled_from(_SIMPLE), st.lists(leaves, max_size=1).map(tuple)),
    st.builds(_made, st.sampled_from(_SIMPLE), st.lists(texts, max_size=3).map(tuple)),
    st.builds(OSError, st.sampled_from(_NUMBERS), texts),
    st.builds(OSError, st.sampled_from(_NUMBERS), texts, _NAMES),
    st.builds(OSError, st.sampled_from(_NUMBERS), texts, _NAMES, st.none(), _NAMES),
    st.builds(BlockingIOError, st.just(errno.EAGAIN), texts, st.integers(0, 100)),
    st.builds(UnicodeDecodeError, st.just("utf-8"), octets, st.integers(0, 9), st.integers(0, 9), texts),
    st.builds(UnicodeEncodeError, st.just("ascii"), texts, st.integers(0, 9), st.integers(0, 9), texts),
    st.builds(UnicodeTranslateError, texts, st.integers(0, 9), st.integers(0, 9), texts),
    st.builds(_imported, st.sampled_from([ImportError, ModuleNotFoundError]), texts, texts, texts),
    st.builds(_named, st.sampled_from([NameError, UnboundLocalError, AttributeError]), texts, texts),
    st.builds(SyntaxError, texts, st.tuples(texts, st.integers(0, 9), st.integers(0, 9), texts)),
    st.builds(json.JSONDecodeError, texts, st.text(max_size=5), st.integers(0, 5)),
    st.builds(asyncio.IncompleteReadError, octets, st.none() | st.integers(0, 9)),
    st.builds(asyncio.LimitOverrunError, texts, st.integers(0, 9)),
    st.builds(_made, st.sampled_from([asyncio.CancelledError, asyncio.QueueFull]), st.just(())),
    st.builds(RefundError, hashables, reason=leaves),
    st.builds(DeviceError, st.sampled_from(_NUMBERS), texts, texts, device=texts),
    st.builds(QuotaError, st.integers(), texts),
    st.builds(RecordedError, texts, texts, leaves, state=st.dictionaries(texts, leaves, max_size=2)),
)


@st.composite
def raised(draw: Callable[[Strategy], Any], error: Strategy) -> BaseException:
    """With what an exception gathers on its way: notes, attributes, a trace, a cause."""
    found: BaseException = draw(error)
    for note in draw(st.lists(texts, max_size=2)):
        found.add_note(note)
    for name in draw(st.lists(st.sampled_from(["code", "detail"]), max_size=2)):
        setattr(found, name, draw(leaves))
    if draw(st.booleans()):
        try:
            try:
                raise KeyError(draw(texts))
            except KeyError as cause:
                raise found from cause
        except BaseException:  # noqa: BLE001 - whatever was drawn
            return found
    return found


exceptions: Strategy = st.recursive(
    raised(simple),
    lambda inner: raised(st.builds(_joined, texts, st.lists(inner, min_size=1, max_size=3))),
    max_leaves=3,
)
ALL = {cls.__name__ for cls in (*_SIMPLE, *ASYNCIO_EXCEPTIONS)} | _PARTICULAR
