"""The options of every command that redacts: what is replaced beside what is found by itself, and stays."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ..schema import UsageError

Word = Annotated[
    list[str] | None,
    typer.Option(metavar="WORD", help="Replace this word, too, in any case; may be repeated."),
]

Pattern = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=REGEX", help="Replace what this regular expression matches; may be repeated."),
]

Region = Annotated[
    list[str] | None,
    typer.Option(metavar="DE", help="Replace telephone numbers of this country's plan; may be repeated."),
]

KeepWord = Annotated[
    list[str] | None,
    typer.Option(metavar="WORD", help="Leave this number, address or word; may be repeated."),
]


def redaction_of(
    words: list[str] | None, patterns: list[str] | None, regions: list[str] | None, keep: list[str] | None
) -> dict[str, Any]:
    """Arguments of `redacted`.

    Raises:
        UsageError: a pattern has no name.
    """
    extra: list[tuple[str, str]] = []
    for own in patterns or ():
        name, mark, pattern = own.partition("=")
        if not (name and mark and pattern):
            raise UsageError(f"--pattern {own}: give it a name, and a regular expression: order=AB-[0-9]+")
        extra.append((name, pattern))
    return {"words": words or (), "extra": extra, "regions": regions or (), "keep": keep or ()}
