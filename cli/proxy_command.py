"""`realtape proxy`: between any client and its provider, recording."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Annotated

import typer

from ..schema import UsageError
from ..session import parse_store
from ..wire import RecordingProxy
from . import output
from .exit_codes import Exit
from .fault_options import FaultOption, SeedOption, faults_in
from .serve_command import interruptible, run_command


def proxy(
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="COMMAND", help="After --. Run with the URL in REALTAPE_URL; then it ends."),
    ] = None,
    upstream: Annotated[
        str, typer.Option(metavar="URL", help="The provider: wss://host, or with the beginning of the path.")
    ] = "wss://api.openai.com",
    store: Annotated[
        str,
        typer.Option(metavar="STORE", help="Where to record: a path, new or not, or a postgresql:// URL."),
    ] = "realtape.db",
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where to listen; port 0: any free one.")
    ] = "127.0.0.1:8900",
    token: Annotated[
        str | None,
        typer.Option(metavar="TOKEN", help="Clients' paths begin with it; needed beyond this machine."),
    ] = None,
    fault: FaultOption = None,
    fault_seed: SeedOption = 0,
) -> int:
    """Record what any client and its provider say to each other."""
    host, port = _address(listen)
    here = RecordingProxy(
        upstream,
        parse_store(store),
        host=host,
        port=port,
        token=token,
        faults=faults_in(fault),
        fault_seed=fault_seed,
    )

    async def run() -> int:
        async with AsyncExitStack() as stack:
            try:
                url = await stack.enter_async_context(here)
            except OSError as error:
                raise UsageError(f"cannot listen at {listen} ({error.strerror}): choose another") from error
            stopped = stack.enter_context(interruptible())
            output.put_now(f"recording at {url} what goes to {here.provider}, into {store}")
            if command:
                return Exit.DIVERGED if await run_command(command, url) else Exit.SAME
            await stopped.wait()
        return Exit.SAME

    return asyncio.run(run())


def _address(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    if not port.isdecimal() or int(port) > 65535:
        raise UsageError(f"--listen {listen}: write HOST:PORT, such as 127.0.0.1:8900")
    return host.strip("[]") or "127.0.0.1", int(port)
