"""No credential reaches the disk or the logs, wherever it was planted and whatever carries it."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from agents.realtime import (
    RealtimeModelErrorEvent,
    RealtimeModelExceptionEvent,
    RealtimeModelSendAudio,
    RealtimeModelSendRawMessage,
    RealtimeModelSendUserInput,
    RealtimePlaybackTracker,
)
from agents.realtime.model_events import RealtimeModelRawServerEvent
from realtape.integrations.openai_agents import Recorder
from support.sdk_model import FakeRealtimeModel, Listener, find, one, rows

SECRET = "sk-hush-1f0c9a77e2"
AWKWARD = 'key/with "quotes"+é\\&='


class Planted:
    """A way in which a model gets its credentials: options, or the environment."""

    def __init__(self, options: Callable[[str], dict[str, Any]], environment: str | None = None) -> None:
        self.options = options
        self.environment = environment


def quoted(secret: str) -> str:
    from urllib.parse import quote

    return quote(secret, safe="")


def asynchronous(secret: str) -> Callable[[], Any]:
    async def key() -> str:
        return secret

    return key


PLANTED = {
    "api_key": Planted(lambda secret: {"api_key": secret}),
    "callable": Planted(lambda secret: {"api_key": lambda: secret}),
    "async callable": Planted(lambda secret: {"api_key": asynchronous(secret)}),
    "header": Planted(lambda secret: {"headers": {"Authorization": f"Bearer {secret}"}}),
    "whole header": Planted(lambda secret: {"headers": {"api-key": secret}}),
    "URL token": Planted(lambda secret: {"url": f"wss://x.example/v1?model=m&token={quoted(secret)}"}),
    "URL password": Planted(lambda secret: {"url": f"wss://me:{quoted(secret)}@x.example/v1?model=m"}),
    "call id": Planted(lambda secret: {"call_id": secret}),
    "OPENAI_API_KEY": Planted(lambda secret: {}, environment="OPENAI_API_KEY"),
}


class AskingModel(FakeRealtimeModel):
    """Resolves the key as the SDK's model does."""

    async def connect(self, options: Any) -> None:
        await super().connect(options)
        key = options.get("api_key")
        if callable(key):
            result: Any = key()
            self.key: Any = result if isinstance(result, str) else await result


def files_of(store: Path) -> dict[str, bytes]:
    """The database and its -wal, as they are on the disk now: copied, for SQLite to let go of nothing."""
    copies: dict[str, bytes] = {}
    for path in store.parent.glob(f"{store.name}*"):
        copy = shutil.copy(path, store.parent / f"copy-{path.name}")
        copies[path.name] = Path(copy).read_bytes()
    return copies


def assert_absent(secret: str, where: dict[str, bytes]) -> None:
    for form in {
        secret,
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        quoted(secret),
    }:
        for name, content in where.items():
            assert form.encode() not in content, name


