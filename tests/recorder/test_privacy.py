"""No secret reaches the file, what lies beside it while it is written, or the log lines."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from realtape.recorder import Recorder
from realtape.schema import (
    RealtimeModelErrorEvent,
    RealtimeModelRawServerEvent,
    RealtimeModelTranscriptDeltaEvent,
    RealtimeModelUsageEvent,
)
from realtape.schema.entries import Flag, Kind
from support.models import EchoModel, Ignoring
from support.stored import begin, intact, mark, only, read

SECRETS = ["sk-proj-0123456789abcdef", 'quoted"secret\\é', "bearer-of-a-header", "token-in-a-url"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


def assert_absent(folder: Path, secrets: list[str] = SECRETS) -> None:
    """From every file, however it might be spelled."""
    for file in folder.iterdir():
        data = file.read_bytes()
        for secret in secrets:
            for spelling in (
                secret.encode(),
                secret.encode("utf-16-le"),
                secret.replace("\\", "\\\\").replace('"', '\\"').encode(),
                base64.b64encode(secret.encode()).rstrip(b"=")[:-1],
            ):
                assert spelling not in data, f"{spelling!r} in {file.name}"


class Telltale:
    """A class that nobody registered."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def everywhere(secret: str) -> list[tuple[Kind, Any]]:
    """Values that carry a secret, each in another place."""
    return [
        (Kind.RECEIVED, RealtimeModelRawServerEvent(data={"type": "x", "deep": [{"a": secret}]})),
        (Kind.RECEIVED, RealtimeModelRawServerEvent(data={"type": "x", secret: "a key of a dictionary"})),
        (
            Kind.RECEIVED,
            RealtimeModelTranscriptDeltaEvent(item_id="i", delta=f"it is {secret}!", response_id="r"),
        ),
        (Kind.RECEIVED, RealtimeModelErrorEvent(error=ValueError(f"bad key {secret}"))),
        (Kind.MARKER, {"bytes": b"audio " * 5 + secret.encode() + b" audio" * 5}),
        (Kind.MARKER, {"base64": {"delta": base64.b64encode(secret.encode() * 3).decode()}}),
        (Kind.MARKER, {"described": Telltale(secret)}),
        (Kind.MARKER, secret),
    ]


@pytest.mark.parametrize("secret", SECRETS)
async def test_secrets_are_scrubbed_wherever_they_stand(path: Path, secret: str):
    async with Recorder(path) as recorder:
        log = recorder.begin({"label": secret, secret: "label"})
        recorder.secrets.add([secret])
        log.playback = lambda: (f"item of {secret}", 0, 1.0, False)
        for kind, value in everywhere(secret):
            log.append(kind, value)
        await recorder.flush()
        assert len(list(path.parent.iterdir())) == 4  # the store, -wal, -shm and -live
        assert_absent(path.parent)
    assert_absent(path.parent)
    stored = await only(path)
    assert stored.record.header.labels == {"label": "[redacted]", "[redacted]": "label"}
    redacted = [bool(entry.flags & Flag.REDACTED) for entry in stored.entries]
    assert redacted == [True, True, True, True, True, True, False, True]


