"""`docs/clients.md`: what it says in Python does what it says."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from realtape.provider import LocalProvider, Reply, Script
from realtape.wire import proxy, serve
from support.provider_sockets import PACE
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as listen

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "clients.md").read_text()
ELSEWHERE = {"LiveKit": "livekit_plugin.py", "Pipecat": "pipecat_service.py"}
"""What `make test-clients` installs → the program that it runs."""


def sections() -> dict[str, str]:
    """Title → the code in it."""
    found = re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    code = {title: re.findall(r"```python\n(.*?)```", text, re.DOTALL) for title, text in found}
    return {title: blocks[0] for title, blocks in code.items() if blocks}


def names(title: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(sections()[title], title, "exec"), names)
    return names


@pytest.mark.real_time
@pytest.mark.parametrize("title", ["openai-agents (Python)", "openai (Python)", "Bare websockets"])
async def test_a_client_is_recorded_and_tested_offline(
    title: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_AGENTS_DISABLE_TRACING", "1")
    call = names(title)["call"]
    async with LocalProvider(Script([Reply.speech("Good day.")]), pace=PACE) as provider:
        base, _, path = provider.url.partition("/v1")
        async with proxy(base, tmp_path / "calls.db") as url:
            await call(f"{url}/v1{path}")
    server = serve(tmp_path / "calls.db", pace=0)
    async with server as url:
        await call(url)
    assert server.report().verdict == "same", str(server.report())


@pytest.mark.real_time
async def test_twilio_calls_again(tmp_path: Path) -> None:
    async def application(phone: ServerConnection) -> None:
        async for message in phone:
            await phone.send(f"heard {message}")

    async with listen(application, "127.0.0.1", 0) as server:
        there = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
        async with proxy(there, tmp_path / "twilio.db") as url, connect(f"{url}/media") as phone:
            for message in ('{"event":"start"}', '{"event":"media"}'):
                await phone.send(message)
                await phone.recv()
        async with asyncio.timeout(30):
            again = await names("Twilio media streams in front of it")["twilio"](
                str(tmp_path / "twilio.db"), there
            )
    assert again == ['heard {"event":"start"}', 'heard {"event":"media"}']


@pytest.mark.parametrize("title", ELSEWHERE)
def test_what_is_installed_elsewhere_is_as_it_is_run_there(title: str) -> None:
    program = (ROOT / "tests" / "clients" / ELSEWHERE[title]).read_text()
    code = sections()[title]
    compile(code, title, "exec")
    (imported,) = re.findall(r"^from .*$", code, re.MULTILINE)
    assert imported in program
    assert all(argument in program for argument in re.findall(r"\w+=[^,()]+", code.split("=", 1)[1]))
