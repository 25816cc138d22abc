"""Our interface holds all that the installed SDK's has: names, fields, order, defaults, signatures."""

import dataclasses
import inspect
import re
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from types import ModuleType
from typing import Any, NotRequired, get_args, get_origin, get_type_hints, is_typeddict

import agents.realtime.config as sdk_settings
import agents.realtime.items as sdk_items
import agents.realtime.model as sdk_model
import agents.realtime.model_events as sdk_events
import agents.realtime.model_inputs as sdk_sends
import agents.usage as sdk_usage
import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError
from realtape.schema import events, items, model, playback, sends, settings, usage

OURS = (events, items, model, playback, sends, settings, usage)
SDKS = (sdk_settings, sdk_items, sdk_model, sdk_events, sdk_sends, sdk_usage)

SDK_VERSION = tuple(int(part) for part in version("openai-agents").split(".")[:2])
SAME_AGE = SDK_VERSION >= (0, 24)  # releases before lack some of our types and fields


def counterpart(cls: type, modules: tuple[ModuleType, ...]) -> Any:
    """What the other side has under the name of this class; None where it has nothing."""
    return next((vars(module)[cls.__name__] for module in modules if cls.__name__ in vars(module)), None)


def defined_in(*modules: ModuleType, where: Callable[[type], bool]) -> list[Any]:
    """The classes that these modules define themselves."""
    return [
        each
        for module in modules
        for each in vars(module).values()
        if inspect.isclass(each) and each.__module__ == module.__name__ and where(each)
    ]


def named(cls: type) -> str:
    return cls.__name__


def spelled(hint: Any) -> str:
    """A type hint without the modules of its names: equal where only the package differs."""
    return re.sub(r"\b(?:\w+\.)+(?=\w)", "", str(hint))


def assert_covers(ours: list[str], theirs: list[str]) -> None:
    """All of theirs is in ours, in their order; and nothing else, if the SDK is not older."""
    assert [name for name in ours if name in theirs] == theirs
    if SAME_AGE:
        assert ours == theirs


# --- events ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ours", "theirs", "count"),
    [
        pytest.param(events.RECEIVED_EVENTS, sdk_events.RealtimeModelEvent, 19, id="received"),
        pytest.param(sends.SENT_EVENTS, sdk_sends.RealtimeModelSendEvent, 6, id="sent"),
    ],
)
def test_the_unions_have_the_members_of_the_sdks(ours: tuple[type, ...], theirs: Any, count: int):
    assert_covers([named(cls) for cls in ours], [named(cls) for cls in get_args(theirs)])
    assert len(ours) == count


def test_the_type_tells_received_events_apart():
    assert len({cls.type for cls in events.RECEIVED_EVENTS}) == len(events.RECEIVED_EVENTS)
    for cls in events.RECEIVED_EVENTS:
        assert get_args(get_type_hints(cls)["type"]) == (cls.type,)


SDK_DATACLASSES = defined_in(sdk_events, sdk_sends, where=dataclasses.is_dataclass)


@pytest.mark.parametrize("theirs", SDK_DATACLASSES, ids=named)
def test_dataclasses_have_the_fields_of_the_sdks(theirs: Any):
    ours = counterpart(theirs, OURS)
    our_fields = {field.name: field for field in dataclasses.fields(ours)}
    their_fields = {field.name: field for field in dataclasses.fields(theirs)}
    assert_covers(list(our_fields), list(their_fields))
    for name, field in their_fields.items():
        assert our_fields[name].default == field.default, name
        assert our_fields[name].default_factory == field.default_factory, name
    assert ours.__match_args__ == tuple(our_fields)  # so none is keyword-only
    assert (ours.__hash__ is None) == (theirs.__hash__ is None)  # neither is frozen


@pytest.mark.parametrize("theirs", SDK_DATACLASSES, ids=named)
def test_the_fields_have_the_types_of_the_sdks(theirs: Any):
    our_hints = get_type_hints(counterpart(theirs, OURS), include_extras=True)
    for name, hint in get_type_hints(theirs, include_extras=True).items():
        assert spelled(our_hints[name]) == spelled(hint), name


# --- usage ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Usage", "RequestUsage"])
def test_usage_has_the_fields_of_the_sdks(name: str):
    ours, theirs = vars(usage)[name], vars(sdk_usage)[name]
    assert [field.name for field in dataclasses.fields(ours)] == list(theirs.__dataclass_fields__)


def test_usage_has_the_defaults_of_the_sdks():
    for field in dataclasses.fields(usage.Usage):
        ours, theirs = getattr(usage.Usage(), field.name), getattr(sdk_usage.Usage(), field.name)
        if not dataclasses.is_dataclass(ours):
            assert ours == theirs
            continue
        # Details are the `openai` package's, which adds fields without a release of the SDK.
        shared = [detail.name for detail in dataclasses.fields(ours) if hasattr(theirs, detail.name)]
        assert shared
        for detail in shared:
            assert getattr(ours, detail) == getattr(theirs, detail)


def test_usages_share_nothing_mutable():
    one, other = usage.Usage(), usage.Usage()
    assert one.request_usage_entries is not other.request_usage_entries
    assert one.input_tokens_details is not other.input_tokens_details


# --- items ----------------------------------------------------------------------------------------


def is_item_or_content(cls: type) -> bool:
    # `RealtimeResponse`, which no event holds, has no `type`, and no counterpart here.
    return issubclass(cls, BaseModel) and "type" in cls.model_fields


