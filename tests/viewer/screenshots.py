"""`make screenshots`: the pictures of docs/images, of the demo, recorded and replayed now."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from realtape.cli.demo_conversation import record_demo
from realtape.session import Recording
from realtape.session.redaction import redacted
from realtape.viewer import write_page
from support.browser import browser, opened

IMAGES = Path(__file__).parent.parent.parent / "docs" / "images"
MOST_BYTES = 200_000
"""A picture in a repository stays small."""


async def demo_page(folder: Path) -> Path:
    """Record the demo, and write its page."""
    await record_demo(folder / "demo.db")
    async with await Recording.open(folder / "demo.db") as recording:
        drafts = recording.drafts()
    page = folder / "demo.html"
    ids = [draft.header.id for draft in drafts]
    write_page(redacted(drafts), page, store="realtape-demo.db", ids=ids)
    return page


def main() -> int:
    """Write the pictures; those that are too large are told."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        page = asyncio.run(demo_page(Path(name)))  # the browser's driver has an event loop of its own
        chromium = stack.enter_context(browser())
        shots = (
            ("page", 1280, 800, "light"),
            ("page-dark", 1280, 800, "dark"),
            ("page-phone", 390, 844, "light"),
        )
        for shot, width, height, scheme in shots:
            with opened(chromium, page, width=width, height=height, scheme=scheme) as shown:
                shown.until("page.session.length === page.session.facts.entries")
                seq = shown.of("page.session.facts.story.tools[0].output_seq")
                if width > 600:
                    shown.of("page.choose(page.session.placeOf(argument))", seq)
                shown.of("page.seek(page.session.facts.story.interruptions.at(-1).began_ns)")
                shown.of("page.range.show(0, page.range.length)")
                shown.page.wait_for_timeout(600)
                shown.page.screenshot(path=IMAGES / f"{shot}.png")
    sizes = {path.name: path.stat().st_size for path in sorted(IMAGES.glob("*.png"))}
    sys.stdout.write("".join(f"{name}: {size:,} bytes\n" for name, size in sizes.items()))
    return int(any(size > MOST_BYTES for size in sizes.values()))


if __name__ == "__main__":
    os.environ.setdefault("OPENAI_AGENTS_DISABLE_TRACING", "1")
    sys.exit(main())
