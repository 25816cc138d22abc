"""Strategies of single events and sends, by type."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from typing import Any

from hypothesis import strategies as st

from ...schema.codec import STANDARD, Vocabulary, received_name, sent_name
from ...schema.errors import UsageError
from ...schema.events import RECEIVED_EVENTS
from ...schema.sends import SENT_EVENTS

Strategy = st.SearchStrategy[Any]

EVENT_TYPES: tuple[str, ...] = tuple(filter(None, map(received_name, RECEIVED_EVENTS)))
"""The types of the events that a model gives: `audio`, `function_call`, …"""

SEND_TYPES: tuple[str, ...] = tuple(map(sent_name, SENT_EVENTS))
"""The types of the events that an application sends: `send_audio`, `send_tool_output`, …"""


def events(*types: str, vocabulary: Vocabulary = STANDARD, **fields: Strategy) -> Strategy:
    """Events that a model gives its listeners: any fields that the classes allow, however odd.

    They shrink towards the first of the types, with short texts and no bytes.

    Args:
        types: which, of `EVENT_TYPES`; none: all that the vocabulary has.
        vocabulary: whose classes; `realtape.integrations.openai_agents.VOCABULARY` has the SDK's.
        fields: strategies for fields of these names, in the place of the default ones.

    Raises:
        UsageError: a type that is none, that the vocabulary lacks, or that has no such field.
    """
    return _any_of("event", EVENT_TYPES, types, vocabulary, fields)


def sends(*types: str, vocabulary: Vocabulary = STANDARD, **fields: Strategy) -> Strategy:
    """Events that an application sends; as `events`, of `SEND_TYPES`."""
    return _any_of("send", SEND_TYPES, types, vocabulary, fields)


def _any_of(
    what: str,
    known: tuple[str, ...],
    types: tuple[str, ...],
    vocabulary: Vocabulary,
    fields: dict[str, Strategy],
) -> Strategy:
    unknown = [name for name in types if name not in known]
    if unknown:
        raise UsageError(f"there is no {what} {unknown[0]!r}: give some of {', '.join(known)}")
    missing = [name for name in types if vocabulary.word_named(name) is None]
    if missing:
        raise UsageError(f"this vocabulary has no {what} {missing[0]!r}: a newer release of the SDK may")
    chosen = [name for name in types or known if vocabulary.word_named(name) is not None]
    for field in fields:
        if not any(field in _fields_of(vocabulary, name) for name in chosen):
            raise UsageError(f"no {what} of {', '.join(chosen)} has a field {field!r}")
    strategies = {**_fields(vocabulary), **fields}
    return st.one_of([_built(vocabulary, name, strategies) for name in chosen])


def _built(vocabulary: Vocabulary, name: str, strategies: dict[str, Strategy]) -> Strategy:
    # Each field by its name: the same fields mean the same in all events.
    given = {field: strategies[field] for field in _fields_of(vocabulary, name) if field != "type"}
    return st.builds(lambda **fields: vocabulary.make(name, **fields), **given)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]


# --- what stands in the fields ----------------------------------------------------------------------

ids: Strategy = st.text("abcdef_0123456789", max_size=8)
texts: Strategy = st.text(max_size=12) | st.text(st.characters(), max_size=6)  # lone surrogates, too
octets: Strategy = st.binary(max_size=40)
base64_texts: Strategy = st.binary(min_size=18, max_size=60).map(
    lambda data: base64.b64encode(data).decode()
)  # long enough to be taken for audio
json_values: Strategy = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
raw_messages: Strategy = st.one_of(
    st.fixed_dictionaries({"type": texts}, optional={"event_id": texts, "item": json_values}),
    st.fixed_dictionaries(
        {"type": st.just("response.output_audio.delta"), "delta": base64_texts, "item_id": texts}
    ),
)


def _fields_of(vocabulary: Vocabulary, name: str) -> tuple[str, ...]:
    word = vocabulary.word_named(name)
    return () if word is None else word.fields


def _fields(vocabulary: Vocabulary) -> dict[str, Strategy]:
    counts = st.integers(0, 10**6)
    maybe_count = st.none() | counts

    def named(names: Iterable[str], strategy: Strategy) -> dict[str, Strategy]:
        return dict.fromkeys(names, strategy)

    return {
        **named(("name", "call_id", "response_id", "item_id", "id", "previous_item_id"), ids),
        **named(("arguments", "transcript", "delta", "output", "context"), texts),
        **named(("content_index", "audio_start_ms", "audio_end_ms"), counts),
        **named(("commit", "start_response", "force_response_cancel"), st.booleans()),
        **named(("cancel_response_only", "playback_only"), st.booleans()),
        "audio": octets,
        "error": json_values,
        "data": octets | raw_messages,
        "item": st.deferred(lambda: _items(vocabulary)),
        "status": st.sampled_from(["connecting", "connected", "disconnected"]),
        "usage": st.deferred(lambda: _usage(vocabulary)),
        "input_tokens_details": st.none()
        | _optional(
            vocabulary, "RealtimeModelInputTokensDetails", text_tokens=maybe_count, audio_tokens=maybe_count
        ),
        "output_tokens_details": st.none()
        | _optional(vocabulary, "RealtimeModelOutputTokensDetails", text_tokens=maybe_count),
        "exception": st.sampled_from([ValueError("no"), ConnectionResetError(104, "gone"), TimeoutError()]),
        "message": raw_messages.map(lambda message: {"type": message["type"], "other_data": message}),
        "user_input": texts | _user_messages(),
        "tool_call": _made(vocabulary, "function_call", name=ids, call_id=ids, arguments=texts),
        "session_settings": st.fixed_dictionaries(
            {}, optional={"instructions": texts, "speed": st.floats(0.25, 1.5), "tools": st.just([])}
        ),
    }


def _user_messages() -> Strategy:
    part = st.fixed_dictionaries({"type": st.just("input_text"), "text": texts})
    content = st.lists(part, max_size=2)
    return content.map(lambda parts: {"type": "message", "role": "user", "content": parts})


def _items(vocabulary: Vocabulary) -> Strategy:
    extra = st.dictionaries(st.sampled_from(["phase", "object"]), json_values, max_size=1)
    audio = st.none() | base64_texts

    def built(name: str, /, **fields: Strategy) -> Strategy:
        both = st.tuples(st.fixed_dictionaries(fields), extra)
        return both.map(lambda given: vocabulary.make(name, **given[0], **given[1]))

    said = built("AssistantText", text=texts) | built("AssistantAudio", audio=audio)
    heard = built("InputText", text=texts) | built("InputAudio", audio=audio, transcript=texts)
    user, model, system = st.just("user"), st.just("assistant"), st.just("system")
    written = built("InputText", text=texts)
    return st.one_of(
        built("UserMessageItem", item_id=ids, role=user, content=st.lists(heard, max_size=2)),
        built("AssistantMessageItem", item_id=ids, role=model, content=st.lists(said, max_size=2)),
        built("SystemMessageItem", item_id=ids, role=system, content=st.lists(written, max_size=1)),
        built(
            "RealtimeToolCallItem",
            item_id=ids,
            call_id=st.none() | ids,
            status=st.just("completed"),
            arguments=texts,
            name=ids,
        ),
    )


def _usage(vocabulary: Vocabulary) -> Strategy:
    counts = st.integers(0, 10**6)
    return _made(
        vocabulary,
        "Usage",
        requests=counts,
        input_tokens=counts,
        output_tokens=counts,
        total_tokens=counts,
        input_tokens_details=_optional(
            vocabulary, "InputTokensDetails", cached_tokens=counts, cache_write_tokens=counts
        ),
        output_tokens_details=_optional(vocabulary, "OutputTokensDetails", reasoning_tokens=counts),
    )


def _made(vocabulary: Vocabulary, name: str, /, **fields: Strategy) -> Strategy:
    make: Callable[..., Any] = vocabulary.make
    return st.fixed_dictionaries(fields).map(lambda given: make(name, **given))


def _optional(vocabulary: Vocabulary, name: str, /, **fields: Strategy) -> Strategy:
    """A class with those of the fields that this release has; None where it lacks the class."""
    if vocabulary.word_named(name) is None:
        return st.none()
    known = _fields_of(vocabulary, name)
    return _made(vocabulary, name, **{field: value for field, value in fields.items() if field in known})
