"""`realtape_server`: recordings played on websockets, for tests of any client."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from realtape.integrations.pytest_plugin.servers import Servers
from realtape.schema import StoreError, UsageError
from realtape.wire import SelfMadeCertificate
from websockets.asyncio.client import connect as connecting
from websockets.sync.client import connect

KIOSK = Path(__file__).parents[3] / "fixtures" / "kiosk"
UPDATE = '{"type":"session.update","session":{}}'


def test_a_client_gets_what_was_recorded(realtape_server: Any) -> None:
    url = realtape_server(KIOSK, pace=0)
    with connect(url) as client:
        assert json.loads(client.recv())["type"] == "session.created"
    (report,) = realtape_server.reports
    assert report.verdict == "same"


async def test_also_one_on_virtual_time_and_one_that_insists_on_a_certificate(realtape_server: Any) -> None:
    certificate = SelfMadeCertificate()
    url = realtape_server(KIOSK, certificate=certificate, pace=0)
    assert url.startswith("wss://127.0.0.1:")
    async with connecting(url, ssl=certificate.client) as client, asyncio.timeout(600):
        assert json.loads(await client.recv())["type"] == "session.created"


def test_who_does_what_was_not_recorded_fails() -> None:
    servers = Servers(KIOSK.parent)
    with connect(servers("kiosk", pace=0)) as client:
        client.send('{"type":"no.such"}')
        client.recv()
    with pytest.raises(pytest.fail.Exception, match=r"unexpected: no\.such came"):
        servers.close()


def test_nobody_who_came_fails_unless_the_test_looks_itself() -> None:
    servers = Servers(KIOSK.parent)
    servers("kiosk", check=False)
    servers.close()
    assert [report.verdict for report in servers.reports] == ["unplayed"]
    servers("kiosk")
    with pytest.raises(pytest.fail.Exception, match="unplayed"):
        servers.close()


def test_what_cannot_be_served_is_told_where_it_was_asked() -> None:
    servers = Servers(KIOSK.parent)
    with pytest.raises(StoreError):
        servers("no-such")
    with pytest.raises(UsageError, match="pace=-1"):
        servers("kiosk", pace=-1)
    servers.close()
