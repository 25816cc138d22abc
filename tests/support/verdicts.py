"""The page's table of what is said of which fault in which application."""

from __future__ import annotations

import re
from pathlib import Path

from realtape.replay import Played

from .shapes import Fault

PAGE = (Path(__file__).parents[2] / "docs" / "replay.md").read_text()
HEADING = "| application | " + " | ".join(Fault) + " |"
WORDS = {
    "same, but 1 send of unknown origin was not checked": "unchecked",
    "same, but what was heard differs at": "heard",
    "diverged": "diverged",
}


def told_by_page() -> dict[str, list[str]]:
    """Each row of the page's table: what is said of each fault."""
    table = PAGE[PAGE.index(HEADING) :].partition("\n\n")[0].splitlines()[2:]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in table]
    return {row[0]: row[1:] for row in cells}


def word(played: Played) -> str:
    """The verdict, in a word of the page's."""
    text = str(played.report)
    return next((short for words, short in WORDS.items() if text.startswith(words)), text)
