"""What was found of a damaged store, in words."""

from __future__ import annotations

from ..session import Survey
from . import output


def put_survey(found: Survey) -> None:
    """A line for each session, and for what belongs to none."""
    for saved in found.sessions:
        output.put(str(saved)) if saved.whole else output.note(str(saved))
    if found.strays:
        output.note(f"{found.strays:,} entries belong to sessions whose header is lost; they cannot be saved")
