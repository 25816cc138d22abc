"""What looks like a credential is found, and what only looks a little like one is left alone."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from realtape.schema.codec import REDACTED, Secrets, SecretsInUse, secrets_of_environment
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
    '{"client_secret": {"value": "abcdef12", "expires_at": 1}}',
    '{\\"api_keys\\":\\"abcdef12\\"}',
    "export VENDOR_TOKEN=abcdef12",
    "DB_SECRET: abcdef12",
    "call --api-key abcdef12 now",
    "token: abcdef12abcdef12abcdef12",
    "Cookie: theme=dark12; sid=abcdef12; other=x",
    "https://x.example/?to=https%3A%2F%2Fy.example%2F%3Ftoken%3Dabcdef12",
]
ALONE = [
    "Bearer abc123def456",
    "bearer%20abcd1234",
    "postgres://user:hunter2@db/x",
    "https://abcdef1234567890abcd@example.org/x.git",
    "AKIAABCDEFGHIJKLMNOP",
    "line\\nsk-proj-0123456789abcdef",
    "said \\u201csk-proj-0123456789abcdef\\u201d",
    "b'\\xe9sk-proj-0123456789abcdef'",
    "\x1b[31msk-proj-0123456789abcdef\x1b[0m",
    "\x1b[1;32mghp_0123456789abcdefghij",
    "https%3A%2F%2Fuser%3Ahunter2%40db%2Fx",
    "-----BEGIN%20PRIVATE%20KEY-----%0AMIIE%0A-----END%20PRIVATE%20KEY-----",
    "12345678%3AAAabcdefghijklmnopqrstuvwxyz0123456789",
    "AccountKey%3D0123456789abcdef0123456789abcdef%3D%3D",
    "https%3A%2F%2Fhooks.example%2Fservices%2FT000%2FB000%2F0123456789abcdef",
    "x%3Dsk-proj-0123456789abcdef",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
]


@pytest.mark.parametrize("text", NAMED)
def test_what_a_name_stands_before_is_one_but_not_where_it_is_a_tools(text: str) -> None:
    assert [*find_credentials(text)]
    assert Secrets().scrub(text, TextPlace.TOOL) == text
    assert Secrets(strict=True).scrub(text, TextPlace.TOOL) != text


def test_of_several_cookies_no_value_is_left() -> None:
    scrubbed = Secrets().scrub("Cookie: sid=abcdef12; other=0123456789abcdef; last=fedcba98")
    assert not any(value in scrubbed for value in ("abcdef12", "0123456789", "fedcba98"))


@pytest.mark.parametrize(
    "facts",
    [
        *(
            {name: "S3CRET-0123456789"}
            for name in (
                "OpenAIApiKey",
                "telegramBotToken",
                "ephemeral_key",
                "ephemeralToken",
                "auth",
                "pass",
                "signature",
            )
        ),
        *({name: "S3CRET-0123456789"} for name in ("secret_value", "api_keys", "secrets")),
        {"headers": [{"name": "X-Thing", "value": "S3CRET"}]},
        {"sip_headers": [{"name": "X-Thing", "value": "S3CRET"}, {"name": "Accept", "value": "a"}]},
        {"headers": "Accept: a\r\nX-Thing: S3CRET\r\n"},
        {"httpHeaders": {"X-Thing": "S3CRET"}},
        {"api_keys": ["S3CRET"]},
        {"credentials": {"username": "u", "key": "S3CRET-0123456789"}},
        {"authorization": {"type": "bearer", "token": "S3CRET-0123456789"}},
        {"server_url": "https://mcp.example.com/S3CRET0123456789abcdef/sse"},
        {"serverUrl": "https://mcp.example.com/sse?room=S3CRET"},
        {"webhook_url": "https://example.com/hooks#S3CRET"},
    ],
)
def test_what_stands_in_its_place_is_one(facts: dict[str, Any]) -> None:
    secrets = Secrets()
    for tree in ({"data": [facts]}, [["of", facts]]):
        assert secrets.within(tree)
        scrubbed = secrets.scrub_tree(tree)
        assert "S3CRET" not in json.dumps(scrubbed)
        assert scrubbed != tree
        assert json.dumps(scrubbed).count(REDACTED) == 1
    assert secrets.scrub_tree({"arguments": facts}) == {"arguments": facts}  # a tool's: it may mean anything


@pytest.mark.parametrize(
    "facts",
    [
        *({name: "required"} for name in ("auth", "pass", "signature", "token")),
        {"server_url": "https://mcp.example.com/v1/sse?model=m"},
        {"headers": "Accept: text/event-stream\nno header"},
        {"headers": [{"name": "Accept", "value": "text/event-stream"}, {"value": 1}]},
        {"authorization": {"type": "bearer", "scheme": "realm"}},
        {"token": "word", "logprob": -0.1},
    ],
)
def test_what_only_stands_there_stays(facts: dict[str, Any]) -> None:
    assert Secrets().scrub_tree({"data": facts}) == {"data": facts}


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
    "url twice": lambda secret, before: quote(quote(secret, safe=""), safe=""),
    "json in a url": lambda secret, before: quote(json.dumps(secret), safe=""),
    "html": lambda secret, before: html.escape(secret),
    "repr of bytes": lambda secret, before: repr(secret.encode())[2:-1],
    "json in base64": lambda secret, before: in_base64(base64.b64encode)(json.dumps(secret), before),
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
    foreign = "Zoë: SK-OF-THE-HOUSE".encode()
    assert secrets.scrub_bytes(foreign) == "Zoë: ".encode() + b"*" * 15


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


def test_all_who_are_among_us_know_the_same_which_is_made_once() -> None:
    in_use = SecretsInUse()
    each = [Secrets(among=in_use) for _ in range(40)]
    for number, one in enumerate(each):
        one.add([f"key-of-caller-{number:02}"])
    assert len({id(one.known) for one in each}) == 1
    assert {one.scrub("it is key-of-caller-07") for one in each} == {f"it is {REDACTED}"}
    each[7].leave()
    assert {one.scrub("it is key-of-caller-07") for one in each} == {
        f"it is {REDACTED}",
        "it is key-of-caller-07",
    }


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("AZURE_OPENAI_KEY", "0123456789abcdef0123", ["0123456789abcdef0123"]),
        ("SORT_KEY", "created_at_descending", []),
        ("REDIS_PASS", "hunter22-hunter", ["hunter22-hunter"]),
        ("PWD", "/home/me-0123456789", []),
        ("DATABASE_URL", "postgres://svc:hunter22x@db/x", ["hunter22x"]),
        ("DATABASE_URL", "postgres://postgres:postgres@localhost/x", []),
        ("SENTRY_DSN", "https://0123456789abcdef@o1.example/1", ["0123456789abcdef"]),
        ("https_proxy", "http://ada:lovelace@proxy:1", ["ada", "lovelace"]),
        ("NOTE", "mail ada@example.org, see https://example.org", []),
    ],
)
def test_what_the_environment_holds(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, found: list[str]
) -> None:
    monkeypatch.setattr("os.environ", {name: value})
    assert {*secrets_of_environment()} - {""} == set(found)
