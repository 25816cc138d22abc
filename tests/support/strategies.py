"""Hypothesis strategies: events and sends, of our classes or the SDK's, and what the codec should hold."""

from __future__ import annotations

import base64
import datetime
import decimal
import zoneinfo
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from realtape.lab import strategies as shipped
from realtape.schema import STANDARD, Described, Vocabulary

from .examples import Color, Level, Money, Note, Place, Point, Right, Sealed, Wide

Strategy = st.SearchStrategy[Any]


# --- leaves ---------------------------------------------------------------------------------------

_ODD = ["\ud83d", "\ude00", "😀", "\x00", '"', "\\", "é", "$", "$v", "a", "\u2028", "\x7f"]
texts: Strategy = st.one_of(
    st.text(max_size=12),
    st.text(st.characters(), max_size=6),  # lone surrogates, too
    st.lists(st.sampled_from(_ODD), max_size=5).map("".join),
)
_EDGES = [1 << 63, -(1 << 63), (1 << 63) - 1, -(1 << 63) - 1, 1 << 64]
integers: Strategy = st.one_of(
    st.integers(),
    st.integers(-(1 << 200), 1 << 200),
    st.sampled_from(_EDGES),
    st.integers(4301, 4400).map(lambda digits: 10**digits),  # more than `str` writes
)
floats: Strategy = st.floats() | st.sampled_from([-0.0, 5e-324, 1.7976931348623157e308])
octets: Strategy = st.binary(max_size=40)
buffers: Strategy = octets | octets.map(bytearray) | octets.map(memoryview)
audio: Strategy = st.binary(min_size=18, max_size=60)  # long enough to be taken for audio in base64


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _non_canonical(data: bytes) -> str:
    """Base64 that decodes and does not encode to itself again: its last bits are not zero."""
    text = _encoded(data + bytes(3 - len(data) % 3 + 1))  # ends in `==`
    return text[:-3] + chr(ord(text[-3]) + 1) + "=="


base64_texts: Strategy = st.one_of(
    audio.map(_encoded),
    audio.map(_non_canonical),
    audio.map(_encoded).map(lambda text: text.rstrip("=") + "\n"),
    audio.map(_encoded).map(lambda text: text + "="),
    audio.map(base64.urlsafe_b64encode).map(bytes.decode),
)
decimals: Strategy = st.decimals() | st.sampled_from(
    [decimal.Decimal(text) for text in ("sNaN123", "-NaN", "-0.00", "1E+999999", "1.10", "-sNaN")]
)
zones: Strategy = st.one_of(
    st.none(),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Etc/GMT+10", "UTC"]).map(zoneinfo.ZoneInfo),
    st.just(datetime.UTC),
    st.builds(datetime.timezone, st.timedeltas(datetime.timedelta(hours=-23), datetime.timedelta(hours=23))),
    st.builds(datetime.timezone, st.just(datetime.timedelta(hours=1)), texts),
)


def _folded(moment: Any, fold: int) -> Any:
    return moment.replace(fold=fold)


moments: Strategy = st.one_of(
    st.builds(_folded, st.datetimes(timezones=zones), st.integers(0, 1)),
    st.builds(_folded, st.times(timezones=zones), st.integers(0, 1)),
    st.dates(),
    st.timedeltas(),
)
flags: Strategy = st.one_of(
    st.sampled_from([*Color, *Level]),
    st.lists(st.sampled_from(Right)).map(lambda chosen: _united(Right(0), chosen)),
    st.integers(0, 1 << 90).map(Wide),
)


def _united(start: Right, chosen: list[Right]) -> Right:
    for flag in chosen:
        start |= flag
    return start


hashables: Strategy = st.recursive(
    st.one_of(
        st.none(), st.booleans(), integers, floats, texts, octets, moments, flags,
        decimals.filter(lambda number: not number.is_snan()),
        st.uuids(), st.complex_numbers(), st.builds(Money, st.integers(), texts),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(tuple),
        st.frozensets(inner, max_size=3),
        st.builds(Place, texts, inner),
        st.builds(Described, texts, inner),
    ),
    max_leaves=4,
)  # fmt: skip
leaves: Strategy = hashables | buffers | base64_texts | decimals
keys: Strategy = texts | st.sampled_from(["$", "$v", "at", "delta", "audio", "items"])


# --- values ---------------------------------------------------------------------------------------


def values(exceptions: Strategy | None = None) -> Strategy:
    """Anything that comes back as it was: with the vocabulary of `support.examples`."""
    base = leaves if exceptions is None else leaves | exceptions
    return st.recursive(base, containers, max_leaves=8)


def containers(inner: Strategy) -> Strategy:
    """What holds other values."""
    return st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=3).map(tuple),
        st.sets(hashables, max_size=3),
        st.dictionaries(keys, inner, max_size=4),
        st.dictionaries(hashables, inner, max_size=3),
        st.dictionaries(st.sampled_from(["delta", "audio"]), base64_texts, max_size=2),
        st.builds(Point, inner, inner, st.lists(inner, max_size=2)),
        st.builds(Sealed, number=inner, name=st.none() | texts),
        notes(inner),
        st.builds(Described, texts, inner),
    )


@st.composite
def notes(draw: Callable[[Strategy], Any], inner: Strategy) -> Note:
    """Models with extra fields, private attributes, and any set of fields that were given."""
    extra = draw(st.dictionaries(keys.filter(lambda key: key not in Note.model_fields), inner, max_size=2))
    fields = {
        "text": draw(texts),
        "audio": draw(inner | base64_texts),
        "about": draw(st.lists(inner, max_size=2)),
    }
    given = draw(st.sets(st.sampled_from([*fields, *extra])))
    note = Note.model_construct(given, **{**fields, **extra})
    if draw(st.booleans()):
        note._seen = draw(inner)  # pyright: ignore[reportPrivateUsage]
    if draw(st.booleans()):
        assert note.loud == fields["text"].upper()  # computed, and from now on kept in `__dict__`
    return note


# --- events and sends -----------------------------------------------------------------------------

json_values: Strategy = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
raw_messages: Strategy = st.one_of(
    st.fixed_dictionaries(
        {"type": st.just("response.output_audio.delta"), "delta": base64_texts, "item_id": texts}
    ),
    st.fixed_dictionaries({"type": texts}, optional={"event_id": texts, "item": json_values}),
)


def events(vocabulary: Vocabulary = STANDARD) -> Strategy:
    """Received events, with odder texts and messages than those of the shipped strategy."""
    odd = {"delta": texts, "transcript": texts, "arguments": texts, "data": octets | raw_messages}
    return shipped.events(vocabulary=vocabulary, **odd)


def sends(vocabulary: Vocabulary = STANDARD) -> Strategy:
    """Sent events, with odder texts."""
    messages = raw_messages.map(lambda message: {"type": message["type"], "other_data": message})
    return shipped.sends(vocabulary=vocabulary, output=texts, message=messages)
