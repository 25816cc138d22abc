"""Whatever the SDK emits, sends or raises comes back out of a payload as the same class and value."""

from __future__ import annotations

import dataclasses
import types
import typing
from typing import Annotated, Any, cast

import pytest
from agents import exceptions, function_tool
from agents.realtime import RealtimeAgent, realtime_handoff
from agents.realtime.config import RealtimeSessionModelSettings
from agents.realtime.model_inputs import RealtimeModelRawClientMessage, RealtimeModelSendAudio
from hypothesis import given
from hypothesis import strategies as st
from openai.types.realtime.realtime_server_event import RealtimeServerEvent
from pydantic import BaseModel, TypeAdapter
from realtape.integrations.openai_agents import VOCABULARY
from realtape.integrations.openai_agents.openai_types import openai_name, realtime_models
from realtape.integrations.openai_agents.vocabulary import received_events, sent_events, values
from realtape.schema import STANDARD, Codec, Described, same
from support.payloads import CODEC, payload_of, round_trip

# --- events and sends -------------------------------------------------------------------------------

texts = st.text(max_size=8)
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
errors = st.sampled_from([ValueError("no"), ConnectionResetError(104, "gone"), exceptions.UserError("why")])
FIELDS: dict[Any, st.SearchStrategy[Any]] = {
    Any: json_values,
    Exception: errors,
    RealtimeSessionModelSettings: st.dictionaries(texts, json_values, max_size=4),
    RealtimeModelRawClientMessage: st.fixed_dictionaries(
        {"type": texts}, optional={"other_data": json_values}
    ),
}


def of(hint: Any) -> st.SearchStrategy[Any]:
    if hint in FIELDS:
        return FIELDS[hint]
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return of(arguments[0])
    if origin in (typing.Union, types.UnionType):
        return st.one_of([of(argument) for argument in arguments])
    if origin is list:
        return st.lists(of(arguments[0]), max_size=2)
    if isinstance(hint, type) and (dataclasses.is_dataclass(hint) or issubclass(hint, BaseModel)):
        return instances(hint)
    return st.from_type(cast("type[Any]", hint))


def instances(cls: type[Any]) -> st.SearchStrategy[Any]:
    """By its annotations: an event that the SDK adds is tested without a line here."""
    if issubclass(cls, BaseModel):
        return st.builds(cls, **{name: of(field.annotation) for name, field in cls.model_fields.items()})
    hints = typing.get_type_hints(cls, include_extras=True)
    return st.builds(cls, **{field.name: of(hints[field.name]) for field in dataclasses.fields(cls)})


@pytest.mark.parametrize("cls", [*received_events(), *sent_events()], ids=lambda cls: cls.__name__)
def test_every_event_and_send_comes_back(cls: type[Any]) -> None:
    @given(instances(cls))
    def check(event: Any) -> None:
        assert same(round_trip(event), event)

    check()


def test_every_event_has_the_name_of_its_type_and_every_send_ours() -> None:
    for cls in received_events():
        assert VOCABULARY.word_named(cls.type) is VOCABULARY.word_for(cls)
    names = {word.name for cls in sent_events() if (word := VOCABULARY.word_for(cls))}
    assert names <= set(STANDARD.names())
    assert len(names) == len(list(sent_events())) >= 6


def test_a_log_of_ours_is_read_as_the_sdks_and_the_reverse() -> None:
    written = payload_of(RealtimeModelSendAudio(audio=b"abcd"), store := [])
    ours = Codec(STANDARD).decode(written, lambda segment, offset, length: store[offset]).value
    assert (type(ours).__module__, ours.audio) == ("realtape.schema.sends", b"abcd")
    payload = Codec(STANDARD).encode(ours, lambda data: (0, 0, len(data))).payload
    theirs = CODEC.decode(payload, lambda segment, offset, length: b"abcd").value
    assert type(theirs) is RealtimeModelSendAudio


def test_values_take_the_names_of_ours_where_ours_have_them() -> None:
    ours = {name for name in STANDARD.names() if name[0].isupper()}
    theirs = {cls.__name__ for cls in values()}
    assert theirs >= {"Usage", "InputTokensDetails", "UserMessageItem", "AssistantAudio"}
    assert {
        name for name in ours & theirs if VOCABULARY.word_named(name) is STANDARD.word_named(name)
    } == set()


