"""Credentials planted everywhere, in every encoding, through the SDK's own classes: none reaches the
disk, the logs, a fixture, an export or what a command says, also where it came in two pieces."""

from __future__ import annotations

import asyncio
import base64
import gzip
import io
import json
import logging
import re
import shutil
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from agents.realtime import (
    RealtimeModelErrorEvent,
    RealtimeModelExceptionEvent,
    RealtimeModelSendRawMessage,
    RealtimeModelSendSessionUpdate,
    RealtimeModelSendToolOutput,
    RealtimeModelSendUserInput,
    RealtimeModelToolCallEvent,
    RealtimeModelTranscriptDeltaEvent,
)
from agents.realtime.model_events import RealtimeModelRawServerEvent
from realtape.cli import main
from realtape.integrations.openai_agents import Recorder
from support.releases import HAS_END_OF_STREAM
from support.sdk_model import FakeRealtimeModel, Listener, rows

KEY = "sk-known-4fT9/+qZ8w=xB7"
"""Of the connection: with signs that every encoding writes in another way."""

SHAPES = {
    "openai": "sk-proj-Zk3vB8nQ1rT6wY4uP9sD2fG7hJ5kL0",
    "ephemeral": "ek_68af296e8e408191a1120ab6383263c2",
    "anthropic": "sk-ant-api03-Qw8eRt5yUi2oPa9sDf6gHj3kLz",
    "groq": "gsk_Qw8eRt5yUi2oPa9sDf6gHj3kLzXc1vBn",
    "xai": "xai-Qw8eRt5yUi2oPa9sDf6gHj3kLzXc1vBnMq",
    "hugging face": "hf_QwErTyUiOpAsDfGhJkLzXcVbNm1234567890",
    "aws": "AKIAIOSFODNN7EXAMPLE",
    "google": "AIzaSyDaGmWKa4JsXZ-HjGw7ISLn_3namBGewQe",
    "google oauth": "ya29.a0AfB_byC1234567890abcdefghijk",
    "github": "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "github fine": "github_pat_11ABCDEFG0abcdefghijkl_mnopqrstuvwxyz12",
    "gitlab": "glpat-x7Kd93mQpZ4vL1sT8wYb",
    "slack": "-".join(("xoxb", "17653672481", "19874698323", "pdFZKVeTuE8sk7oOcHrzqygy")),
    "stripe": "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc",
    "sendgrid": "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",
    "twilio": "SK" + "0123456789abcdef" * 2,
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P",
    "telegram": "123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw9",
    "bearer": "Bearer 7f3c9e1d-opaque.token",
}
"""By their look: no one told the recorder of them."""

PLACED = {
    "authorization": "mcp-authorization-of-a-server",
    "api_key": "apikeywithoutanyshape",
    "x-api-key": "x-api-key-value-of-mine",
    "client_secret": "client-secret-of-an-app",
    "access_token": "access-token-of-a-user",
    "refreshToken": "refresh-token-of-a-user",
    "password": "hunter2",
    "OPENAI_API_KEY": "key-out-of-an-environment-dump",
}
"""By the name that stands before them."""

ENVIRONMENT = {
    "ANTHROPIC_API_KEY": "anthropic-key-in-the-environment",
    "DEEPGRAM_API_KEY": "0f1e2d3c4b5a69788796a5b4c3d2e1f0a1b2c3d4",
    "LIVEKIT_API_SECRET": "livekitSecretOfTheHouse42",
    "TWILIO_AUTH_TOKEN": "9c8b7a6f5e4d3c2b1a0f9e8d7c6b5a49",
}

ONLY_CONNECT = {
    "callable": "returned-by-a-callable-77",
    "header": "tuple-header-value-of-ours",
    "url path": "p4thT0kenOfTheGateway99",
    "url query": "unknown-query-value-55",
    "subprotocol": "protocol-key-in-a-browser-66",
    "mcp header": "mcp-header-value-of-a-tool",
}


GATEWAY = "wss://x.example/v1"


def encodings(secret: str) -> dict[str, str]:
    """A secret as others write it."""
    data = secret.encode()
    return {
        "plain": secret,
        "json": json.dumps(secret)[1:-1],
        "json with slashes": secret.replace("/", "\\/"),
        "json twice": json.dumps(json.dumps(secret)[1:-1])[1:-1],
        "url": quote(secret, safe=""),
        "url lower": quote(secret, safe="").replace("%2F", "%2f").replace("%3D", "%3d").replace("%2B", "%2b"),
        "hex": data.hex(),
        "HEX": data.hex().upper(),
        "UPPER": secret.upper(),
        "lower": secret.lower(),
        **{
            f"base64 after {before}": base64.b64encode(b"user:"[:before] + data + b"!").decode()
            for before in (0, 1, 2)
        },
        "base64 for URLs": base64.urlsafe_b64encode(b"?" + data).decode(),
    }


