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
from .tls_options import AuthorityOption, TlsOption, listening


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
    join: Annotated[
        str | None,
        typer.Option(
            metavar="WHAT",
            help="header:NAME, query:NAME or label:NAME: who shares it shares a session.",
        ),
    ] = None,
    tls: TlsOption = False,
    ca: AuthorityOption = None,
    fault: FaultOption = None,
    fault_seed: SeedOption = 0,
) -> int:
    """Record what any client and its provider say to each other."""
    host, port = _address(listen)
    faults = faults_in(fault)

    async def run() -> int:
        async with AsyncExitStack() as stack:
            setting = stack.enter_context(listening(tls, ca, host))
            here = RecordingProxy(
                upstream,
                parse_store(store),
                host=host,
                port=port,
                token=token,
                join=join,
                ssl=setting.context,
                faults=faults,
                fault_seed=fault_seed,
            )
            try:
                url = await stack.enter_async_context(here)
            except OSError as error:
                raise UsageError(f"cannot listen at {listen} ({error.strerror}): choose another") from error
            stopped = stack.enter_context(interruptible())
            output.put_now(f"recording at {url} what goes to {here.provider}, into {store}{setting.told}")
            if command:
                return Exit.DIVERGED if await run_command(command, url, setting.environment) else Exit.SAME
            await stopped.wait()
        return Exit.SAME

    return asyncio.run(run())


def _address(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    if not port.isdecimal() or int(port) > 65535:
        raise UsageError(f"--listen {listen}: write HOST:PORT, such as 127.0.0.1:8900")
    return host.strip("[]") or "127.0.0.1", int(port)