# --- models of the openai package ----------------------------------------------------------------------


def test_names_of_openai_models_are_unique() -> None:
    names = [openai_name(cls) for cls in realtime_models()]
    assert len(names) == len(set(names)) > 100
    assert "openai:RealtimeError" in names
    assert "openai:realtime_response.AudioOutput" in names


@pytest.mark.parametrize("cls", list(realtime_models()), ids=openai_name)
def test_every_openai_model_comes_back(cls: type[BaseModel]) -> None:
    whole: Any = {name: {"as": ["provider", None, 1.5, {"$": "sends"}]} for name in cls.model_fields}
    comes_back(cls.model_construct(None, **whole))
    comes_back(cls.model_construct(None))


@given(st.sampled_from(list(realtime_models())), st.data())
def test_openai_models_of_any_content_come_back(cls: type[BaseModel], data: st.DataObject) -> None:
    names = sorted(cls.model_fields)
    fields = data.draw(st.dictionaries(st.sampled_from(names), json_values)) if names else {}
    extra = {"added_yesterday": data.draw(json_values)} if cls.model_config.get("extra") == "allow" else {}
    comes_back(cls.model_construct(None, **fields, **extra))


def comes_back(value: BaseModel) -> None:
    back = round_trip(value)
    assert same(back, value)
    assert back.model_dump(warnings=False) == value.model_dump(warnings=False)


SERVER_EVENTS: list[dict[str, Any]] = [
    {
        "type": "error",
        "event_id": "event_1",
        "error": {"type": "invalid_request_error", "code": None, "message": "no", "param": "x", "new": [1]},
    },
    {
        "type": "response.done",
        "event_id": "event_2",
        "response": {
            "id": "resp_1",
            "object": "realtime.response",
            "status": "failed",
            "status_details": {"type": "failed", "error": {"type": "server_error", "code": "x"}},
            "output": [],
            "audio": {"output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "ash"}},
            "usage": {
                "total_tokens": 3,
                "input_token_details": {"cached_tokens": 1, "cached_tokens_details": {"text_tokens": 1}},
            },
        },
    },
    {
        "type": "response.output_audio.delta",
        "event_id": "event_3",
        "response_id": "resp_1",
        "item_id": "item_1",
        "output_index": 0,
        "content_index": 0,
        "delta": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYX",
    },
]


@pytest.mark.parametrize("event", SERVER_EVENTS, ids=lambda event: event["type"])
def test_parsed_server_events_come_back(event: dict[str, Any]) -> None:
    parsed: Any = TypeAdapter(RealtimeServerEvent).validate_python(event)
    comes_back(parsed)
    back = round_trip(parsed)
    assert back.model_dump_json() == parsed.model_dump_json()
    assert back == parsed


# --- live objects -----------------------------------------------------------------------------------


def test_tools_and_handoffs_are_described_and_never_called() -> None:
    def explode(*args: Any) -> bool:
        raise AssertionError("called")

    @function_tool(is_enabled=explode)
    def weather(city: str) -> str:
        """What falls from the sky."""
        raise AssertionError(city)

    handoff = realtime_handoff(RealtimeAgent[Any](name="clerk"))
    tool, other = round_trip([weather, handoff])
    assert isinstance(tool, Described)
    assert tool.name == "agents:FunctionTool"
    assert tool.value["name"] == "weather"
    assert tool.value["description"] == "What falls from the sky."
    assert tool.value["params_json_schema"]["properties"]["city"]["type"] == "string"
    assert tool.value["is_enabled"] == "callable"
    assert (other.name, other.value["tool_name"]) == ("agents:Handoff", "transfer_to_clerk")
    assert other.value["agent_name"] == "clerk"


def test_of_a_hosted_tool_nothing_is_kept_that_authorises() -> None:
    from agents import HostedMCPTool

    config: Any = {
        "type": "mcp",
        "server_label": "files",
        "server_url": "https://files.example/?token=hush-hush",
        "authorization": "hush-hush",
        "headers": {"Authorization": "hush-hush"},
        "require_approval": "never",
    }
    assert "hush-hush" not in payload_of(HostedMCPTool(tool_config=config), [])
    described = round_trip(HostedMCPTool(tool_config=config))
    assert described.value["tool_config"]["server_label"] == "files"
