"""Redacted recordings: nothing of what was planted is left, wherever it was cut; all else is as it was."""

from __future__ import annotations

import datetime
import json
import re
import tempfile
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from realtape.schema import STANDARD, Codec, Entry, Flag, Kind, UsageError
from realtape.schema import events as ev
from realtape.schema import sends as se
from realtape.schema.log import entry_digest
from realtape.session.drafts import Draft, reference_in, tree_of
from realtape.session.fields import facts_of, frame_message
from realtape.session.fixture import read_fixture, write_fixture
from realtape.session.redaction import DEFAULT, Redaction, redacted, replaced
from support.fixtures import draft, received
from support.planted import EMAILS, SECRETS, Session, sessions

FEW = settings(max_examples=max(6, settings().max_examples // 8))
"""A whole session each."""

_DIGIT = re.compile(r"\D")
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)


def texts_of(tree: Any) -> Iterator[str]:
    """All texts of a tree, in order; keys, too."""
    if isinstance(tree, str):
        yield tree
    elif isinstance(tree, list):
        for item in cast("list[Any]", tree):
            yield from texts_of(item)
    elif isinstance(tree, dict):
        for key, item in cast("dict[str, Any]", tree).items():
            yield key
            yield from texts_of(item)
    elif isinstance(tree, int):
        yield str(tree)


def streams_of(draft: Draft) -> dict[Any, str]:
    """The texts that came in pieces, put together in the simplest way."""
    streams: dict[Any, str] = defaultdict(str)
    for entry in draft.entries:
        tree = tree_of(entry)
        if entry.kind in (Kind.FRAME_IN, Kind.FRAME_OUT):
            tree = json.loads("".join(tree))
        data = cast("dict[str, Any]", tree.get("data", tree))
        if isinstance(data.get("delta"), str):
            streams[entry.kind, entry.type, data["type"], data.get("item_id"), data.get("call_id")] += data[
                "delta"
            ]
    return streams


def all_texts(draft: Draft) -> list[str]:
    """Every text there is, also whole ones of pieces, and the bytes; all of it also without its escapes."""
    found = [*texts_of([tree_of(entry) for entry in draft.entries]), *streams_of(draft).values()]
    found += ["".join(tree_of(entry)) for entry in draft.entries if entry.kind.startswith("frame")]
    found += [text for pair in draft.header.labels.items() for text in pair]
    found += [data.decode("latin-1") for data in draft.segments.values()]
    found += [entry.payload for entry in draft.entries]
    for _ in range(3):
        found += [unescaped(text) for text in found if "\\" in text]
        found = list(dict.fromkeys(found))
    return found


def unescaped(text: str) -> str:
    def meant(escape: re.Match[str]) -> str:
        return chr(int(escape[1][1:], 16)) if len(escape[1]) == 5 else escape[1]

    return _ESCAPE.sub(meant, text)


def secret_in(draft: Draft, secret: str) -> str | None:
    """A text that holds it, however it is written."""
    digits = _DIGIT.sub("", secret) if "@" not in secret else ""
    for text in all_texts(draft):
        if secret.lower() in text.lower():
            return text
        if digits and digits in text:
            return text
    return None


def shape(tree: Any) -> Any:
    """What must stay: lengths of texts, numbers but large ones, lengths of bytes."""
    reference = reference_in(tree)
    if reference is not None:
        return ("bytes", tree["$"], reference[2])
    if isinstance(tree, str):
        return len(tree)
    if isinstance(tree, list):
        return [shape(item) for item in cast("list[Any]", tree)]
    if isinstance(tree, dict):
        return [(len(key), shape(item)) for key, item in cast("dict[str, Any]", tree).items()]
    return len(str(tree))


def same_structure(one: Draft, other: Draft) -> None:
    assert len(one.entries) == len(other.entries)
    for before, after in zip(one.entries, other.entries, strict=True):
        assert after[:13] == before[:13]
        assert after.flags & ~Flag.REDACTED == before.flags & ~Flag.REDACTED
        assert shape(tree_of(after)) == shape(tree_of(before))
        assert (
            bool(after.flags & Flag.REDACTED) or tree_of(after) == tree_of(before) or "at" in before.payload
        )
    assert one.status == other.status


@FEW
@given(sessions())
def test_no_file_of_a_fixture_holds_what_was_planted(planted: tuple[Draft, set[str]]) -> None:
    """Neither as it is, nor as JSON writes it, nor put together again from its deltas."""
    draft, secrets = planted
    with tempfile.TemporaryDirectory() as name:
        place = Path(name) / "fixture"
        write_fixture(redacted([draft]), place)
        content = b"\n".join(path.read_bytes() for path in place.rglob("*") if path.is_file())
        (found,) = read_fixture(place)
    for secret in secrets:
        assert secret.encode() not in content
        assert json.dumps(secret)[1:-1].encode() not in content
        assert secret_in(found, secret) is None


@FEW
@given(sessions())
def test_nothing_that_was_planted_is_left_and_the_rest_is_as_it_was(planted: tuple[Draft, set[str]]) -> None:
    draft, secrets = planted
    (one,) = redacted([draft])
    for secret in secrets:
        assert secret_in(draft, secret), "the test looks in the wrong place"
        assert secret_in(one, secret) is None
    same_structure(draft, one)
    assert one.sealed() == one
    assert (one.header.host, one.header.pid, one.header.previous_session) == ("", 0, None)
    assert one.header.labels.keys() == draft.header.labels.keys()
    assert draft.last_digest.hex() in one.header.source
    redaction = Redaction.told_by(one.header.source)
    assert redaction is not None
    assert redaction.audio == "keep"
    assert set(redaction.counts) == {*DEFAULT}
    assert redacted([draft]) == [one]


@FEW
@given(sessions())
def test_a_value_has_one_stand_in_everywhere_and_no_other_value_has_it(
    planted: tuple[Draft, set[str]],
) -> None:
    draft, secrets = planted
    (one,) = redacted([draft])
    stand_ins: dict[str, set[str]] = defaultdict(set)
    for before, after in zip(all_pairs(draft), all_pairs(one), strict=True):
        for secret in secrets:
            for found in re.finditer(re.escape(secret), before):
                stand_ins[secret].add(after[found.start() : found.end()])
    assert all(len(found) == 1 for found in stand_ins.values()), stand_ins
    given_out = [found for each in stand_ins.values() for found in each]
    assert len(set(given_out)) == len(given_out)
    for secret, (stand_in,) in ((secret, tuple(found)) for secret, found in stand_ins.items()):
        assert [char for char in stand_in if not char.isalnum()] == [
            char for char in secret if not char.isalnum()
        ]
        assert [char.isdigit() for char in stand_in if "@" not in secret] == [
            char.isdigit() for char in secret if "@" not in secret
        ]


def all_pairs(draft: Draft) -> list[str]:
    return [*texts_of([tree_of(entry) for entry in draft.entries]), *streams_of(draft).values()]


@FEW
@given(sessions())
def test_redacting_again_changes_nothing(planted: tuple[Draft, set[str]]) -> None:
    (one,) = redacted([planted[0]])
    (two,) = redacted([one])
    assert [entry[:-1] for entry in two.entries] == [entry[:-1] for entry in one.entries]
    assert two.header.labels == one.header.labels


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_is_found_wherever_it_is_cut(secret: str) -> None:
    """At every place once, with others in between."""
    for cut in range(1, len(secret)):
        session = Session()
        for piece in (secret[:cut], secret[cut:]):
            for item in ("a", "b"):
                text = piece if item == "a" else "4111"
                session.add(Kind.RECEIVED, ev.RealtimeModelOutputTextDeltaEvent(item, text, "r"))
            session.add(Kind.MARKER, {"text": "in between", "data": {}})
        (one,) = redacted([session.draft()])
        assert secret_in(one, secret) is None
        assert [tree_of(one.entries[at])["delta"] for at in (1, 4)] == ["4111", "4111"]


def test_numbers_in_arguments_stay_numbers_and_cards_are_none_any_more() -> None:
    session = Session()
    arguments = '{"card": 4111111111111111, "phone": 4155550132, "guests": 2, "at": "19:00"}'
    session.add(Kind.RECEIVED, ev.RealtimeModelToolCallEvent("pay", "call_1", arguments))
    session.add(
        Kind.SENT, se.RealtimeModelSendUserInput("4111-1111-1111-1111 and 415 555 0132"), "send_user_input"
    )
    (one,) = redacted([session.draft()])
    assert tree_of(one.entries[0])["arguments"] == (
        '{"card": 8888888888880001, "phone": 5555550000, "guests": 2, "at": "19:00"}'
    )
    assert tree_of(one.entries[1])["user_input"] == "8888-8888-8888-0001 and 555 555 0000"


def test_what_is_known_is_found_where_nothing_tells_what_it_is() -> None:
    session = Session()
    session.add(Kind.MARKER, {"text": "phone", "data": {"phone": "612345678"}})
    session.add(Kind.SENT, se.RealtimeModelSendUserInput("ADA@EXAMPLE.ORG, 612 345 678"), "send_user_input")
    session.add(
        Kind.MARKER, {"text": "", "data": {"id": 612345678, "mail": "ada@example.org", "n": [612345678]}}
    )
    (one,) = redacted([session.draft()])
    assert tree_of(one.entries[1])["user_input"] == "XXX@XXXAAAA.ORG, 555 550 000"
    assert tree_of(one.entries[2])["data"] == {"id": 555550000, "mail": "xxx@xxxaaaa.org", "n": [555550000]}


def test_ids_types_times_and_sums_stay() -> None:
    session = Session()
    data = {
        "type": "response.done",
        "event_id": "event_4111111111111111",
        "response": {
            "id": "resp_0612345678",
            "output": [
                {"id": "item_+4915123456789", "call_id": "4111111111111111x", "created_at": 1785214055}
            ],
            "usage": {"total_tokens": 4111111111111111, "cost_ms": 4155550132},
            "audio": {"output": {"voice": "ash", "format": {"type": "audio/pcm", "rate": 24000}}},
        },
    }
    session.add(Kind.RECEIVED, ev.RealtimeModelRawServerEvent(data))
    session.add(Kind.RECEIVED, ev.RealtimeModelRawServerEvent({"type": "x", "caller_id": "+49 151 23456789"}))
    (one,) = redacted([session.draft()])
    assert tree_of(one.entries[0])["data"] == data
    assert tree_of(one.entries[1])["data"] == {"type": "x", "caller_id": "+55 555 55550000"}
    assert not one.entries[0].flags & Flag.REDACTED
    assert one.entries[1].flags & Flag.REDACTED


def test_numbers_that_are_no_texts_are_found() -> None:
    session = Session()
    call = {"name": "pay", "args": {"id": 4111111111111111, "amount": 4111111111111111.0, "status": "x"}}
    session.add(Kind.RECEIVED, ev.RealtimeModelRawServerEvent({"toolCall": call, "id": 4111111111111111}))
    session.add(
        Kind.MARKER, {"text": "", "data": {"phone": 4155550132, "n": 4155550132.5, "id": [4155550132]}}
    )
    (one,) = redacted([session.draft()])
    data = tree_of(one.entries[0])["data"]
    assert data["toolCall"]["args"] == {"id": 8888888888880001, "amount": 8888888888880001.0, "status": "x"}
    assert type(data["toolCall"]["args"]["amount"]) is float
    assert data["id"] == 4111111111111111
    assert tree_of(one.entries[1])["data"] == {"phone": 5555550000, "n": 4155550132.5, "id": [5555550000]}


def test_an_address_that_was_cut_short_is_replaced() -> None:
    session = Session()
    for piece in ("It is ada", "@exa"):
        session.add(Kind.RECEIVED, ev.RealtimeModelTranscriptDeltaEvent("i", piece, "r"))
    (one,) = redacted([session.draft()])
    assert "".join(tree_of(entry)["delta"] for entry in one.entries) == "It is xxa@aaa"


def test_the_tokens_of_a_transcript_are_one_text() -> None:
    session = Session()
    for word in ("It is", " ada", "@ex", "ample.org"):
        tokens = [{"token": word, "logprob": -0.5, "bytes": list(word.encode())}]
        data = {"type": "x.transcription.delta", "item_id": "i", "delta": word, "logprobs": tokens}
        session.add(Kind.RECEIVED, ev.RealtimeModelRawServerEvent(data))
        session.add(Kind.FRAME_IN, [json.dumps(data)])
    (one,) = redacted([session.draft()])
    found = [tree_of(entry)["data"] for entry in one.entries[::2]]
    tokens = [token for data in found for token in data["logprobs"]]
    assert "".join(data["delta"] for data in found) == "It is xxx@xxxaaaa.org"
    assert "".join(token["token"] for token in tokens) == "It is xxx@xxxaaaa.org"
    assert bytes(byte for token in tokens for byte in token["bytes"]) == b"It is xxx@xxxaaaa.org"
    assert [json.loads(tree_of(entry)[0])["logprobs"][0]["token"] for entry in one.entries[1::2]] == [
        token["token"] for token in tokens
    ]


def dtmf(key: str) -> Any:
    return {"type": "input_audio_buffer.dtmf_event_received", "event": key, "received_at": 1700000000}


def keyed_at_the_telephone(key: str) -> Any:
    return {"event": "dtmf", "streamSid": "MZ1", "dtmf": {"track": "inbound_track", "digit": key}}


def told(messages: Iterable[Any], *, frames: bool) -> list[Any]:
    """Messages of the provider, as raw events or as frames, redacted."""
    session = Session()
    for message in messages:
        if frames:
            session.add(Kind.FRAME_IN, [json.dumps(message)])
        else:
            session.add(Kind.RECEIVED, ev.RealtimeModelRawServerEvent(message))
    (made,) = redacted([session.draft()])
    return [
        frame_message(entry) if frames else cast("dict[str, Any]", tree_of(entry))["data"]
        for entry in made.entries
    ]


@pytest.mark.parametrize("frames", [False, True])
@pytest.mark.parametrize("message", [dtmf, keyed_at_the_telephone])
@pytest.mark.parametrize("number", ["4111111111111111", "15123456789", "4155550132"])
def test_what_is_keyed_is_one_text_a_key_an_event(
    number: str, message: Callable[[str], Any], frames: bool
) -> None:
    made = told((message(key) for key in f"{number}#"), frames=frames)
    keyed = "".join(one["event"] if "dtmf" not in one else one["dtmf"]["digit"] for one in made)
    assert (len(keyed), keyed[-1]) == (len(number) + 1, "#")
    assert number[:4] not in keyed
    assert made == [message(key) for key in keyed]


SAID = ("My", "number", "is", "+49", "151", "2345", "6789", "platform", "4", "at", "9")
NOW = (*SAID[:3], "+55", "555", "5555", "0000", *SAID[7:])


def a_word_an_event(words: Sequence[str]) -> list[Any]:
    kind = "response.audio_timestamp.delta"
    return [
        {"type": kind, "item_id": "i", "audio_offset_ms": 100 * n, "text": word}
        for n, word in enumerate(words)
    ]


def a_segment_an_event(words: Sequence[str]) -> list[Any]:
    kind = "conversation.item.input_audio_transcription.segment"
    return [
        {"type": kind, "item_id": "i", "id": f"s{n}", "text": word, "start": 0.3 * n, "end": 0.3 * n + 0.2}
        for n, word in enumerate(words)
    ]


def a_list(words: Sequence[str]) -> list[Any]:
    listed = [{"word": word, "start": 0.3 * n, "end": 0.3 * n + 0.2} for n, word in enumerate(words)]
    return [{"type": "transcribed", "item_id": "i", "words": listed}]


def lists_of_two(words: Sequence[str]) -> list[Any]:
    listed = [{"content": word, "startTime": n, "endTime": n + 1} for n, word in enumerate(words)]
    return [
        {"type": "Results", "alternatives": [{"items": listed[n : n + 2]}]} for n in range(0, len(words), 2)
    ]


def a_plain_list(words: Sequence[str]) -> list[Any]:
    return [{"type": "aligned", "alignment": {"words": [*words], "starts": [*range(len(words))]}}]


@pytest.mark.parametrize("frames", [False, True])
@pytest.mark.parametrize(
    "messages", [a_word_an_event, a_segment_an_event, a_list, lists_of_two, a_plain_list]
)
def test_words_that_come_one_by_one_are_one_text(
    messages: Callable[[Sequence[str]], list[Any]], frames: bool
) -> None:
    assert told(messages(SAID), frames=frames) == messages(NOW)


def test_spoken_words_keep_their_own_spaces_and_letters_have_none() -> None:
    for pieces in (["My", " card", " is", " 41", "11", " 1111", " 1111", " 11", "11"], [*"4111111111111111"]):
        (made,) = told([{"type": "aligned", "tokens": pieces}], frames=False)
        now = "".join(made["tokens"])
        assert "4111" not in now.replace(" ", "")
        assert [*map(len, made["tokens"])] == [*map(len, pieces)]


@pytest.mark.parametrize("token", ["ada@", "ädä@"])
def test_the_bytes_of_a_token_go_with_it(token: str) -> None:
    pieces = [token, "example", ".org"]
    logprobs: list[dict[str, Any]] = [
        {"token": one, "logprob": -0.5, "bytes": [*one.encode()]} for one in pieces
    ]
    (made,) = told([{"type": "t.completed", "item_id": "i", "logprobs": logprobs}], frames=True)
    for one, before in zip(made["logprobs"], logprobs, strict=True):
        assert len(one["bytes"]) == len(before["bytes"])
        assert (one["token"] == before["token"]) == (one["bytes"] == before["bytes"])
    assert made["logprobs"][0]["token"] != token


def test_a_transcription_without_ids_is_one_text() -> None:
    said = ("It is ada@exam", "ple.", "org, thanks")
    for frames in (False, True):
        made = told(({"serverContent": {"inputTranscription": {"text": one}}} for one in said), frames=frames)
        pieces = [one["serverContent"]["inputTranscription"]["text"] for one in made]
        assert pieces == ["It is xxx@xxxa", "aaa.", "org, thanks"]


@pytest.mark.parametrize(
    "text",
    [
        '{"a": "one", "a": "+49 151 23456789"}',
        '{"a": +49 151 23456789, "b": [}',
        '{"a": "one"} {"a": "+49 151 23456789"}',
        "[" * 200 + '"+49 151 23456789"' + "]" * 200,
        "call +49 151 23456789",
        '{"$": "base64", "at": [0, 0, 4], "a": "+49 151 23456789"}',
    ],
)
def test_a_frame_that_is_no_plain_message_is_one_text(text: str) -> None:
    session = Session()
    session.add(Kind.FRAME_IN, [text])
    (made,) = redacted([session.draft()])
    assert "".join(tree_of(made.entries[0])) == text.replace("+49 151 23456789", "+55 555 55550000")


def test_values_of_python_can_still_be_read() -> None:
    session = Session()
    zone = datetime.timezone(datetime.timedelta(hours=1), "Berlin")
    values = [datetime.datetime(2024, 12, 24, 19, tzinfo=zone), 1 << 80, uuid.UUID(int=5), 4111111111111111j]
    session.add(Kind.MARKER, {"text": "in Berlin", "data": {"values": values}})
    session.add(Kind.CLOCK, {"ns": 4111111111111111})
    (one,) = redacted([session.draft()], words=["Berlin", "19", "0"])
    decoded = Codec(STANDARD).decode(one.entries[0].payload, one.bytes_at)
    assert decoded.value == {"text": "in Xxaaaa", "data": {"values": values}}
    assert not decoded.notes
    assert one.entries[1] == session.draft().entries[1]._replace(digest=one.entries[1].digest)


def test_a_word_that_a_protocol_uses_leaves_the_protocol_alone() -> None:
    session = Session()
    data: dict[str, Any] = {"type": "response.done", "response": {"output": []}, "text": "a response"}
    session.add(Kind.RECEIVED, ev.RealtimeModelRawServerEvent(data))
    session.add(Kind.MARKER, {"text": "", "data": {"response": 1}})
    (one,) = redacted([session.draft()], words=["response"])
    assert tree_of(one.entries[0])["data"] == {**data, "text": "a xxxxaaaa"}
    assert tree_of(one.entries[1])["data"] == {"xxxxaaaa": 1}


def test_a_chain_keeps_its_links_and_its_stand_ins() -> None:
    drafts: list[Draft] = []
    for text in (f"{EMAILS[0]} {EMAILS[1]}", f"{EMAILS[1]} {EMAILS[0]}"):
        session = Session()
        session.add(Kind.SENT, se.RealtimeModelSendUserInput(text), "send_user_input")
        drafts.append(session.draft(previous=drafts[-1].header.id if drafts else "before"))
    one, two = redacted(drafts)
    assert one.header.previous_session is None
    assert two.header.previous_session == one.header.id
    assert one.header.id not in (drafts[0].header.id, two.header.id)
    first, second = (tree_of(draft.entries[0])["user_input"].split() for draft in (one, two))
    assert first == list(reversed(second))


def test_the_chain_of_a_copy_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """An hour's session has half a million digests."""
    digested: list[int] = []

    def counted(before: bytes, entry: Entry, get: Any) -> bytes:
        digested.append(entry.seq)
        return entry_digest(before, entry, get)

    one = draft(received("error", error={"message": "no"}), received("turn_started", response_id="r"))
    monkeypatch.setattr("realtape.session.drafts.entry_digest", counted)
    assert redacted([one])[0].header.host == ""
    assert digested == [0, 1]


def test_the_users_own_words_and_patterns() -> None:
    session = Session()
    for piece in ("Ada Love", "lace ordered AB-", "1234, said LOVELACE"):
        session.add(Kind.RECEIVED, ev.RealtimeModelTranscriptDeltaEvent("i", piece, "r"))
    draft = session.draft()
    (one,) = redacted([draft], extra={"order": r"AB-\d{4}"}, words=["Lovelace"], kinds=())
    text = "".join(tree_of(entry)["delta"] for entry in one.entries)
    assert text == "Ada Xxxxaaaa ordered XX-0000, said XXXXAAAA"
    assert Redaction.told_by(one.header.source) == Redaction({"order": 1, "word": 1}, "keep")
    with pytest.raises(UsageError):
        redacted([draft], kinds=["name"])
    with pytest.raises(UsageError):
        redacted([draft], audio="off")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("format", "fill"),
    [
        ("pcm16", 0),
        ("g711_ulaw", 0xFF),
        ("g711_alaw", 0xD5),
        ({"type": "audio/pcmu"}, 0xFF),
        ("audio/pcma", 0xD5),
    ],
)
def test_silence_is_that_of_the_codec_and_as_long(format: Any, fill: int) -> None:
    session = Session()
    settings = {"audio": {"input": {"format": "pcm16"}, "output": {"format": format}}}
    session.add(Kind.CONNECT, {"options": {"initial_model_settings": settings}})
    session.add(Kind.SENT, se.RealtimeModelSendAudio(b"\x11" * 50), "send_audio")
    for number in (1, 2, 2):
        data = bytes([number]) * 60
        session.add(Kind.RECEIVED, ev.RealtimeModelAudioEvent(data, "r", "i", 0))
    session.add(Kind.MARKER, {"text": "", "data": {"picture": b"\x89PNG\xff" * 9}})
    draft = session.draft()
    for audio, expected in (("silence", fill), ("drop", 0)):
        (one,) = redacted([draft], audio=audio)  # type: ignore[arg-type]
        same_structure(draft, one)
        data = [bytes_of(one, at) for at in range(1, 6)]
        assert data == [bytes(50), *[bytes([expected]) * 60] * 3, b"\x89PNG\xff" * 9]
        assert [bool(entry.flags & Flag.REDACTED) for entry in one.entries] == [False, *[True] * 4, False]
        assert redacted([one], audio=audio)[0].segments == one.segments  # type: ignore[arg-type]
    (kept,) = redacted([draft])
    assert [bytes_of(kept, at) for at in range(1, 6)] == [bytes_of(draft, at) for at in range(1, 6)]