async def test_secrets_of_the_connection_are_scrubbed(path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENAI_API_KEY", SECRETS[1])

    class Talkative(EchoModel):
        async def connect(self, options: Any) -> None:
            await super().connect(options)
            raise ConnectionError(f"refused {options}")

    async with Recorder(path) as recorder:
        model = recorder.wrap(Talkative(), labels={"key": SECRETS[0]})
        model.add_listener(Ignoring())
        with pytest.raises(ConnectionError):
            await model.connect(
                {
                    "api_key": SECRETS[0],
                    "headers": {"Authorization": f"Bearer {SECRETS[2]}"},
                    "url": f"wss://user:{SECRETS[1]}@host/path?model=m&token={SECRETS[3]}",
                }
            )
        await model.send_event(RealtimeModelUsageEvent(usage=None))  # pyright: ignore[reportArgumentType]
        recorder.mark("from the environment", key=SECRETS[1])
        await recorder.flush()
        assert_absent(path.parent)
    assert_absent(path.parent)
    assert await intact(path)


async def test_what_an_mcp_server_is_opened_with_is_sought_in_all_that_follows(path: Path):
    tool = {
        **{"type": "mcp", "server_label": "kiosk", "authorization": "the-authorization-of-the-tool"},
        **{
            "server_url": "https://mcp.example.com/0123456789abcdefghij/sse",
            "headers": {"X-Own": "header-of-mine"},
        },
    }
    async with Recorder(path) as recorder:
        model = recorder.wrap(EchoModel())
        await model.connect({"initial_model_settings": {"tools": [tool]}})  # pyright: ignore[reportArgumentType]
        recorder.mark("the-authorization-of-the-tool, 0123456789abcdefghij, header-of-mine")
        await model.close()
    assert_absent(path.parent, ["the-authorization-of-the-tool", "0123456789abcdefghij", "header-of-mine"])


async def test_in_the_type_of_a_message_there_is_none(path: Path):
    async with Recorder(path) as recorder:
        recorder.secrets.add([SECRETS[0]])
        begin(recorder).append(Kind.FRAME_IN, {"type": "x"}, type=f"x.{SECRETS[0]}")
    assert [entry.type for entry in (await only(path)).entries] == ["x.[redacted]"]


def test_the_password_of_the_store_is_one_that_the_recorder_was_given():
    recorder = Recorder("postgresql://me:hush-hush@127.0.0.1:1/logs?sslpassword=hush-again")
    assert {*recorder.secrets.own} == {"hush-hush", "hush-again"}
    assert "hush" not in str(recorder.status())


async def test_redactors_run_before_anything_is_kept(path: Path):
    def redactor(text: str) -> str:
        return text.replace("Jane Doe", "[name]")

    async with Recorder(path, redactors=[redactor]) as recorder:
        log = begin(recorder)
        log.append(Kind.MARKER, {"Jane Doe": ["Jane Doe"]})
        await recorder.flush()
        assert_absent(path.parent, ["Jane Doe"])
    assert (await only(path)).payloads() == [{"[name]": ["[name]"]}]


@pytest.mark.parametrize("trouble", ["a failing redactor", "a refusing database", "no database"])
async def test_log_lines_quote_nothing(path: Path, caplog: pytest.LogCaptureFixture, trouble: str):
    caplog.set_level(logging.DEBUG, "realtape.recorder")
    private = "what the user said"

    def redactor(text: str) -> str:
        if text == private:
            raise ValueError(text)
        return text

    if trouble == "no database":
        path.write_text(private * 100)
    recorder = Recorder(path, redactors=[redactor] if "redactor" in trouble else [])
    log = begin(recorder)
    mark(log, 0)
    if trouble == "a refusing database":
        log.append(Kind.MARKER, private, type=private, method="\ud800" + private)
    log.append(Kind.MARKER, private)
    raised = await asyncio.gather(recorder.close(), return_exceptions=True)
    assert private not in str(raised)
    for record in caplog.records:
        assert private not in record.getMessage()
        assert record.exc_info is None
    if trouble == "a failing redactor":
        assert_absent(path.parent, [private])
        assert (await only(path)).payloads()[1] == {
            "unrecordable": {"name": "builtins.str", "error": "ValueError"}
        }


async def test_a_key_for_every_call_is_sought_in_that_call_and_the_next_one_of_its_model(path: Path):
    """A process that takes calls for weeks does not seek the keys of all of them in every event. Where the
    next call begins before this one is written, its key is sought, too."""
    async with Recorder(path) as recorder:
        recorder.secrets.add(["sk-of-the-house"])
        model, other = recorder.wrap(EchoModel()), recorder.wrap(EchoModel())
        for call in range(4):
            await model.connect({"api_key": f"sk-of-call-{call}"})
            recorder.mark(" ".join(["sk-of-the-house", *(f"sk-of-call-{number}" for number in range(4))]))
            await model.close()
            await recorder.flush()  # writes its end
            await recorder.flush()  # whatever others said until then is written, too
        await other.connect({})
        recorder.mark("sk-of-call-3")
        await other.close()
    marked = [one["text"] for stored in await read(path) for one in stored.payloads()]
    assert marked[:4] == [
        "[redacted] [redacted] sk-of-call-1 sk-of-call-2 sk-of-call-3",
        "[redacted] [redacted] [redacted] sk-of-call-2 sk-of-call-3",
        "[redacted] sk-of-call-0 [redacted] [redacted] sk-of-call-3",
        "[redacted] sk-of-call-0 sk-of-call-1 [redacted] [redacted]",
    ]
    assert set(marked[4:]) == {"sk-of-call-3"}  # nobody of that call's was there to be quoted


async def test_the_key_of_a_connection_that_failed_is_sought_in_the_one_that_goes_on(path: Path):
    class Connected(EchoModel):
        async def connect(self, options: Any) -> None:
            if options.get("api_key") == "sk-too-many":
                raise AssertionError("connected already")
            await super().connect(options)

    async with Recorder(path) as recorder:
        model = recorder.wrap(Connected())
        await model.connect({"api_key": "sk-the-first"})
        with pytest.raises(AssertionError):
            await model.connect({"api_key": "sk-too-many"})
        recorder.mark("sk-the-first, sk-too-many")
    assert [one["text"] for stored in await read(path) for one in stored.payloads()] == [
        "[redacted], [redacted]"
    ]


class Several(Mapping[str, str]):
    """Headers as libraries have them: several of one name."""

    def __init__(self, *pairs: tuple[str, str]) -> None:
        self._pairs = pairs

    def raw_items(self) -> Iterator[tuple[str, str]]:
        return iter(self._pairs)

    def __getitem__(self, name: str) -> str:
        raise LookupError("several values")

    def __iter__(self) -> Iterator[str]:
        return iter(dict(self._pairs))

    def __len__(self) -> int:
        return 1


@pytest.mark.parametrize(
    "options",
    [
        {"headers": Several(("X-Room", "a"), ("X-Room", "T3LL-NOBODY-0123456789"))},
        {"headers": {"X-Room": ["a", "T3LL-NOBODY-0123456789"]}},
        {"headers": {("X-Room", "T3LL-NOBODY-0123456789")}},
        {"headers": {"X-Room": "T3LL-NOBODY-0123456789"}.items()},
        {"headers": "X-Other: 1\r\nX-Room: T3LL-NOBODY-0123456789\r\n"},
        {"headers": [{"name": "X-Room", "value": "T3LL-NOBODY-0123456789"}]},
        {"headers": [(b"X-Room", b"T3LL-NOBODY-0123456789")]},
        {"api_key": b"T3LL-NOBODY-0123456789"},
        {"url": b"wss://example.org/?room=T3LL-NOBODY-0123456789"},
        {"token": "T3LL-NOBODY-0123456789"},
        {"transport": {"extra_headers": {"X-Room": "T3LL-NOBODY-0123456789"}}},
    ],
)
async def test_however_a_connection_is_told_of_it(path: Path, options: dict[str, Any]):
    """And it is sought in all that follows, whatever is not recorded of the options themselves."""
    secret = "T3LL-NOBODY-0123456789"
    async with Recorder(path) as recorder:
        model = recorder.wrap(EchoModel())
        await model.connect(options)
        recorder.mark(
            f"it is {secret}", lower=secret.lower(), encoded=base64.b64encode(secret.encode()).decode()
        )
        await model.close()
    assert_absent(path.parent, [secret, secret.lower()])
    stored = await only(path)
    assert [entry.kind for entry in stored.entries] == ["connect", "connected", "marker", "close", "closed"]