@pytest.mark.parametrize("theirs", defined_in(sdk_items, where=is_item_or_content), ids=named)
def test_items_have_the_fields_of_the_sdks(theirs: type[BaseModel]):
    ours: type[BaseModel] = counterpart(theirs, OURS)
    assert_covers(list(ours.model_fields), list(theirs.model_fields))
    for name, field in theirs.model_fields.items():
        assert ours.model_fields[name].default == field.default, name
        assert spelled(ours.model_fields[name].annotation) == spelled(field.annotation), name
    assert ours.model_config == theirs.model_config


ITEMS: dict[str, dict[str, Any]] = {
    "system": {"item_id": "1", "role": "system", "type": "message", "content": [{"type": "input_text"}]},
    "user": {
        "item_id": "2",
        "previous_item_id": "1",
        "role": "user",
        "type": "message",
        "content": [
            {"type": "input_audio", "audio": "AAAA", "transcript": "hi", "speaker": 2},
            {"type": "input_image", "image_url": "data:image/png;base64,", "detail": "low"},
        ],
        "added_by_the_provider": {"a": [1]},
    },
    "assistant": {
        "item_id": "3",
        "role": "assistant",
        "type": "message",
        "status": "incomplete",
        "content": [{"type": "audio", "transcript": "hel"}, {"type": "text", "text": "hello"}],
    },
    "tool call": {
        "item_id": "4",
        "call_id": None,
        "type": "function_call",
        "status": "completed",
        "arguments": "{",
        "name": "weather",
        "output": "rain",
    },
}


@pytest.mark.parametrize("data", ITEMS.values(), ids=ITEMS.keys())
def test_items_take_json_as_the_sdks_do_and_keep_unknown_fields(data: dict[str, Any]):
    ours: BaseModel = TypeAdapter[Any](items.RealtimeItem).validate_python(data)
    theirs: BaseModel = TypeAdapter[Any](sdk_items.RealtimeItem).validate_python(data)
    assert named(type(ours)) == named(type(theirs))
    assert ours.model_dump() == theirs.model_dump()
    assert ours.model_dump(exclude_unset=True) == data


def test_content_of_an_unknown_type_is_refused():
    with pytest.raises(ValidationError):
        items.UserMessageItem.model_validate({"item_id": "1", "content": [{"type": "text", "text": ""}]})


# --- typed dictionaries ---------------------------------------------------------------------------


def optional_keys(cls: Any) -> set[str]:
    # Not `__optional_keys__`: under postponed annotations the SDK's are wrong.
    hints = get_type_hints(cls, include_extras=True)
    return {name for name, hint in hints.items() if not cls.__total__ or get_origin(hint) is NotRequired}


@pytest.mark.parametrize("ours", defined_in(*OURS, where=is_typeddict), ids=named)
def test_typed_dictionaries_have_the_keys_of_the_sdks(ours: Any):
    theirs = counterpart(ours, SDKS)
    assert_covers(list(get_type_hints(ours)), list(get_type_hints(theirs)))
    assert optional_keys(theirs) == optional_keys(ours) & set(get_type_hints(theirs))
    assert set(ours.__optional_keys__) == optional_keys(ours)


# --- classes with methods -------------------------------------------------------------------------

METHODS = [
    pytest.param(getattr(counterpart(theirs, OURS), name, None), method, id=f"{theirs.__name__}.{name}")
    for theirs in (
        sdk_model.RealtimeModel,
        sdk_model.RealtimeModelListener,
        sdk_model.RealtimePlaybackTracker,
    )
    for name, method in vars(theirs).items()
    if inspect.isfunction(method)
]


@pytest.mark.parametrize(("ours", "theirs"), METHODS)
def test_methods_have_the_signatures_of_the_sdks(ours: Any, theirs: Any):
    # Both sides postpone their annotations: what is compared is how they are written.
    assert inspect.signature(ours) == inspect.signature(theirs)
    assert inspect.iscoroutinefunction(ours) == inspect.iscoroutinefunction(theirs)
    assert getattr(ours, "__isabstractmethod__", False) == getattr(theirs, "__isabstractmethod__", False)


def test_the_model_has_no_method_that_the_sdks_lacks():
    ours = {name for name, value in vars(model.RealtimeModel).items() if inspect.isfunction(value)}
    theirs = {name for name, value in vars(sdk_model.RealtimeModel).items() if inspect.isfunction(value)}
    assert ours == theirs or (not SAME_AGE and ours > theirs)


class Silent(model.RealtimeModel):
    """A transport that keeps what it is given to send."""

    def __init__(self) -> None:
        self.sent: list[sends.RealtimeModelSendEvent] = []

    async def connect(self, options: model.RealtimeModelConfig) -> None: ...

    def add_listener(self, listener: model.RealtimeModelListener) -> None: ...

    def remove_listener(self, listener: model.RealtimeModelListener) -> None: ...

    async def send_event(self, event: sends.RealtimeModelSendEvent) -> None:
        self.sent.append(event)

    async def close(self) -> None: ...


async def test_a_conditional_send_sends_nothing_by_default():
    transport = Silent()

    def send_if() -> bool:
        pytest.fail("the default cannot know the moment of sending, so it must not ask")

    assert await transport.send_event_if(sends.RealtimeModelSendInterrupt(), send_if) is False
    assert transport.sent == []


def test_retiring_audio_does_nothing_by_default():
    assert Silent()._retire_response_audio("resp_1") is None  # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize("cls", [model.RealtimeModel, model.RealtimeModelListener], ids=named)
def test_the_interfaces_cannot_be_instantiated(cls: type):
    with pytest.raises(TypeError, match="abstract"):
        cls()


# --- alone ----------------------------------------------------------------------------------------


def test_the_interface_stands_without_the_sdk():
    code = "import sys; sys.modules.update(agents=None, openai=None); import " + ", ".join(
        module.__name__ for module in OURS
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
