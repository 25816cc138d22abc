"""`realtape demo`: records a real conversation with a local provider, and replays it offline."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..schema import UsageError
from ..session import Recording, Target
from ..session.redaction import redacted
from . import output
from .exit_codes import Exit
from .show_command import show_timeline

if TYPE_CHECKING:
    from ..replay import ReplayReport
    from .demo_conversation import Compared

STORE = Path("realtape-demo.db")


def demo(
    store: Annotated[
        Path, typer.Option(metavar="STORE", help="The file to record into; it may hold sessions already.")
    ] = STORE,
    as_json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON only.")] = False,
) -> int:
    """Record a conversation with a local provider, replay it offline, and compare."""
    if find_spec("agents") is None:
        raise UsageError(
            "the demo runs on the OpenAI Agents SDK: pip install 'realtape[openai-agents]', and try again"
        )
    return asyncio.run(_demo(store, as_json))


async def _demo(store: Path, as_json: bool) -> int:
    from .demo_conversation import compare, record_demo, replay_demo  # needs the SDK

    say = _silent if as_json else output.put
    say("Recording: the SDK's own model and session talk to a provider on this machine.")
    recorded = await record_demo(store)
    if not as_json:
        output.put("")
        await show_timeline(Target(str(store), None))
        output.put("")
    say("Replaying: the same application, a fresh session, no network.")
    replayed, report, seconds = await replay_demo(store)
    comparisons = compare(recorded, replayed)
    equal = all(comparison.equal for comparison in comparisons) and not report.diverged
    if as_json:
        output.put_json(_facts(comparisons, report, equal))
    else:
        _tell(comparisons, report, seconds)
        output.put("")
        output.put(_verdict(equal, store))
        output.put(f"See and hear it: {await _page(store)}")
    return Exit.SAME if equal else Exit.DIVERGED


async def _page(store: Path) -> Path:
    """Write the page of the conversation that was recorded, beside the store."""
    from ..viewer import write_page  # only a page needs what draws it

    async with await Recording.open(store) as recording:
        drafts = recording.drafts()
    path = store.with_name(f"{store.stem}-{drafts[0].header.id[-12:]}.html")
    write_page(redacted(drafts), path, store=store.name, ids=[draft.header.id for draft in drafts])
    return path


def _tell(comparisons: list[Compared], report: ReplayReport, seconds: float) -> None:
    output.put(f"  {str(report).splitlines()[0]}, in {seconds:.1f} s")
    rows = [[f"  {one.name}", str(one.count), "equal" if one.equal else "DIFFERENT"] for one in comparisons]
    output.put_aligned(rows)
    for divergence in report.divergences:
        output.put(str(divergence))


def _verdict(equal: bool, store: Path) -> str:
    if equal:
        return f"The recorded and the replayed session are equal. Look: realtape show {store}"
    return f"The recorded and the replayed session DIFFER. Please report this, with {store}"


def _facts(comparisons: list[Compared], report: ReplayReport, equal: bool) -> dict[str, Any]:
    return {
        "equal": equal,
        "comparisons": [asdict(comparison) for comparison in comparisons],
        "report": report.as_json(),
    }


def _silent(line: str) -> None:
    """Where only JSON is wanted."""
