"""Events of our own making: the end of a stream that has none, the news of a divergence, and what
stands for an event that this release of the interface does not know."""

from __future__ import annotations

from typing import Any

from ..schema.codec import Vocabulary
from ..schema.entries import Entry, Kind
from .terms.steps import Step

OWN_SEQ = -1
"""Marks a step that no recording holds."""


def own_step(event: Any) -> Step:
    """A delivery that the recording does not hold."""
    return Step(Entry(OWN_SEQ, 0, None, None, Kind.RECEIVED, event.type), event)


def knows_end(vocabulary: Vocabulary) -> bool:
    """Whether the interface has an event for the end of the stream; the SDK's has from 0.22 on."""
    return vocabulary.word_named("end_of_stream") is not None


def end_event(vocabulary: Vocabulary) -> Any:
    """The end of the stream; where the interface has no such event yet, a disconnection."""
    word = vocabulary.word_named("end_of_stream")
    if word is not None:
        return word.cls()
    status = vocabulary.word_named("connection_status")
    assert status is not None, "every vocabulary is made on top of the standard one"
    return status.cls(status="disconnected")


def exception_event(vocabulary: Vocabulary, error: Exception) -> Any:
    """The news of a divergence, as an application hears of a transport that fails."""
    word = vocabulary.word_named("exception")
    assert word is not None, "every vocabulary is made on top of the standard one"
    return word.cls(exception=error, context="the replay diverged")


def deliverable(vocabulary: Vocabulary, value: Any) -> Any:
    """A decoded event as the listeners get it: one of an unknown type comes as `other`."""
    if _names_type(type(value)) or isinstance(getattr(value, "type", None), str):
        return value
    word = vocabulary.word_named("other")
    assert word is not None, "every vocabulary is made on top of the standard one"
    return word.cls(data=value)


def deliverables(vocabulary: Vocabulary, values: list[Any]) -> list[Any]:
    """As `deliverable`, of many."""
    classes: set[Any] = set(map(type, values))  # few, and mostly such as name the type themselves
    return values if all(map(_names_type, classes)) else [deliverable(vocabulary, one) for one in values]


def _names_type(cls: Any) -> bool:
    return isinstance(getattr(cls, "type", None), str)
