"""Hypothesis strategies: the events and sends of either interface, and all that the codec should hold.

`events` and `sends` take the classes from an `Interface`: ours, or the SDK's with the same names.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime
import decimal
import zoneinfo
from collections.abc import Callable
from types import ModuleType
from typing import Any

from hypothesis import strategies as st
from realtape.schema import Described, items, usage
from realtape.schema import events as our_events
from realtape.schema import sends as our_sends

from .examples import Color, Level, Money, Note, Place, Point, Right, Sealed, Wide

Strategy = st.SearchStrategy[Any]


class Interface:
    """One implementation of the realtime interface: its classes by name, in any of its modules."""

    def __init__(self, *modules: ModuleType) -> None:
        self._modules = modules

    def find(self, name: str) -> Any:
        """The class, or None where this release has none of that name."""
        return next((vars(module)[name] for module in self._modules if name in vars(module)), None)

    def __getitem__(self, name: str) -> Any:
        found = self.find(name)
        assert found is not None, name
        return found


OURS = Interface(our_events, our_sends, items, usage)


def sdks() -> Interface:
    """The SDK's classes."""
    import agents.usage
    from agents.realtime import items, model_events, model_inputs

    return Interface(model_events, model_inputs, items, agents.usage)


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
ids: Strategy = st.text("abcdef_0123456789", max_size=8)


def events(interface: Interface = OURS) -> Strategy:
    """Received events of one interface; those that it lacks (an older SDK) are left out."""
    fields = _fields(interface)
    found = [_built(interface, name, fields) for name in _names(our_events.RECEIVED_EVENTS)]
    return st.one_of([strategy for strategy in found if strategy is not None])


def sends(interface: Interface = OURS) -> Strategy:
    """Sent events of one interface."""
    fields = _fields(interface)
    found = [_built(interface, name, fields) for name in _names(our_sends.SENT_EVENTS)]
    return st.one_of([strategy for strategy in found if strategy is not None])


def _names(classes: tuple[Any, ...]) -> list[str]:
    return [cls.__name__ for cls in classes]


def _built(interface: Interface, name: str, fields: dict[str, Strategy]) -> Strategy | None:
    cls = interface.find(name)
    if cls is None:
        return None
    # Each field by its name: the same fields mean the same in all events.
    given = {field.name: fields[field.name] for field in dataclasses.fields(cls) if field.name != "type"}
    return st.builds(cls, **given)


def _fields(interface: Interface) -> dict[str, Strategy]:
    counts = st.integers(0, 10**6)
    maybe_count = st.none() | counts
    call = st.builds(interface["RealtimeModelToolCallEvent"], name=ids, call_id=ids, arguments=texts)
    return {
        **dict.fromkeys(("name", "call_id", "response_id", "item_id", "id", "previous_item_id"), ids),
        **dict.fromkeys(("arguments", "transcript", "delta", "output", "context"), texts),
        **dict.fromkeys(("content_index", "audio_start_ms", "audio_end_ms"), counts),
        **dict.fromkeys(("commit", "start_response", "force_response_cancel"), st.booleans()),
        **dict.fromkeys(("cancel_response_only", "playback_only"), st.booleans()),
        "audio": octets,
        "error": json_values,
        "data": octets | raw_messages,
        "item": _items(interface),
        "status": st.sampled_from(["connecting", "connected", "disconnected"]),
        "usage": _usage(interface),
        "input_tokens_details": st.none()
        | _known(
            interface, "RealtimeModelInputTokensDetails", text_tokens=maybe_count, audio_tokens=maybe_count
        ),
        "output_tokens_details": st.none()
        | _known(interface, "RealtimeModelOutputTokensDetails", text_tokens=maybe_count),
        "exception": st.sampled_from([ValueError("no"), ConnectionResetError(104, "gone"), TimeoutError()]),
        "message": raw_messages.map(lambda message: {"type": message["type"], "other_data": message}),
        "user_input": texts | _user_messages(),
        "tool_call": call,
        "session_settings": st.fixed_dictionaries(
            {}, optional={"instructions": texts, "speed": st.floats(0.25, 1.5), "tools": st.just([])}
        ),
    }


def _user_messages() -> Strategy:
    part = st.fixed_dictionaries({"type": st.just("input_text"), "text": texts})
    content = st.lists(part, max_size=2)
    return content.map(lambda parts: {"type": "message", "role": "user", "content": parts})


def _items(interface: Interface) -> Strategy:
    extra = st.dictionaries(st.sampled_from(["phase", "object"]), json_values, max_size=1)
    audio = st.none() | base64_texts

    def built(name: str, /, **fields: Strategy) -> Strategy:
        return st.tuples(st.fixed_dictionaries(fields), extra).map(
            lambda both: interface[name](**both[0], **both[1])
        )

    said = built("AssistantAudio", audio=audio) | built("AssistantText", text=texts)
    heard = built("InputAudio", audio=audio, transcript=texts) | built("InputText", text=texts)
    return st.one_of(
        built("UserMessageItem", item_id=ids, role=st.just("user"), content=st.lists(heard, max_size=2)),
        built(
            "AssistantMessageItem", item_id=ids, role=st.just("assistant"), content=st.lists(said, max_size=2)
        ),
        built(
            "RealtimeToolCallItem",
            item_id=ids,
            call_id=st.none() | ids,
            status=st.just("completed"),
            arguments=texts,
            name=ids,
        ),
    )


def _usage(interface: Interface) -> Strategy:
    counts = st.integers(0, 10**6)
    return st.builds(
        interface["Usage"],
        requests=counts,
        input_tokens=counts,
        output_tokens=counts,
        total_tokens=counts,
        input_tokens_details=_known(
            interface, "InputTokensDetails", cached_tokens=counts, cache_write_tokens=counts
        ),
        output_tokens_details=st.builds(interface["OutputTokensDetails"], reasoning_tokens=counts),
    )


def _known(interface: Interface, name: str, **fields: Strategy) -> Strategy:
    """A class with those of the fields that this release has; None where it lacks the class."""
    cls = interface.find(name)
    if cls is None:
        return st.none()
    known = getattr(cls, "model_fields", None) or getattr(cls, "__dataclass_fields__", {})
    return st.builds(cls, **{field: value for field, value in fields.items() if field in known})
