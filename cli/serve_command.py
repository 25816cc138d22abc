"""`realtape serve`: the recorded server's side on a websocket, for any client."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
from collections.abc import Coroutine, Generator, Mapping
from contextlib import AsyncExitStack, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from ..replay import AudioMatching, PlaybackMatching
from ..schema import UsageError
from ..session import Recording, Target, parse_target
from ..session.fixture import SESSION
from ..wire import PATIENCE_S, ReplayServer, WireReport
from . import output, play_options
from .corpus import find
from .exit_codes import Exit
from .fault_options import FaultOption, SeedOption, faults_in
from .tls_options import AuthorityOption, TlsOption, TlsSetting, listening

URL = "REALTAPE_URL"
"""In the environment of a command: where the server, or the proxy, is."""


class OnUnexpected(StrEnum):
    """What is done about a frame that the recording does not hold."""

    IGNORE = "ignore"
    ERROR = "error"


def serve(
    target: Annotated[
        str,
        typer.Argument(
            metavar="STORE[#SESSION]",
            help="The recording; without #, the newest session; or a folder.",
        ),
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
    playback: play_options.Playback = "tolerant",
    audio: play_options.Audio = "ignore",
    once: Annotated[
        bool, typer.Option("--once", help="End when the first client has come and gone.")
    ] = False,
    tls: TlsOption = False,
    ca: AuthorityOption = None,
    fault: FaultOption = None,
    fault_seed: SeedOption = 0,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the report as JSON, and nothing else.")
    ] = False,
) -> int:
    """Replay a recording to any client, as its server on this machine."""
    faults = faults_in(fault)
    members = _members(target)

    async def run() -> int:
        async with AsyncExitStack() as stack:
            named = {
                name: await stack.enter_async_context(await Recording.open(words.store, words.session))
                for name, words in members.items()
            }
            setting = stack.enter_context(listening(tls, ca))
            server = ReplayServer(
                named if len(named) > 1 else next(iter(named.values())),
                pace=pace,
                patience=patience,
                on_unexpected=on_unexpected.value,
                strict=strict,
                playback=cast("PlaybackMatching", playback),
                audio=cast("AudioMatching", audio),
                port=port,
                ssl=setting.context,
                faults=faults,
                fault_seed=fault_seed,
            )
            return await _run(server, setting, command or [], once=once, as_json=as_json)

    return asyncio.run(run())


def _members(target: str) -> dict[str, Target]:
    """The recordings by the names that clients call them: of a folder, how they lie in it, without what
    only says that they are recordings."""
    folder = Path(target)
    if not folder.is_dir() or (folder / SESSION).is_file():
        return {target: parse_target(target)}
    found: dict[str, Target] = {}
    for member in find([target]):
        if member.problem is not None:
            raise member.problem
        name = Path(member.name).relative_to(folder)
        store, mark, session = str(name).partition("#")
        short = str(Path(store).with_suffix("")) + mark + session
        found[str(name) if short in found else short] = member.target
    return found


async def _run(
    server: ReplayServer, setting: TlsSetting, command: list[str], *, once: bool, as_json: bool
) -> int:
    failed = 0
    async with AsyncExitStack() as stack:
        try:
            url = await stack.enter_async_context(server)
        except OSError as error:
            raise UsageError(f"cannot listen there ({error.strerror}): choose another --port") from error
        stopped = stack.enter_context(interruptible())
        if not as_json:
            ends = "" if command else "; Ctrl-C ends it"
            output.put_now(f"serving at {url}{setting.told}{ends}")
        if command:
            failed = await run_command(command, url, setting.environment)
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


async def run_command(command: list[str], url: str, environment: Mapping[str, str]) -> int:
    """Run a command with the URL, and what else it is to know, in its environment; its exit code.

    Raises:
        UsageError: it cannot be run.
    """
    try:
        process = await asyncio.create_subprocess_exec(*command, env={**os.environ, **environment, URL: url})
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
