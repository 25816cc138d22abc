"""Exceptions as values: what they hold and where they came from, read without running their code.

An exception is kept as its arguments, its attributes, its notes and the lines it passed: files,
line numbers and functions, never source text or locals. Making one again runs the constructor of
the builtin class that it derives from, which sets what only C can set, and no other.
"""

from __future__ import annotations

import builtins
import pathlib
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

from .described import ORIGIN, ORIGIN_KEYS
from .inspection import dict_get, dict_items, instance_dict, is_a, mro, own_attributes

MAX_CHAIN = 4
MAX_TRACE_FRAMES = 50
MAX_TEXT_PARTS = 20

_BUILTIN = frozenset(
    id(cls) for cls in vars(builtins).values() if isinstance(cls, type) and issubclass(cls, BaseException)
)
# What a constructor keeps beside `args`. Not `AttributeError.obj`: a live object.
_BESIDE: tuple[tuple[type[BaseException], tuple[str, ...]], ...] = (
    (OSError, ("filename", "filename2")),
    (ImportError, ("name", "path", "name_from")),
    (NameError, ("name",)),
    (AttributeError, ("name",)),
)
# What `str()` reads beside `args`: all of it can be assigned to.
_TOLD: tuple[tuple[type[BaseException], tuple[str, ...]], ...] = (
    (OSError, ("errno", "strerror", "filename", "filename2")),
    (SyntaxError, ("msg", "filename", "lineno")),
    (UnicodeDecodeError, ("encoding", "object", "start", "end", "reason")),
    (UnicodeEncodeError, ("encoding", "object", "start", "end", "reason")),
    (UnicodeTranslateError, ("object", "start", "end", "reason")),
)
_TEXTUAL = (str, int, float, bool, bytes, type(None), pathlib.PosixPath, pathlib.WindowsPath)
_PLAIN = frozenset(map(id, _TEXTUAL))  # by identity: a metaclass may define `__eq__`
_HIDDEN = ("__notes__", ORIGIN)

_base = vars(BaseException)
arguments = cast("Callable[[BaseException], tuple[Any, ...]]", _base["args"].__get__)
"""`error.args`."""
_traceback = cast("Callable[[BaseException], types.TracebackType | None]", _base["__traceback__"].__get__)
_cause = cast("Callable[[BaseException], BaseException | None]", _base["__cause__"].__get__)
_context = cast("Callable[[BaseException], BaseException | None]", _base["__context__"].__get__)
_context_suppressed = cast("Callable[[BaseException], bool]", _base["__suppress_context__"].__get__)


# --- taking apart ---------------------------------------------------------------------------------


def constructor_arguments(error: BaseException) -> list[Any]:
    """What the exception can be made of again: its arguments; of a group also its members."""
    args = list(arguments(error))
    if is_a(type(error), BaseExceptionGroup) and len(args) == 2:
        # The sequence is the caller's, who may have changed it since.
        members = vars(BaseExceptionGroup)["exceptions"].__get__(error)
        given = args[1]
        cls = cast("Any", type(given))
        if (cls is not list and cls is not tuple) or tuple(map(id, given)) != tuple(map(id, members)):
            args[1] = list(members)
    return args


def beside_arguments(error: BaseException) -> dict[str, Any]:
    """What the builtin class keeps beside the arguments, such as the name of a file."""
    return {name: item for name, item in _members(error, _BESIDE) if item is not None}


def _members(
    error: BaseException, table: tuple[tuple[type[BaseException], tuple[str, ...]], ...]
) -> Iterator[tuple[str, Any]]:
    """Attributes of the builtin classes, read from where C keeps them."""
    for base, names in table:
        if is_a(type(error), base):
            for name in names:
                descriptor = vars(base).get(name)  # a newer Python has more of them
                if descriptor is not None:
                    yield name, descriptor.__get__(error)


def attributes(error: BaseException) -> dict[Any, Any]:
    """The attributes that the instance was given, and what its builtin class keeps."""
    own = dict_items(instance_dict(error))
    given = {name: item for name, item in own if not (type(name) is str and name in _HIDDEN)}
    return given | beside_arguments(error)


def notes(error: BaseException) -> Any:
    """What `add_note` added, or whatever else somebody set there."""
    return dict_get(instance_dict(error), "__notes__")