@pytest.mark.parametrize("secret", [SECRET, AWKWARD], ids=["plain", "awkward"])
@pytest.mark.parametrize("planted", PLANTED.values(), ids=list(PLANTED))
async def test_a_credential_is_nowhere(
    planted: Planted,
    secret: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if planted.environment is not None:
        monkeypatch.setenv(planted.environment, secret)
    caplog.set_level(logging.DEBUG)
    inner, store = AskingModel(), tmp_path / "log.db"

    async def fail(event: Any) -> None:
        if event.type == "raw_server_event":
            error = RuntimeError(f"listener: {secret}")
            error.add_note(f"note: {secret}")
            raise error

    async with Recorder(store) as recorder:
        model = recorder.wrap(inner)
        model.add_listener(Listener(fail))
        tracker = RealtimePlaybackTracker()
        options: Any = {"playback_tracker": tracker, **planted.options(secret)}
        await model.connect(options)
        failure = ConnectionResetError(104, f"said {secret}")
        await inner.emit(
            RealtimeModelRawServerEvent(data={"type": "session.created", secret: [f"<{secret}>"]}),
            RealtimeModelErrorEvent(error={"message": f"Incorrect API key provided: {secret}"}),
            RealtimeModelExceptionEvent(exception=failure, context=secret),
        )
        await model.send_event(RealtimeModelSendUserInput(user_input=f"harmless-word {secret}"))
        await model.send_event(RealtimeModelSendAudio(audio=b"\1\2" + secret.encode() + b"\3\4"))
        message: Any = {"type": "x", "other_data": {"key": secret}}
        await model.send_event(RealtimeModelSendRawMessage(message=message))
        tracker.on_play_ms("item_1", 0, 20)
        recorder.mark(f"marked {secret}", secret=secret)
        await recorder.flush()
        open_files = files_of(store)
    closed_files = files_of(store)

    assert "log.db-wal" in open_files
    assert any(b"harmless-word" in content for content in open_files.values())
    assert b"harmless-word" in closed_files["log.db"]
    assert b"[redacted]" in closed_files["log.db"]
    for where in (open_files, closed_files, {"log": caplog.text.encode()}):
        assert_absent(secret, where)
    assert [type(error) for error in inner.raised] == [RuntimeError]
    assert inner.sent[0].user_input == f"harmless-word {secret}"  # the model gets it, the log does not


async def test_a_failed_connect_tells_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    class RefusingModel(FakeRealtimeModel):
        async def connect(self, options: Any) -> None:
            try:
                raise OSError(f"cannot reach {options['url']}")
            except OSError as error:
                raise ValueError(f"key {options['api_key']} was refused") from error

    store = tmp_path / "log.db"
    async with Recorder(store) as recorder:
        with pytest.raises(ValueError, match=SECRET):
            await recorder.wrap(RefusingModel()).connect(
                {"api_key": SECRET, "url": f"wss://x.example/?token={SECRET}2"}
            )
    assert one(rows(store), "connect_failed").payload["outcome"] == "raised"
    assert_absent(SECRET, {**files_of(store), "log": caplog.text.encode()})


async def test_a_source_line_that_fails_is_not_quoted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The recorder has never seen this secret: only leaving out the source keeps it out of the log."""
    caplog.set_level(logging.DEBUG)
    inner, store = FakeRealtimeModel(), tmp_path / "log.db"

    def log_in(name: str, password: str) -> None:
        del password
        raise PermissionError(13, f"{name} must not")

    def failing() -> Exception:
        try:
            log_in("me", password="sk-literal-in-the-source")
        except PermissionError as error:
            return error
        raise AssertionError

    async def fail(event: Any) -> None:
        if event.type == "error":
            log_in("listener", password="sk-literal-in-the-source")

    async with Recorder(store) as recorder:
        model = recorder.wrap(inner)
        model.add_listener(Listener(fail))
        await model.connect({})
        await inner.emit(
            RealtimeModelExceptionEvent(exception=failing()),
            RealtimeModelErrorEvent(error=None),
        )
        await recorder.flush()
        assert_absent("sk-literal-in-the-source", files_of(store))
    entry = one(rows(store), "received", "exception")
    assert entry.payload["exception"]["trace"][-1][-1] == "log_in"  # where it was raised is known
    assert find(rows(store), "handled")[-1].payload["outcome"] == "raised"
    assert_absent("sk-literal-in-the-source", {**files_of(store), "log": caplog.text.encode()})


async def test_what_is_recorded_of_options(tmp_path: Path) -> None:
    store = tmp_path / "log.db"
    options: Any = {
        "api_key": SECRET,
        "headers": {
            "X-Tenant": "the-tenant",
            "Sec-WebSocket-Protocol": f"realtime, openai-insecure-api-key.{SECRET}",
        },
        "url": f"wss://me:{SECRET}@x.example:8443/v1/realtime?model=gpt-realtime&token={SECRET}#{SECRET}",
        "initial_model_settings": {"voice": "ash", "instructions": "speak of realtime"},
        "playback_tracker": RealtimePlaybackTracker(),
        "call_id": "rtc_123456",
        "of_a_later_release": {"credentials": "the-credentials"},
    }
    async with Recorder(store) as recorder:
        model = recorder.wrap(FakeRealtimeModel())
        await model.connect(options)
    assert one(rows(store), "connect").payload["options"] == {
        "api_key": "given",
        "headers": ["Sec-WebSocket-Protocol", "X-Tenant"],
        "url": "wss://x.example:8443/v1/realtime?model=gpt-realtime&token=[redacted]",
        "initial_model_settings": {"voice": "ash", "instructions": "speak of realtime"},
        "playback_tracker": "RealtimePlaybackTracker",
        "call_id": "given",
        "of_a_later_release": "given",
    }
    for secret in (SECRET, "the-tenant", "the-credentials"):
        assert_absent(secret, files_of(store))
