"""The SDK's own classes under the names that ours have: a log recorded with either is read with either.

By construction, not by list: what an older release of the SDK lacks is not missed, and an event class
that it added yesterday is registered by itself.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from agents import usage
from agents.realtime import items, model_events, model_inputs
from pydantic import BaseModel

from ...schema.codec import PYTHON, Vocabulary, received_name, register_interface
from .descriptions import register_descriptions
from .exceptions import register_exceptions
from .openai_types import register_openai_models


def received_events() -> Iterator[type[Any]]:
    """Every event that a model can give to its listeners."""
    for cls in _classes_of(model_events):
        named = cls.__name__.startswith("RealtimeModel") and cls.__name__.endswith("Event")
        if named and received_name(cls) is not None:
            yield cls


def sent_events() -> Iterator[type[Any]]:
    """Every event that an application can send."""
    for cls in _classes_of(model_inputs):
        if cls.__name__.startswith("RealtimeModelSend"):
            yield cls


def values() -> Iterator[type[Any]]:
    """What stands in the fields of events: items and their content, and usage with its details."""
    events = {*received_events(), *sent_events()}
    for module in (model_events, model_inputs, items, usage):
        for cls in _classes_of(module):
            if cls not in events:
                yield cls
    # These are of the `openai` package, and the SDK's usage imports them.
    for name in ("InputTokensDetails", "OutputTokensDetails"):
        cls = getattr(usage, name, None)
        if cls is not None:
            yield cls


def _classes_of(module: ModuleType) -> Iterator[type[Any]]:
    """The dataclasses and pydantic models that a module defines."""
    for cls in vars(module).values():
        if not isinstance(cls, type) or cls.__module__ != module.__name__:
            continue
        if dataclasses.is_dataclass(cls) or issubclass(cls, BaseModel):
            yield cls


def _vocabulary() -> Vocabulary:
    vocabulary = Vocabulary(PYTHON)
    register_openai_models(vocabulary)
    register_exceptions(vocabulary)
    register_descriptions(vocabulary)
    register_interface(vocabulary, received_events(), sent_events(), values())
    return vocabulary


VOCABULARY = _vocabulary()
"""What a log of an application of the OpenAI Agents SDK consists of."""
