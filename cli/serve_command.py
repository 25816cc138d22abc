"""`realtape serve`: the recorded server's side on a websocket, for any client."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
from collections.abc import Coroutine, Generator
from contextlib import AsyncExitStack, contextmanager
from enum import StrEnum
from typing import Annotated, Any

import typer

from ..schema import UsageError
from ..session import Recording, parse_target
from ..wire import PATIENCE_S, ReplayServer, WireReport
from . import output
from .exit_codes import Exit
from .fault_options import FaultOption, SeedOption, faults_in

URL = "REALTAPE_URL"
"""In the environment of a command: where the server, or the proxy, is."""


class OnUnexpected(StrEnum):
    """What is done about a frame that the recording does not hold."""

    IGNORE = "ignore"
    ERROR = "error"


def serve(
    target: Annotated[
        str, typer.Argument(metavar="STORE[#SESSION]", help="The recording; without #, the newest session.")
    ],
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="COMMAND", help="After --. Run with the URL in REALTAPE_URL; then it ends."),
    ] = None,
    port: Annotated[int, typer.Option(metavar="N", min=0, max=65535, help="0: any free one.")] = 0,
    pace: Annotated[
        float, typer.Option(metavar="X", min=0.0, help="Seconds for a recorded one; 0: as the client goes.")
    ] = 1.0,
    patience: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.0, help="How long a frame waits for the client's.")
    ] = PATIENCE_S,
    on_unexpected: Annotated[
        OnUnexpected, typer.Option(metavar="WHAT", help="ignore (default), or answer an error.")
    ] = OnUnexpected.IGNORE,
    strict: Annotated[
        bool, typer.Option("--strict", help="A frame on another side of an event diverges, too.")
    ] = False,
    once: Annotated[
        bool, typer.Option("--once", help="End when the first client has come and gone.")
    ] = False,
    fault: FaultOption = None,
    fault_seed: SeedOption = 0,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the report as JSON, and nothing else.")
    ] = False,
) -> int:
    """Replay a recording to any client, as its server on this machine."""
    words = parse_target(target)
    faults = faults_in(fault)

    async def run() -> int:
        async with await Recording.open(words.store, words.session) as recording:
            server = ReplayServer(
                recording,
                pace=pace,
                patience=patience,
                on_unexpected=on_unexpected.value,
                strict=strict,
                port=port,
                faults=faults,
                fault_seed=fault_seed,
            )
            return await _run(server, command or [], once=once, as_json=as_json)

    return asyncio.run(run())


async def _run(server: ReplayServer, command: list[str], *, once: bool, as_json: bool) -> int:
    failed = 0
    async with AsyncExitStack() as stack:
        try:
            url = await stack.enter_async_context(server)
        except OSError as error:
            raise UsageError(f"cannot listen there ({error.strerror}): choose another --port") from error
        stopped = stack.enter_context(interruptible())
        if not as_json:
            output.put_now(f"serving at {url}; Ctrl-C ends it" if not command else f"serving at {url}")
        if command:
            failed = await run_command(command, url)
        elif once:
            await first_of(stopped.wait(), server.finished())
        else:
            await stopped.wait()
    report = server.report()
    _show(report, as_json=as_json)
    if failed or report.verdict == "diverged":
        return Exit.DIVERGED
    return Exit.SAME if report.verdict == "same" else Exit.INCOMPLETE


@contextmanager
def interruptible() -> Generator[asyncio.Event]:
    """In this block Ctrl-C, and being told to end, set the event, so that what goes on ends as it should."""
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    numbers = (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        loop.add_signal_handler(number, stopped.set)
    try:
        yield stopped
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


async def first_of(*awaitables: Coroutine[Any, Any, object]) -> None:
    """Wait for one of them; the others are cancelled."""
    waiting = {asyncio.ensure_future(one) for one in awaitables}
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def run_command(command: list[str], url: str) -> int:
    """Run a command with the URL in its environment; its exit code.

    Raises:
        UsageError: it cannot be run.
    """
    try:
        process = await asyncio.create_subprocess_exec(*command, env={**os.environ, URL: url})
    except OSError as error:
        raise UsageError(f"{shlex.join(command)}: cannot be run ({error.strerror})") from error
    try:
        return await process.wait()
    except asyncio.CancelledError:
        process.terminate()
        await process.wait()
        raise


def _show(report: WireReport, *, as_json: bool) -> None:
    if as_json:
        output.put_json(report.as_json(), indent=2)
    else:
        for line in str(report).splitlines():
            output.put(line)