def bytes_of(draft: Draft, seq: int) -> bytes:
    (reference,) = re.findall(r'"at":\[(\d+),(\d+),(\d+)\]', draft.entries[seq].payload)
    return draft.bytes_at(*map(int, reference))


def test_what_is_derived_of_it_says_that_it_was_redacted() -> None:
    session = Session()
    session.add(Kind.SENT, se.RealtimeModelSendUserInput(EMAILS[0]), "send_user_input")
    (one,) = redacted([session.draft()], audio="silence")
    cut = one.derived("trimmed", one.entries).derived("again", one.entries)
    assert Redaction.told_by(cut.header.source) == Redaction(
        {**dict.fromkeys(DEFAULT, 0), "email": 1}, "silence"
    )
    (twice,) = redacted([cut], kinds=["email"], words=["Ada"])
    counts = {**dict.fromkeys(DEFAULT, 0), "email": 1, "word": 0}
    assert Redaction.told_by(twice.header.source) == Redaction(counts, "silence")
    assert Redaction.told_by("recorder") is None


@settings(max_examples=20)
@given(st.data())
def test_many_values_have_as_many_stand_ins(data: st.DataObject) -> None:
    session = Session()
    local = data.draw(st.lists(st.text("abcx", min_size=1, max_size=3), unique=True, min_size=2, max_size=40))
    written = [f"{name}@ab.de" for name in local]
    session.add(Kind.SENT, se.RealtimeModelSendUserInput(" ".join(written)), "send_user_input")
    (one,) = redacted([session.draft()])
    found = tree_of(one.entries[0])["user_input"].split()
    assert len(set(found)) == len(written)
    assert not set(found) & set(written)


