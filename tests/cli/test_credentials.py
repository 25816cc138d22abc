"""No command says a credential, also of a log of an earlier release that holds one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from realtape.schema import Kind
from realtape.schema import events as ev
from realtape.schema import sends as se
from realtape.schema.log import locate
from realtape.session.drafts import write_drafts
from support.command_line import Ran
from support.planted import Session

SHAPED, KNOWN, PLACED = "sk-proj-Zk3vB8nQ1rT6wY4uP9sD", "known-to-the-environment", "of-a-server-42"

APP = f"""
async def main(model):
    print("application: {SHAPED}")
    await model.connect({{}})
    raise ValueError("refused: {SHAPED} {KNOWN}")
"""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A log that holds them: nobody took them out when it was recorded."""
    session = Session()
    session.add(Kind.CONNECT, {"options": {"api_key": "given"}, "listeners": []}, method="connect")
    session.add(Kind.CONNECTED, {"outcome": "returned"}, of=0)
    raw = {"type": "session.updated", "session": {"tools": [{"authorization": PLACED}]}}
    session.add(Kind.RECEIVED, ev.RealtimeModelRawServerEvent(raw))
    said = f"it is {SHAPED}, or {KNOWN}"
    session.add(Kind.RECEIVED, ev.RealtimeModelTranscriptDeltaEvent("item_1", said, "resp_1"))
    session.add(Kind.SENT, se.RealtimeModelSendUserInput(said), "send_user_input", method="send_event")
    session.add(Kind.SENT_DONE, {"outcome": "returned"}, of=4)
    store = tmp_path / "old.db"
    write_drafts(locate(store), [session.draft({"key": SHAPED})])
    return store


@pytest.mark.parametrize(
    "arguments",
    [
        ("ls",),
        ("ls", "--json"),
        ("show",),
        ("show", "--json"),
        ("replay", "--expect", "all", "--app", "app:main"),
        ("replay", "--json", "--app", "app:main"),
        ("check", "--verbose", "--app", "app:main"),
    ],
    ids=" ".join,
)
def test_what_is_printed_holds_none(
    arguments: tuple[str, ...],
    old: Path,
    realtape: Callable[..., Ran],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SHOP_API_KEY", KNOWN)
    monkeypatch.chdir(tmp_path)
    Path("app.py").write_text(APP)
    command, *options = arguments
    ran = realtape(command, old, *options)
    text = (ran.out + ran.err).replace(f"application: {SHAPED}\n", "")  # it printed that itself
    assert "[redacted]" in text
    for secret in (SHAPED, KNOWN, PLACED):
        assert secret not in text
