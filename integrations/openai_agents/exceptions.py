"""Exceptions that a realtime model can raise, rebuilt as what they were: `except ConnectionClosed` must
catch the replayed one."""

from __future__ import annotations

import dataclasses
import importlib
import socket
import ssl
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, cast

import openai
import websockets.exceptions
from agents.exceptions import AgentsException
from websockets.datastructures import Headers
from websockets.frames import Close, CloseCode
from websockets.http11 import Response

from ...recorder import harmless_url
from ...schema.codec import ORIGIN, REDACTED, State, Vocabulary
from .validation_errors import register_validation_error

SDK_MODULES = (
    "agents.exceptions",
    "agents.realtime.session",
    "agents.realtime.openai_realtime",
    "agents.realtime.testing",
)
GUARDRAIL_MODULES = ("agents.guardrail", "agents.tool_guardrails")
NETWORK_ERRORS: tuple[type[OSError], ...] = (
    socket.gaierror,
    socket.herror,
    ssl.SSLError,
    ssl.SSLZeroReturnError,
    ssl.SSLWantReadError,
    ssl.SSLWantWriteError,
    ssl.SSLSyscallError,
    ssl.SSLEOFError,
    ssl.SSLCertVerificationError,
)
LEFT_OUT = frozenset({"__notes__", ORIGIN, "request", "response", "completion", "_recovery", "run_data"})
"""Attributes that are kept elsewhere, or are more than the error: of `openai` its HTTP objects, of the
SDK the agents and all that was said."""

HARMLESS_RESPONSE_HEADERS = frozenset(
    {"content-type", "content-length", "date", "retry-after", "x-request-id", "openai-processing-ms"}
)


def register_exceptions(vocabulary: Vocabulary) -> None:
    """Register the exceptions of the network, websockets, openai, pydantic and the SDK."""
    for cls in NETWORK_ERRORS:
        name = f"{cls.__module__}:{cls.__name__}"
        vocabulary.register(name, cls, to_state=_state, from_state=_called(cls))
    _register_websockets(vocabulary)
    for cls in _exceptions_in(openai):
        name = f"openai:{cls.__name__.lstrip('_')}"
        vocabulary.register(name, cls, to_state=_state, from_state=_rebuilt(cls))
    register_validation_error(vocabulary)
    _register_sdk(vocabulary)


def _register_websockets(vocabulary: Vocabulary) -> None:
    vocabulary.register("websockets:Close", Close)
    vocabulary.register("websockets:CloseCode", CloseCode)
    vocabulary.register("websockets:Response", Response, to_state=_response, from_state=_as_response)
    for name in websockets.exceptions.__all__:
        cls = getattr(websockets.exceptions, name)
        if name in ("InvalidURI", "InvalidProxy"):
            vocabulary.register(f"websockets:{name}", cls, to_state=_addressed, from_state=_rebuilt(cls))
        else:  # what they hold is registered above, the answer that refused us included
            vocabulary.register(f"websockets:{name}", cls)


def _register_sdk(vocabulary: Vocabulary) -> None:
    for module in _present(SDK_MODULES):
        for cls in _exceptions_in(module):
            name = f"agents:{cls.__name__.lstrip('_')}"
            defaults = {"run_data": None} if issubclass(cls, AgentsException) else {}
            vocabulary.register(name, cls, to_state=_state, from_state=_rebuilt(cls, defaults))
    for module in _present(GUARDRAIL_MODULES):
        for cls in vars(module).values():
            if not isinstance(cls, type) or cls.__module__ != module.__name__:
                continue
            if dataclasses.is_dataclass(cls) and cls.__name__.endswith(("Result", "Output")):
                vocabulary.register(f"agents:{cls.__name__}", cls)


def _present(names: tuple[str, ...]) -> Iterator[ModuleType]:
    """The modules that this release of the SDK has."""
    for name in names:
        try:
            yield importlib.import_module(name)
        except ImportError:
            continue


def _exceptions_in(module: ModuleType) -> Iterator[type[Exception]]:
    """The exceptions that a package defines; by name, as each of them is reachable."""
    for value in list(vars(module).values()):
        # Not isinstance: it would wake the lazy clients of `openai`.
        if not issubclass(type(value), type) or not issubclass(value, Exception):
            continue
        if value.__module__.startswith(module.__name__):
            yield value


# --- taking apart and rebuilding ---------------------------------------------------------------------


def _state(error: Any) -> State:
    known = cast("dict[str, Any]", vars(error))
    attributes = {name: value for name, value in known.items() if name not in LEFT_OUT}
    return {"args": list(error.args), "attributes": attributes}


def _addressed(error: Any) -> State:
    """An address may hold a password or a token: in the arguments, and again in an attribute."""
    state = _state(error)
    state["args"] = [_harmless(value) for value in state["args"]]
    state["attributes"] = {name: _harmless(value) for name, value in state["attributes"].items()}
    return state


def _harmless(value: Any) -> Any:
    return harmless_url(value) if isinstance(value, str) and "://" in value else value


def _rebuilt(cls: type[BaseException], defaults: State | None = None) -> Callable[[State], Any]:
    """Without its constructor, which wants objects that are not recorded."""

    def from_state(state: State) -> Any:
        error = cls.__new__(cls)
        error.args = tuple(state["args"])
        error.__dict__.update({**(defaults or {}), **state["attributes"]})
        return error

    return from_state


def _called(cls: type[OSError]) -> Callable[[State], Any]:
    """With its constructor: what `errno` says is set there and nowhere else."""

    def from_state(state: State) -> Any:
        error = cls(*state["args"])
        error.__dict__.update(state["attributes"])
        return error

    return from_state


def _response(response: Any) -> State:
    """The answer to an opening handshake; a provider's headers may set cookies."""
    headers = [
        [name, value if name.lower() in HARMLESS_RESPONSE_HEADERS else REDACTED]
        for name, value in response.headers.raw_items()
    ]
    return {
        "status_code": response.status_code,
        "reason_phrase": response.reason_phrase,
        "headers": headers,
        "body": response.body,
    }


def _as_response(state: State) -> Response:
    headers = Headers([(name, value) for name, value in state["headers"]])
    return Response(state["status_code"], state["reason_phrase"], headers, state["body"])
