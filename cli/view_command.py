"""`realtape view`: the sessions of a store in the browser of this machine."""

from __future__ import annotations

import asyncio
import socket
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from ..schema import UsageError
from ..schema.log import locate, open_blocking
from ..session import Recording, Target, parse_target
from ..session.fixture import is_fixture, read_into_memory
from . import output
from .exit_codes import Exit


def view(
    target: Annotated[
        str,
        typer.Argument(metavar="STORE[#SESSION]", help="A store or a fixture; with #, this session at once."),
    ],
    port: Annotated[int, typer.Option(metavar="N", min=0, max=65535, help="0: any free one.")] = 0,
    open_browser: Annotated[bool, typer.Option("--open", help="Open the browser on it.")] = False,
) -> int:
    """Show a store's sessions in a browser of this machine; ends with Ctrl-C."""
    try:
        import uvicorn

        from ..viewer import new_token, view_application
    except ImportError as error:
        raise UsageError(f"view needs a web server ({error}): pip install 'realtape[view]'") from error
    named = parse_target(target)
    address = read_into_memory(named.store)[0] if is_fixture(named.store) else locate(named.store)
    session = "" if named.session is None else f"{asyncio.run(_id_of(named))}/"
    with open_blocking(address):  # what cannot be read is said now
        pass
    listening = socket.create_server(("127.0.0.1", port))
    port = listening.getsockname()[1]
    token = new_token()
    name = Path(named.store).name if "://" not in named.store else str(address)
    application = view_application(address, name, port, token)
    url = f"http://127.0.0.1:{port}/{token}/{session}"
    output.put(url)
    output.note("this address is the key: who has it reads the store; Ctrl-C ends")
    if open_browser:
        webbrowser.open(url)
    config = uvicorn.Config(application, log_level="warning", access_log=False, server_header=False)
    with listening:
        uvicorn.Server(config).run(sockets=[listening])
    return Exit.SAME


async def _id_of(named: Target) -> str:
    """The whole id of the session that is named."""
    async with await Recording.open(named.store, named.session) as recording:
        return recording.header.id
