"""Reading a payload, whatever it is, decodes or raises DecodingError; it imports and executes nothing."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel, field_validator, model_validator
from realtape.schema import Codec, CorruptRecordError, DecodingError, StoreBusyError, Vocabulary
from realtape.schema.codec.vocabulary import RESERVED
from support.examples import VOCABULARY, Shelf
from support.failures import exceptions
from support.strategies import texts, values

CALLS: list[str] = []


@dataclass
class SpiedDataclass:
    """Tells when it is constructed."""

    a: Any = None
    b: list[Any] = field(default_factory=list[Any])

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        CALLS.append("dataclass.__new__")
        return object.__new__(cls)

    def __post_init__(self) -> None:
        CALLS.append("dataclass.__post_init__")

    def __setattr__(self, name: str, value: Any) -> None:
        CALLS.append("dataclass.__setattr__")


class SpiedModel(BaseModel):
    """Tells when it is constructed or validates."""

    model_config = {"extra": "allow"}
    a: Any = None
    b: int = 0

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        CALLS.append("model.__new__")
        return object.__new__(cls)

    def __init__(self, **fields: Any) -> None:
        CALLS.append("model.__init__")

    def __setattr__(self, name: str, value: Any) -> None:
        CALLS.append("model.__setattr__")

    def __setstate__(self, state: Any) -> None:
        CALLS.append("model.__setstate__")

    def model_post_init(self, context: Any) -> None:
        CALLS.append("model_post_init")

    @field_validator("a", "b", mode="before")
    @classmethod
    def told(cls, value: Any) -> Any:
        CALLS.append("field_validator")
        return value

    @model_validator(mode="before")
    @classmethod
    def told_too(cls, value: Any) -> Any:
        CALLS.append("model_validator")
        return value


class SpiedError(OSError):
    """An exception of the application: its own constructor is not called either."""

    def __new__(cls, *args: Any) -> Any:
        CALLS.append("error.__new__")
        return OSError.__new__(cls, *args)

    def __init__(self, *args: Any) -> None:
        CALLS.append("error.__init__")

    def __setattr__(self, name: str, value: Any) -> None:
        CALLS.append("error.__setattr__")


SPIED = Vocabulary(VOCABULARY)
SPIED.register("spied:dataclass", SpiedDataclass)
SPIED.register("spied:model", SpiedModel)
SPIED.register("spied:error", SpiedError)
CODEC = Codec(SPIED)
SHELF = Shelf()
SHELF.put(bytes(range(256)))

# --- what stands in them --------------------------------------------------------------------------

names = st.one_of(
    st.sampled_from(sorted(RESERVED)),
    st.sampled_from(CODEC.vocabulary.names()),
    st.sampled_from(["spied:dataclass", "spied:model", "spied:error"]),
    st.sampled_from(["os.system", "builtins:eval", "py:eval", "py:type", "subprocess.Popen", "", "$", "py:"]),
    texts,
)
parts = [
    "$", "$v", "$set", "$extra", "$private", "$text", "items", "at", "text", "hex", "parts", "args", "state",
    "name", "value", "member", "notes", "trace", "behind", "zone", "zone_name", "fold", "a", "b", "x", "y",
    "__class__", "__dict__", "__reduce__", "__notes__", "__cause__", "filename", "_realtape_origin", "type",
]  # fmt: skip
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 300),
    st.integers(),
    st.floats(),
    texts,
    names,
    st.sampled_from(
        ["0x10", "-0xff", "nan", "2025-01-02", "2025-01-02T03:04:05", "Europe/Berlin", "../../etc/passwd"]
    ),
)
places = st.lists(st.integers(-2, 300), max_size=4)


def tagged(name: str, rest: dict[str, Any]) -> dict[str, Any]:
    return {"$": name, **rest}


trees: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from(parts), inner, max_size=5),
        st.builds(tagged, names, st.dictionaries(st.sampled_from(parts), inner)),
        st.builds(tagged, st.just("py:bytes"), st.fixed_dictionaries({"at": places})),
    ),
    max_leaves=12,
)


def decoded_somehow(payload: str) -> Any:
    """The value, or None where it is refused with an error of ours; nothing else may happen."""
    CALLS.clear()
    modules = sys.modules.copy()
    try:
        return CODEC.decode(payload, SHELF.get).value
    except DecodingError:
        return None
    finally:
        assert sys.modules == modules
        assert CALLS == []


@given(trees)
@example({"$": "os.system", "args": ["true"]})
@example({"$": "builtins:eval", "args": ["CALLS.append('eval')"], "$text": ""})
@example({"$": "py:ExceptionGroup", "args": ["m", [1]]})
@example({"$": "py:ExceptionGroup", "args": []})
@example({"$": "py:UnicodeDecodeError", "args": [1, 2, 3]})
@example({"$": "py:SystemExit", "args": [3], "state": {"__class__": 1, "args": 2, "__traceback__": 3}})
@example({"$": "spied:error", "args": [2, "no"], "state": {"filename": "f", "__init__": 1}})
@example({"$": "spied:dataclass", "a": 1})
@example({"$": "spied:model", "a": 1, "more": {"$": "spied:dataclass"}})
@example({"$": "shop:Wide", "value": -1})
@example({"$": "shop:Color", "value": "red"})
@example({"$": "shop:Right", "value": 1 << 70})
@example({"$": "py:datetime", "text": "2025-01-02", "zone": "tzdata.zoneinfo/x"})
@example({"$": "py:dict", "items": [[{"$": "py:set", "items": []}, 1]]})
@example({"$": "py:frozenset", "items": [[1]]})
def test_fuzzed_payloads_decode_or_are_refused(tree: Any):
    value = decoded_somehow(json.dumps(tree))
    CODEC.encode(value, Shelf().put)  # what was read can be recorded again


def mutated(tree: Any, path: list[int], change: Any) -> Any:
    """The tree with one place changed: taken out, doubled, or replaced."""
    if not path or not isinstance(tree, list | dict) or not tree:
        return change
    index, *rest = path
    if isinstance(tree, list):
        items = cast("list[Any]", tree)
        index %= len(items)
        return [mutated(item, rest, change) if at == index else item for at, item in enumerate(items)]
    facts = cast("dict[str, Any]", tree)
    chosen = list(facts)[index % len(facts)]
    if not rest and change is None:
        return {key: item for key, item in facts.items() if key != chosen}
    return {key: mutated(item, rest, change) if key == chosen else item for key, item in facts.items()}


@given(values(exceptions), st.lists(st.integers(0, 5), max_size=6), trees)
def test_payloads_with_one_place_changed_decode_or_are_refused(value: Any, path: list[int], change: Any):
    payload = CODEC.encode(value, SHELF.put).payload
    decoded_somehow(json.dumps(mutated(json.loads(payload), path, change)))


@given(values(exceptions), st.integers(0, 10_000), texts)
def test_payloads_that_are_cut_or_patched_decode_or_are_refused(value: Any, at: int, patch: str):
    payload = CODEC.encode(value, SHELF.put).payload
    decoded_somehow(payload[: at % (len(payload) + 1)])
    decoded_somehow(payload[: at % (len(payload) + 1)] + patch + payload[at % (len(payload) + 1) :])


@given(st.text() | texts)
def test_texts_that_are_no_json_are_refused(text: str):
    decoded_somehow(text)


# --- by example -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "payload",
    [
        "",
        "{",
        "nul",
        '{"$":1}',
        '{"$":["py:int"]}',
        '{"$":{}}',
        '{"$":"py:int"}',
        '{"$":"py:int","hex":17}',
        '{"$":"py:tuple"}',
        '{"$":"py:tuple","items":"abc"}',
        '{"$":"py:tuple","items":{"a":1}}',
        '{"$":"py:dict","items":[[1]]}',
        '{"$":"py:dict","items":[[[],1]]}',
        '{"$":"py:set","items":[[]]}',
        '{"$":"py:complex","parts":[1,2,3]}',
        '{"$":"py:complex","parts":[null,1]}',
        '{"$":"py:timedelta","parts":["a"]}',
        '{"$":"py:datetime","text":1}',
        '{"$":"py:datetime","text":"2025-01-02","zone":3}',
        '{"$":"py:str","parts":[1]}',
        '{"$":"py:ValueError","args":"abc"}',
        '{"$":"py:ValueError","state":[]}',
        '{"$":"described"}',
        '{"$":"described","name":3,"value":1}',
        '{"$":"recorded_error","name":"a"}',
        '{"$":"recorded_error","name":"a","text":null}',
        '{"$":"shop:Color","member":3}',
        '{"$":"shop:Right","value":"read"}',
        '{"$":"shop:Note","text":"a","$set":3}',
        '{"$":"shop:Note","text":"a","$set":[[]]}',
        '{"$":"shop:Note","text":"a","$extra":[]}',
        '{"$":"shop:Note","text":"a","$private":[1]}',
        '{"$":"shop:Money","cents":3}',
        '{"$":"shop:Point","$v":0,"x":1}',
        '{"$":"shop:Point","$v":-1,"x":1}',
        "1" * 5000,  # more digits than Python reads
        "[" * 100_000,
        "[" * 5000 + "]" * 5000,
        '{"a":' * 5000 + "1" + "}" * 5000,
    ],
)
def test_what_no_codec_writes_is_refused(payload: str):
    with pytest.raises(DecodingError):
        CODEC.decode(payload, SHELF.get)


@pytest.mark.parametrize(
    "at",
    [
        "[0,0,300]",
        "[0,300,1]",
        "[1,0,1]",
        "[0,0,-1]",
        "[0,-1,1]",
        "[-1,0,1]",
        "[0,0]",
        "[0,0,1,1]",
        "[]",
        "3",
        '"abc"',
        '{"a":1}',
        "[true,false,true]",
        "[0.0,0,1]",
        '["0",0,1]',
        "[null,0,1]",
        "[0,0,999999999999999999999999]",
        "[0,0,200000000]",
    ],
)
@pytest.mark.parametrize("tag", ["py:bytes", "py:bytearray", "py:memoryview", "base64"])
def test_references_out_of_range_are_refused(tag: str, at: str):
    shelf = Shelf()
    shelf.put(bytes(256))
    assert len(CODEC.decode('{"$":"py:bytes","at":[0,0,256]}', shelf.get).value) == 256
    with pytest.raises(DecodingError):
        CODEC.decode(f'{{"$":"{tag}","at":{at}}}', shelf.get)


def test_a_payload_cannot_refer_to_more_bytes_than_one_may_hold():
    many = json.dumps([{"$": "py:bytes", "at": [0, 0, 1 << 20]}] * 1000)
    with pytest.raises(DecodingError, match="more bytes"):
        CODEC.decode(many, lambda segment, offset, length: bytes(length))


@pytest.mark.parametrize(
    "error",
    [StoreBusyError("s", "p", "r"), CorruptRecordError("s", 1, "p")],
    ids=lambda error: type(error).__name__,
)
def test_what_the_store_says_is_told_as_it_is(error: Exception):
    def get(segment: int, offset: int, length: int) -> bytes:
        raise error

    with pytest.raises(type(error)):
        CODEC.decode('[{"$":"py:bytes","at":[0,0,1]}]', get)


def test_of_doubled_keys_the_last_counts():
    assert CODEC.decode('{"a":1,"a":2}', SHELF.get).value == {"a": 2}
    assert decoded_somehow('{"$":"py:int","$":"spied:model","hex":"0x1"}') is not None


def test_keys_that_become_the_same_lose_no_entry():
    payload = '{"$":"py:dict","items":[[1,"a"],[{"$":"py:float","text":"1"},"b"]]}'
    decoded = CODEC.decode(payload, SHELF.get)
    assert decoded.value.value == [[1, "a"], [1.0, "b"]]
    assert decoded.notes == {"type py:dict: some of its keys are the same here, kept as a description"}


def test_what_is_made_of_an_exception_is_what_its_builtin_base_makes():
    error = decoded_somehow(
        '{"$":"spied:error","args":[2,"no"],"state":{"filename":"f","extra":1,"args":[3],"__traceback__":"x"}}'
    )
    assert (error.errno, error.strerror, error.filename, error.extra) == (2, "no", "f", 1)
    assert error.args == (2, "no")  # the state cannot reach what C keeps
    assert error.__traceback__ is None


@pytest.mark.parametrize(
    "zone", ["tzdata.zoneinfo/x", "../zoneinfo/UTC", "/etc/localtime", "No/Where", "", "UTC\x00"]
)
def test_a_zone_is_looked_for_among_the_systems_and_nowhere_else(zone: str):
    payload = json.dumps({"$": "py:datetime", "text": "2025-01-02", "zone": zone})
    modules = sys.modules.copy()
    decoded = CODEC.decode(payload, SHELF.get)
    assert sys.modules == modules
    assert decoded.value.value == {"text": "2025-01-02", "zone": zone}
    assert decoded.notes == {"type py:datetime: cannot be read here, kept as a description"}


@pytest.mark.parametrize("make", [SpiedDataclass, SpiedModel, SpiedError])
def test_the_spies_do_tell(make: Callable[[], Any]):
    CALLS.clear()
    make()
    assert CALLS


@pytest.mark.parametrize("name", ["py:set", "py:frozenset", "py:dict"])
def test_keys_that_were_chosen_to_have_one_hash_are_refused(name: str):
    """Each would be compared with each: a minute for a small payload."""
    alike = [{"$": "py:int", "hex": hex(number * (2**61 - 1))} for number in range(1, 3_000)]
    items = [[key, 0] for key in alike] if name == "py:dict" else alike
    with pytest.raises(DecodingError, match="the same hash"):
        Codec(VOCABULARY).decode(json.dumps({"$": name, "items": items}), SHELF.get)
    apart = [[number, 0] if name == "py:dict" else number for number in range(3_000)]
    assert len(Codec(VOCABULARY).decode(json.dumps({"$": name, "items": apart}), SHELF.get).value) == 3_000