def cores(secret: str) -> set[str]:
    """What of every encoding must be nowhere: of base64 what no other bits are in."""
    found = {text for name, text in encodings(secret).items() if not name.startswith("base64")}
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + secret.encode()).decode()
        core = encoded[-(-before * 8 // 6) : (before + len(secret.encode())) * 8 // 6]
        found |= {core, core.replace("+", "-").replace("/", "_")}
    return found


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def planted() -> list[str]:
    """All that must be nowhere."""
    known = [KEY, *ENVIRONMENT.values(), *ONLY_CONNECT.values()]
    return [*(core for secret in known for core in cores(secret)), *SHAPES.values(), *PLACED.values()]


def in_pieces() -> list[str]:
    """What comes cut in two: all that is known."""
    return [text for secret in (KEY, *ENVIRONMENT.values()) for text in encodings(secret).values()]


async def record(store: Path) -> list[Any]:
    """A session in which everything is planted; what the model was sent."""
    inner = FakeRealtimeModel()

    async def fail(event: Any) -> None:
        if event.type == "error":
            raise RuntimeError(f"listener: {SHAPES['openai']} {KEY}")

    async def token() -> str:
        return ONLY_CONNECT["callable"]

    async with Recorder(store) as recorder:
        model = recorder.wrap(
            inner, labels={"note": SHAPES["github"], "api_key": PLACED["api_key"], KEY: "x"}
        )
        model.add_listener(Listener(fail))
        mcp = {
            "type": "mcp",
            "server_label": "shop",
            "server_url": "https://shop.example/mcp",
            "authorization": PLACED["authorization"],
            "headers": {"X-Shop": ONLY_CONNECT["mcp header"], "Accept": "text/plain"},
        }
        options: Any = {
            "api_key": token,
            "headers": (("X-Gateway", ONLY_CONNECT["header"]), ("api-key", KEY)),
            "url": f"{GATEWAY}/{ONLY_CONNECT['url path']}/realtime?model=m&who={ONLY_CONNECT['url query']}",
            "subprotocols": ["realtime", f"openai-insecure-api-key.{ONLY_CONNECT['subprotocol']}"],
            "initial_model_settings": {"tools": [mcp], "instructions": f"never say {KEY}"},
        }
        await model.connect(options)
        await options["api_key"]()
        await model._realtape_tap.inner.options[0]["api_key"]()  # pyright: ignore[reportPrivateUsage]
        session = {
            "id": "sess_1",
            "tools": [mcp],
            "client_secret": {"value": SHAPES["ephemeral"], "expires_at": 9},
        }
        await inner.emit(RealtimeModelRawServerEvent(data={"type": "session.created", "session": session}))
        for name, secret in PLACED.items():
            data = {
                "type": "x",
                "session": {name: secret},
                "list": [[name, secret]],
                "lines": f"{name}={secret}",
            }
            data.pop("lines") if name in ("password",) else None
            await inner.emit(RealtimeModelRawServerEvent(data=data))
            recorder.mark("placed", **{name.replace("-", "_"): secret})
        for secret in SHAPES.values():
            await inner.emit(
                RealtimeModelTranscriptDeltaEvent(
                    item_id="item_1", delta=f"it is {secret}, so", response_id="r"
                ),
                RealtimeModelErrorEvent(error={"message": f"Incorrect API key provided: {secret}."}),
                RealtimeModelExceptionEvent(exception=ConnectionError(f"<{secret}>"), context=secret),
                RealtimeModelToolCallEvent(name="t", call_id="call_1", arguments=json.dumps({"key": secret})),
            )
            call = RealtimeModelToolCallEvent(name="t", call_id="call_1", arguments="{}")
            await model.send_event(
                RealtimeModelSendToolOutput(tool_call=call, output=f"got {secret}", start_response=False)
            )
            recorder.mark(f"note {secret}", secret=[secret])
        for secret in (KEY, *ENVIRONMENT.values(), *ONLY_CONNECT.values()):
            for text in encodings(secret).values():
                await inner.emit(
                    RealtimeModelTranscriptDeltaEvent(item_id="item_2", delta=f"({text})", response_id="r")
                )
                message: Any = {"type": "x", "other_data": {"k": text, text: [json.dumps({"deep": text})]}}
                await model.send_event(RealtimeModelSendRawMessage(message=message))
            await model.send_event(RealtimeModelSendUserInput(user_input=f"harmless-word {secret}"))
        for number, secret in enumerate(in_pieces()):
            for piece in (f"cut ({secret[: len(secret) // 2]}", f"{secret[len(secret) // 2 :]}) here"):
                await inner.emit(
                    RealtimeModelTranscriptDeltaEvent(item_id=f"cut_{number}", delta=piece, response_id="r")
                )
        settings: Any = {"tools": [mcp], "instructions": SHAPES["jwt"]}
        await model.send_event(RealtimeModelSendSessionUpdate(session_settings=settings))
        await recorder.flush()
        copy = store.parent / "while open"
        copy.mkdir()
        for path in store.parent.glob(f"{store.name}*"):
            shutil.copy(path, copy)
    return inner.sent


COMMANDS = (
    ("ls", "--json"),
    ("show",),
    ("show", "--json"),
    ("show", "--lanes"),
    ("show", "--grep", "harmless"),
    ("stats",),
    ("stats", "--json"),
    ("verify",),
    ("replay", "--expect", "all", "--app", "planted_app:main"),
    ("replay", "--json", "--expect", "all", "--app", "planted_app:main"),
    ("check", "--verbose", "--app", "planted_app:main"),
    ("diff",),
)
EXPORTS = {
    "fixture": (),
    "fixture.zip": (),
    "whole.zip": ("--no-redact",),
    "test_it.py": ("--pytest", "--app", "planted_app:main"),
    **({"scripted.py": ("--scripted",)} if HAS_END_OF_STREAM else {}),
    "spans.json": ("--otlp",),
    "openinference.json": ("--otlp", "--profile", "openinference"),
    **({"trace": ("--perfetto",), "lanes.mcap": ("--mcap",)} if find_spec("mcap") else {}),  # an extra
    "page.html": ("--html",),
    "whole.html": ("--no-redact", "--html"),
}
APP = """
async def main(model):
    await model.connect({})
    raise ValueError("refused")
"""


def unpacked(name: str, content: bytes) -> dict[str, bytes]:
    """What a file is made of, where it is packed."""
    if name.endswith(".zip"):
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            return {f"{name}/{one}": packed.read(one) for one in packed.namelist()}
    if name.endswith(".html"):
        blocks = re.findall(rb">\s*(H4sI[A-Za-z0-9+/=]+)\s*<", content)
        assert len(blocks) > 1, "the page holds its data in another way"
        return {
            name: content,
            **{f"{name}/{at}": gzip.decompress(base64.b64decode(block)) for at, block in enumerate(blocks)},
        }
    return {name: content}


def test_of_all_that_is_planted_nothing_is_found(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.DEBUG)
    for name, secret in ENVIRONMENT.items():
        monkeypatch.setenv(name, secret)
    store = tmp_path / "log.db"
    sent = asyncio.run(record(store))
    caplog.set_level(logging.INFO)

    assert len(planted()) > 100
    found = files_of(tmp_path)
    assert any(b"harmless-word" in content for name, content in found.items() if name.endswith("-wal"))
    found["log lines"] = caplog.text.encode()
    kept = rows(store)
    spoken: dict[str, str] = {}
    for row in kept:
        if row.type == "transcript_delta":
            spoken[row.payload["item_id"]] = spoken.get(row.payload["item_id"], "") + row.payload["delta"]
    pieces = [spoken[f"cut_{number}"] for number in range(len(in_pieces()))]
    assert all(text.startswith("cut (") and text.endswith(") here") for text in pieces)
    found["joined"] = "\n".join(spoken.values()).encode()

    for name in ENVIRONMENT:  # a command that knows them takes them out of what it says
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    Path("planted_app.py").write_text(APP)
    for command, *options in COMMANDS:
        more = [str(store)] if command == "diff" else []
        assert main([command, str(store), *more, *options]) in (0, 1, 3), (command, capsys.readouterr().err)
        told = capsys.readouterr()
        assert told.out, (command, told.err)
        found[" ".join((command, *options))] = (told.out + told.err).encode()
    for name, options in EXPORTS.items():
        assert main(["export", str(store), *options, name]) == 0, (name, capsys.readouterr().err)
        found |= (
            {f"export {part}": data for part, data in unpacked(name, Path(name).read_bytes()).items()}
            if Path(name).is_file()
            else {}
        )
    found |= files_of(tmp_path)
    for secret in planted():
        for name, content in found.items():
            assert secret.encode() not in content, (secret, name)
    assert f"harmless-word {KEY}" in [getattr(event, "user_input", None) for event in sent]
    assert {"tools", "instructions"} == set(kept[0].payload["options"]["initial_model_settings"])
    assert kept[0].payload["options"]["headers"] == ["X-Gateway", "api-key"]
    (mcp,) = kept[0].payload["options"]["initial_model_settings"]["tools"]
    assert mcp["authorization"] == "[redacted]"
    assert mcp["headers"] == {"X-Shop": "[redacted]", "Accept": "text/plain"}
