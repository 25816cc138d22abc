"""What looks like a credential is found, and what only looks a little like one is left alone."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from realtape.schema.codec import REDACTED, Secrets, SecretsInUse
from realtape.schema.codec.credentials import ALWAYS, SHAPES, find_credentials
from realtape.schema.codec.text_places import TextPlace

HONEST = [
    *("resp_CQ7d8f9Ab3kE1sT2uV4wX", "item_CZsk1234567890abcdefg", "call_1sk2345678901234567", "rtc_12345678"),
    *("event_AKIAIOSFODNN7EXAMPLE0", "sess_68af296e8e408191a1120ab6383263c2", "msg_eyJhbGciOiJIUzI1NiJ9"),
    *("01a202e1-9b22-7abc-8f9a-4f78ab22a78d", "CA0123456789abcdef0123456789abcdef"),
    *("+49 151 23456789", "+14155550132", "4111111111111111", "19:00, 24.12.2024", "2026-11-30T10:24:39Z"),
    *("total_tokens", "input_tokens: 1234567", "max_output_tokens=4096000", "cached_tokens_details"),
    *("gpt-4o-realtime-preview-2024-12-17", "wss://api.openai.com/v1/realtime?model=gpt-realtime-2025-08-28"),
    *(
        "The bearer of bad news came at 2",
        "Missing bearer or basic authentication in header",
        "basic economy 12",
    ),
    *("task-management-for-2024-everyone", "risk-0123456789ab", "disk_0123456789abcdef0123", "desk_ek_is_ok"),
    *(
        "password: please tell me",
        "Your password?",
        "the key: C major",
        "what is the token=thing",
        "a cookie: yes",
    ),
    *("https://example.org/a?b=c&page=1234567", "https://example.org:8080/x@y", "mailto:ada@example.org:25"),
    *(
        "at 12:30:45 we ask_about_123456789012345678",
        "ratio 3:AA",
        "SG. Anything 1",
        "SKU1234567890",
        "AKIA 2",
    ),
    base64.b64encode(bytes(range(256)) * 4).decode(),
    "".join(chr(33 + number % 90) for number in range(9)),
]


@pytest.mark.parametrize("text", HONEST)
def test_what_is_honest_stays(text: str) -> None:
    secrets = Secrets()
    secrets.add(["sk-of-the-house-1234567890"])
    assert secrets.scrub(text) == text
    assert secrets.scrub_tree({"delta": text, text: [text]}) == {"delta": text, text: [text]}
    assert not secrets.within({"type": "response.output_text.delta", "delta": text})


NAMED = [
    "api_key=abcdef12",
    'then {"password": "hunter22"} said',
    '{\\"x-api-key\\": \\"12345678abcd\\"}',
    "Authorization: Basic dXNlcjpwYXNz",
    "https://x.example/y?token=abcdef12&model=m",
    "client_secret: a-secret-without-a-digit",
]
ALONE = [
    "Bearer abc123def456",
    "bearer%20abcd1234",
    "postgres://user:hunter2@db/x",
    "line\\nsk-proj-0123456789abcdef",
    "x%3Dsk-proj-0123456789abcdef",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
]


@pytest.mark.parametrize("text", NAMED)
def test_what_a_name_stands_before_is_one_but_not_where_it_is_a_tools(text: str) -> None:
    assert [*find_credentials(text)]
    assert Secrets().scrub(text, TextPlace.TOOL) == text
    assert Secrets(strict=True).scrub(text, TextPlace.TOOL) != text


@pytest.mark.parametrize("text", ALONE)
def test_what_has_a_prefix_is_one_anywhere(text: str) -> None:
    scrubbed = Secrets().scrub(text, TextPlace.TOOL)
    assert REDACTED in scrubbed
    assert not any(part in scrubbed for part in ("1234", "hunter2", "abcdef", "MIIE"))


@given(st.sampled_from((*SHAPES, *ALWAYS)), st.data())
def test_every_shape_is_found_by_its_words(shape: Any, data: st.DataObject) -> None:
    text = data.draw(st.from_regex(rf"\A(?:{shape.pattern})\Z" if "(?<=" not in shape.pattern else r"\A\Z"))
    assert not text or any(word in text for word in shape.words)


@given(st.sampled_from((*SHAPES, *ALWAYS)), st.text(max_size=10), st.text(max_size=10))
def test_scrubbing_again_changes_nothing(shape: Any, before: str, after: str) -> None:
    text = f"{before} Bearer 1234567890abcdef {shape.words[0]} sk-0123456789abc password=hunter22 {after}"
    once = Secrets().scrub(text)
    assert Secrets().scrub(once) == once


# --- what is known ------------------------------------------------------------------------------------------


def in_base64(encode: Callable[[bytes], bytes]) -> Callable[[str, bytes], str]:
    return lambda secret, before: encode(before + secret.encode() + b"\n").decode()


ENCODINGS: dict[str, Callable[[str, bytes], str]] = {
    "plain": lambda secret, before: secret,
    "json": lambda secret, before: json.dumps(secret),
    "json twice": lambda secret, before: json.dumps(json.dumps({"a": secret}, ensure_ascii=False)),
    "url": lambda secret, before: quote(secret, safe=""),
    "form": lambda secret, before: quote_plus(secret),
    "base64": in_base64(base64.b64encode),
    "base64 for URLs": in_base64(base64.urlsafe_b64encode),
    "hex": lambda secret, before: (before + secret.encode()).hex(),
    "HEX": lambda secret, before: (before + secret.encode()).hex().upper(),
    "upper": lambda secret, before: secret.upper(),
    "lower": lambda secret, before: secret.lower(),
}


@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\n"), min_size=8, max_size=40),
    st.sampled_from([*ENCODINGS]),
    st.binary(max_size=4),
    st.text(max_size=5),
)
def test_a_known_secret_is_found_in_every_encoding(
    secret: str, name: str, before: bytes, around: str
) -> None:
    secrets = Secrets()
    secrets.add([secret])
    written = ENCODINGS[name](secret, before)
    text = f"{around}<{written}>{around}"
    assert secrets.within({"delta": text})
    scrubbed = secrets.scrub(text)
    assert REDACTED in scrubbed
    assert written not in scrubbed or written in REDACTED


def test_bytes_that_are_text_are_sought_through_as_text() -> None:
    secrets = Secrets()
    secrets.add(["sk-of-the-house"])
    for name, encode in ENCODINGS.items():
        data = f"<{encode('sk-of-the-house', b'')}>".encode()
        assert b"*****" in secrets.scrub_bytes(data), name
        assert len(secrets.scrub_bytes(data)) == len(data)
    wide = "sk-of-the-house".encode("utf-16-be")
    assert secrets.scrub_bytes(b"\xff\xfe" + wide) != b"\xff\xfe" + wide


def test_what_others_know_is_sought_as_long_as_they_are_among_us() -> None:
    in_use = SecretsInUse()
    one, other = Secrets(among=in_use), Secrets(among=in_use)
    other.add(["the-key-of-the-other"])
    one.add(["the-key-of-the-one"])
    text = "the-key-of-the-one, the-key-of-the-other"
    assert one.scrub(text) == other.scrub(text) == f"{REDACTED}, {REDACTED}"
    other.leave()
    assert one.scrub(text) == f"{REDACTED}, the-key-of-the-other"
    assert other.scrub(text) == f"{REDACTED}, {REDACTED}"
    one.add(["the-second-key"])
    del one  # nobody holds it any longer
    assert other.scrub(text) == f"the-key-of-the-one, {REDACTED}"
