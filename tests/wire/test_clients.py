"""OpenAI's clients for Python, and bare websockets: a conversation live through the proxy, then offline.

`make test-clients` does the same with clients of other makers, and on Node.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from clients import agents_python, openai_live, openai_python, raw
from clients.conversation import ANSWERS, CALL, Told
from clients.run import LIVE_SCRIPT, PACE, SCRIPT
from realtape.provider import LocalProvider
from realtape.wire import proxy, serve

Converse = Callable[[str], Awaitable[Told]]
CLIENTS = [raw.converse, openai_python.converse, openai_live.converse, agents_python.converse]


@pytest.mark.real_time
@pytest.mark.parametrize("converse", CLIENTS, ids=lambda one: one.__module__)
async def test_what_a_client_got_live_it_gets_offline_ten_times(
    converse: Converse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_AGENTS_DISABLE_TRACING", "1")
    is_live = converse is openai_live.converse
    async with LocalProvider(LIVE_SCRIPT if is_live else SCRIPT, pace=PACE) as provider:
        base, _, path = provider.url.partition("/v1")
        async with proxy(base, tmp_path / "calls.db") as url:
            live = await converse(f"{url}/v1{path}")
    assert (live.said, live.calls) == (list(ANSWERS[is_live:]), [CALL])
    assert len(live.audio) > 80_000
    for _ in range(10):
        server = serve(tmp_path / "calls.db", pace=0)
        async with server as url:
            assert await converse(url) == live
        assert server.report().verdict == "same", str(server.report())