CREDENTIALS = ("sk-proj-Zk3vB8nQ1rT6wY4uP9sD2fG7hJ5kL0", "ghp_16C7e42F292c6912E7710c838347Ae178B4a")


def test_credentials_of_logs_that_hold_them_are_taken_out() -> None:
    """By their look across deltas, and by their place; in a tool's arguments not by a name."""
    session = Session()
    plain, other = CREDENTIALS
    for piece in (plain[:9], plain[9:20], plain[20:]):
        session.add(Kind.RECEIVED, ev.RealtimeModelTranscriptDeltaEvent("item_1", piece, "resp_1"))
    raw: dict[str, Any] = {
        "type": "session.updated",
        "session": {"tools": [{"authorization": "of-a-server-42"}], "token": 12},
    }
    raw["headers"] = {"X-Shop": "of-a-shop-4711", "Accept": "text/plain"}
    session.add(Kind.RECEIVED, ev.RealtimeModelRawServerEvent(raw))
    arguments = json.dumps({"password": "opens1door", "key": other})
    session.add(Kind.RECEIVED, ev.RealtimeModelToolCallEvent("look_up", "call_1", arguments))
    (one,) = redacted([session.draft({"note": f"of-a-server-42, {other}"})])
    for secret in (*CREDENTIALS, "of-a-server-42", "of-a-shop-4711"):
        assert secret_in(one, secret) is None
    assert secret_in(one, "opens1door")
    assert secret_in(one, "text/plain")
    redaction = Redaction.told_by(one.header.source)
    assert redaction is not None
    assert redaction.counts["credential"] == 4
    (again,) = redacted([one])
    assert [entry.payload for entry in again.entries] == [entry.payload for entry in one.entries]


def test_without_the_kind_they_stay() -> None:
    session = Session()
    session.add(Kind.SENT, se.RealtimeModelSendUserInput(CREDENTIALS[0]), "send_user_input")
    (one,) = redacted([session.draft()], kinds=["email"])
    assert secret_in(one, CREDENTIALS[0])


def test_an_account_has_one_stand_in_in_all_its_spellings_and_places_are_counted() -> None:
    spelled = ["DE89 3704 0044 0532 0130 00", "DE89370400440532013000", "de89-3704-0044-0532-0130-00"]
    taken = replaced([draft(*(received("output_text_delta", item_id=one[:5], delta=one) for one in spelled))])
    (after,) = taken.drafts
    texts = [facts_of(entry)["delta"] for entry in after.entries]
    assert texts == ["XX55 5555 5555 5555 5500 00", "XX55555555555555550000", "xx55-5555-5555-5555-5500-00"]
    assert (taken.values["iban"], taken.places["iban"]) == (1, 3)
    again = replaced([after])
    assert (again.values["iban"], again.places["iban"]) == (0, 0)
    assert any("words of your own" in one for one in taken.not_sought)
    assert not any("words of your own" in one for one in replaced([after], words=["Ada"]).not_sought)
