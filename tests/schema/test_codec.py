"""Whatever is encoded comes back the same, and is written the same when it is encoded again."""

import base64
import datetime
import json
import re
import subprocess
import sys
import threading
import zoneinfo
from typing import Any, cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from realtape.integrations.openai_agents import VOCABULARY as SDKS
from realtape.schema import (
    STANDARD,
    Codec,
    Described,
    EncodingError,
    RealtimeModelAudioEvent,
    RealtimeModelRawServerEvent,
    same,
)
from realtape.schema.codec import Secrets, event_name, references
from realtape.schema.events import RECEIVED_EVENTS
from realtape.schema.sends import SENT_EVENTS
from support.examples import (
    CODEC,
    VOCABULARY,
    Color,
    Note,
    Point,
    Right,
    Shelf,
    Wide,
    round_trip,
)
from support.failures import exceptions
from support.strategies import audio, events, sends, values

OURS_ONLY = Codec(STANDARD)


# --- all values -----------------------------------------------------------------------------------


@given(values(exceptions))
@example(10**5000)
@example("\ud83d\ude00")  # two characters, which JSON would read as one
@example({"\ud83d\ude00": "\ud83d"})
@example({"😀\ud83d": ["\ude00\ud83d\ude00\ud83d\ude00"]})
@example(datetime.datetime(2025, 10, 26, 2, 30, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin"), fold=1))
@example(datetime.time(1, tzinfo=datetime.timezone(datetime.timedelta(hours=1), "CET")))
@example([b"", bytearray(b"a"), memoryview(b"abcd").cast("H")])
def test_values_come_back(value: Any):
    assert same(round_trip(value), value)


@given(events() | sends())
def test_our_events_and_sends_come_back(event: Any):
    assert same(round_trip(event, OURS_ONLY), event)


SDKS_ONLY = Codec(SDKS)
OURS = {cls.__name__: cls for cls in (*RECEIVED_EVENTS, *SENT_EVENTS)}


@given(events(SDKS) | sends(SDKS))
def test_the_sdks_events_and_sends_come_back(event: Any):
    assert same(round_trip(event, SDKS_ONLY), event)


@given(events(SDKS) | sends(SDKS))
def test_what_is_written_of_the_sdks_is_read_as_ours(event: Any):
    shelf = Shelf()
    decoded = OURS_ONLY.decode(SDKS_ONLY.encode(event, shelf.put).payload, shelf.get)
    assert type(decoded.value) is OURS[type(event).__name__]
    assert not any("kept as a description" in note for note in decoded.notes)


@given(events() | sends())
def test_what_is_written_of_ours_is_read_as_the_sdks(event: Any):
    shelf = Shelf()
    payload = OURS_ONLY.encode(event, shelf.put).payload
    word = SDKS.word_named(event_name(STANDARD, cast("type[Any]", type(event))))
    if word is not None:
        assert type(SDKS_ONLY.decode(payload, shelf.get).value) is word.cls


# --- bytes ----------------------------------------------------------------------------------------


@given(st.binary(min_size=24, max_size=90))
def test_bytes_are_never_in_the_payload(data: bytes):
    shelf = Shelf()
    text = base64.b64encode(data).decode()
    message = {"type": "delta", "delta": text if len(data) % 3 == 0 else data}
    values = [data, bytearray(data), memoryview(data), {data: data}, {"data": (data,)}, {data}]
    raw = RealtimeModelRawServerEvent(data=message)
    payload = CODEC.encode([values, raw, ValueError(data), Point(data)], shelf.put).payload
    assert text not in payload
    assert data.hex() not in payload
    assert data.decode("latin-1") not in payload
    assert shelf.data == data  # put once, since the shelf knows it again


@given(audio)
def test_the_raw_event_and_the_audio_event_share_the_bytes(data: bytes):
    shelf = Shelf()
    delta = {"type": "response.output_audio.delta", "delta": base64.b64encode(data).decode()}
    raw = OURS_ONLY.encode(RealtimeModelRawServerEvent(data=delta), shelf.put)
    event = RealtimeModelAudioEvent(data=data, response_id="r", item_id="i", content_index=0)
    assert references(raw.payload) == references(OURS_ONLY.encode(event, shelf.put).payload)
    assert OURS_ONLY.decode(raw.payload, shelf.get).value.data == delta


@pytest.mark.parametrize(
    "text",
    [
        "",
        "AAAA",  # too short to be worth it
        "A" * 23,
        "A" * 24 + "=",
        "A" * 22 + "B=",  # its last bits are not zero: other bytes encode to it
        "A" * 24 + "\n",
        "A" * 23 + "_",
        "A" * 23 + "é",
        "=" * 24,
        "AA==" * 6,
    ],
)
def test_what_is_not_the_base64_of_bytes_stays_a_text(text: str):
    payload = CODEC.encode({"delta": text, "audio": text}, Shelf().put).payload
    assert json.loads(payload) == {"delta": text, "audio": text}
    assert same(round_trip({"delta": text}), {"delta": text})


def test_references_are_found_once_each_and_texts_that_look_like_them_are_not():
    shelf = Shelf()
    look_alike = {"$": "py:bytes", "at": [0, 1, 2]}
    value = [b"bb", b"aa", b"bb", look_alike, json.dumps(look_alike, separators=(",", ":")), "at", [0, 1, 2]]
    payload = CODEC.encode(value, shelf.put).payload
    assert references(payload) == [(0, 0, 2), (0, 2, 2)]
    assert same(round_trip(value), value)


# --- by example -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "payload"),
    [
        (None, "null"),
        ([True, 1, 1.5, "é\ud800"], '[true,1,1.5,"é\\ud800"]'),
        (1 << 63, '{"$":"py:int","hex":"0x8000000000000000"}'),
        (float("-inf"), '{"$":"py:float","text":"-inf"}'),
        ("\ud83d\ude00", '{"$":"py:str","parts":["\\ud83d","\\ude00"]}'),
        ((1, {2}), '{"$":"py:tuple","items":[1,{"$":"py:set","items":[2]}]}'),
        ({"$": 1}, '{"$":"py:dict","items":[["$",1]]}'),
        (Color.CRIMSON, '{"$":"shop:Color","member":"RED"}'),
        (Right.READ | Right.RUN, '{"$":"shop:Right","value":5}'),
        (Wide(1 << 70), '{"$":"shop:Wide","value":{"$":"py:int","hex":"0x400000000000000000"}}'),
        (Point(1), '{"$":"shop:Point","x":1,"y":0,"tags":[]}'),
        (b"ab", '{"$":"py:bytes","at":[0,0,2]}'),
        (KeyError("k"), '{"$":"py:KeyError","$text":"\'k\'","args":["k"]}'),
    ],
)
def test_payloads(value: Any, payload: str):
    assert CODEC.encode(value, Shelf().put).payload == payload


def test_a_model_keeps_which_fields_were_given_and_no_cached_property():
    note = Note.model_validate({"text": "a", "phase": "final"})
    assert note.loud == "A"
    payload = CODEC.encode(note, Shelf().put).payload
    assert "loud" not in payload
    back = round_trip(note)
    assert back == Note.model_validate({"text": "a", "phase": "final"})
    assert back.model_fields_set == {"text", "phase"}
    assert back.loud == "A"
    assert list(back.__dict__) == ["text", "audio", "about", "loud"]


def test_an_attribute_that_was_never_set_stays_unset():
    bare = object.__new__(Point)
    bare.y = 3
    payload = CODEC.encode(bare, Shelf().put).payload
    assert payload == '{"$":"shop:Point","y":3}'
    back = CODEC.decode(payload, Shelf().get).value
    assert vars(back) == {"y": 3, "tags": []}  # but for the defaults


def test_a_codec_is_safe_from_any_thread():
    failed: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for count in range(50):
                value = Point({"number": number, "count": count, "data": bytes([number, count])})
                assert same(round_trip(value), value)
        except BaseException as error:  # noqa: BLE001 - told by the main thread
            failed.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed


def test_sets_are_written_alike_in_every_process():
    program = (
        "from realtape.schema import STANDARD, Codec; places = []\n"
        "def put(data): places.append(data); return (0, len(places), len(data))\n"
        "print(Codec(STANDARD).encode([{'a', 'b', 'c', 1, None}, {b'x', b'yy', b'zzz'}], put).payload)"
    )
    written = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            timeout=120,
            text=True,
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(written) == 1


def test_what_encoding_refuses_says_what_to_do():
    nested: list[Any] = []
    for _ in range(10_000):
        nested = [nested]
    with pytest.raises(EncodingError, match="deeper than 100 levels: record a flatter value"):
        CODEC.encode(nested, Shelf().put)


def test_a_redactor_takes_what_it_wants_out_of_every_text():
    codec = Codec(VOCABULARY, [lambda text: re.sub(r"\d", "#", text)])
    shelf = Shelf()
    value = {"card 12": ["12", b"12", 12, Point("3"), {4: "5"}], "card 34": KeyError("6"), "card 56": "7"}
    encoded = codec.encode(value, shelf.put, Secrets())
    assert encoded.redacted
    back = codec.decode(encoded.payload, shelf.get).value
    assert list(back) == ["card ##", "card ## (2)", "card ## (3)"]  # no entry is lost
    assert back["card ##"][:3] == ["##", b"12", 12]
    assert same(back["card ##"][3:], [Point("#"), {4: "#"}])


def test_of_a_text_of_another_class_a_redactor_answers_the_text():
    class Markup(str):
        def __str__(self) -> str:
            raise AssertionError

    codec = Codec(STANDARD, [lambda text: Markup(text.replace("Jane", "J."))])
    assert codec.encode({"name": "Jane"}, lambda data: (0, 0, 0)).payload == '{"name":"J."}'


def test_what_a_redactor_left_unreadable_is_described():
    codec = Codec(VOCABULARY, [lambda text: "x"])
    shelf = Shelf()
    value = [
        datetime.datetime(2025, 1, 2, tzinfo=datetime.UTC),
        Color.RED,
        1 << 70,
        Note(text="secret"),
        float("nan"),
    ]
    decoded = codec.decode(codec.encode(value, shelf.put).payload, shelf.get)
    assert [type(item) for item in decoded.value] == [Described, Described, Described, Note, Described]
    assert "type py:datetime: cannot be read here, kept as a description" in decoded.notes


@pytest.mark.parametrize("answer", [None, 3, b"x"])
def test_a_redactor_that_answers_no_text_or_raises_is_refused(answer: Any):
    with pytest.raises(EncodingError, match="a text was expected"):
        Codec(VOCABULARY, [lambda text: answer]).encode({"a": "b"}, Shelf().put)
    with pytest.raises(EncodingError, match="ZeroDivisionError"):
        Codec(VOCABULARY, [lambda text: str(1 / 0)]).encode("a", Shelf().put)