def text_of(error: BaseException) -> str:
    """What `str(error)` gives, where no code but Python's own makes it; else what can be told of it."""
    args = arguments(error)
    known = args[:1] if is_a(type(error), BaseExceptionGroup) else args
    try:
        if _is_plain(known) and _is_plain(item for _, item in _members(error, _TOLD)):
            if _has_builtin_str(type(error)):
                return str(error)
            text = BaseException.__str__(error)
        else:
            text = ", ".join(str(item) for item in known[:MAX_TEXT_PARTS] if _kind(item) in _PLAIN)
    except (TypeError, ValueError):  # never initialised; an integer of more digits than Python writes
        text = ""
    if _has_builtin_str(type(error)):
        return text
    facts = [f"{name}={item!r}" for name, item in attributes(error).items() if _is_fact(name, item)]
    return ", ".join(part for part in [text, *facts[:MAX_TEXT_PARTS]] if part)


def _kind(item: Any) -> int:
    return id(cast("Any", type(item)))


def _is_plain(items: Any) -> bool:
    return all(
        _kind(item) in _PLAIN or (type(item) is tuple and all(_kind(part) in _PLAIN for part in item))
        for item in items
    )


def _is_fact(name: Any, item: Any) -> bool:
    if type(name) is not str or _kind(item) not in _PLAIN:
        return False
    return type(item) is not int or item.bit_length() < 64


def _has_builtin_str(cls: type[BaseException]) -> bool:
    return next(id(base) in _BUILTIN for base in mro(cls) if "__str__" in own_attributes(base))


def origin(error: BaseException, told_of: Callable[[BaseException], dict[str, str]]) -> Mapping[str, Any]:
    """Where it came from: `trace` (file, line, function), and `behind`, the exceptions that led to it.

    Args:
        told_of: the name and the text of one of those.
    """
    known: Any = dict_get(instance_dict(error), ORIGIN)
    if type(known) is dict:
        return {key: known[key] for key in ORIGIN_KEYS if key in known}
    found: dict[str, Any] = {"trace": _trace(error), "behind": _behind(error, told_of)}
    return {key: item for key, item in found.items() if item}


def _trace(error: BaseException) -> list[Any]:
    # Not by the `traceback` module, which looks for the source on disk.
    frames: list[Any] = []
    passed = _traceback(error)
    while passed is not None and len(frames) < MAX_TRACE_FRAMES:
        code = passed.tb_frame.f_code
        frames.append([code.co_filename, passed.tb_lineno, code.co_name])
        passed = passed.tb_next
    return frames


def _behind(error: BaseException, told_of: Callable[[BaseException], dict[str, str]]) -> list[Any]:
    """The exceptions behind this one, as far as they matter and no further."""
    found: list[Any] = []
    seen = {id(error)}
    while len(found) < MAX_CHAIN:
        behind, how = _cause(error), "cause"
        if behind is None and not _context_suppressed(error):
            behind, how = _context(error), "context"
        if behind is None or id(behind) in seen:
            break
        seen.add(id(behind))
        found.append({"how": how, **told_of(behind)})
        error = behind
    return found


# --- putting together -----------------------------------------------------------------------------


def make(cls: type[BaseException], args: tuple[Any, ...], state: Mapping[Any, Any]) -> BaseException | None:
    """An exception of this class, or None where its builtin base makes none of these arguments."""
    base: Any = next(each for each in mro(cls) if id(each) in _BUILTIN)
    error: Any
    try:
        error = base.__new__(cls, *args)
        if type(error) is cls:  # `OSError` answers with a subclass, by the number of the error
            base.__init__(error, *args)
    except (TypeError, ValueError, OverflowError):
        error = None
    if type(error) is not cls:
        try:
            error = base.__new__(cls)
        except TypeError:  # a group without members
            return None
        error.args = args
    beside = {
        name: vars(each)[name]
        for each, names in _BESIDE
        for name in names
        if is_a(cls, each) and name in vars(each)
    }
    for name, item in state.items():
        if name in beside:
            beside[name].__set__(error, item)
        else:
            instance_dict(error)[name] = item
    return error


def remember(error: BaseException, tree: Mapping[str, Any]) -> None:
    """Give a decoded exception its notes, and where the recorded one came from."""
    own = instance_dict(error)
    if "notes" in tree:
        own["__notes__"] = tree["notes"]
    own[ORIGIN] = {key: tree[key] for key in ORIGIN_KEYS if key in tree}
