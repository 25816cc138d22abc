"""What a header's `source` says of the redaction of a recording, and of damage that it had."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast, get_args

AudioRedaction = Literal["keep", "silence", "drop"]
"""What became of the audio: kept; silence of the same length; only its length is of interest."""

_CLAUSE = re.compile(
    rf"redacted \(([\w -]+ \d+(?:, [\w -]+ \d+)*)?; audio ({'|'.join(get_args(AudioRedaction))})\)"
)


@dataclass(frozen=True)
class Redaction:
    """What was taken out of a recording.

    Attributes:
        counts: kind → how many different values of it were replaced, all sessions together.
        audio: what became of the audio.
    """

    counts: Mapping[str, int]
    audio: AudioRedaction

    def __str__(self) -> str:
        counts = ", ".join(f"{kind} {count}" for kind, count in self.counts.items())
        return f"redacted ({counts}; audio {self.audio})"

    def after(self, earlier: Redaction | None) -> Redaction:
        """Both, where something had been redacted before."""
        if earlier is None:
            return self
        kinds = dict.fromkeys([*earlier.counts, *self.counts])
        counts = {kind: earlier.counts.get(kind, 0) + self.counts.get(kind, 0) for kind in kinds}
        return Redaction(counts, earlier.audio if self.audio == "keep" else self.audio)

    @staticmethod
    def told_by(source: str) -> Redaction | None:
        """The redaction that a header's `source` names, or None."""
        found = _CLAUSE.search(source)
        if found is None:
            return None
        pairs = [pair.rpartition(" ") for pair in (found[1] or "").split(", ") if pair]
        return Redaction({kind: int(count) for kind, _, count in pairs}, cast("AudioRedaction", found[2]))


_REDACTED_OF = re.compile(_CLAUSE.pattern + ", of ([0-9a-f-]{36}), whose last digest is")


def redacted_from(source: str) -> str | None:
    """The id of the session of which this is a redacted copy, entry by entry, or None."""
    found = _REDACTED_OF.match(source)
    return None if found is None else found[3]


_DAMAGED = "a damaged log"


def cut_source(source: str, count: int, head: bytes, last: bytes, least: int | None = None) -> str:
    """The source of what is the intact beginning of a damaged log.

    Args:
        source: of that log.
        count: entries that are intact.
        head: the digest of the last of them.
        last: that of the last of all.
        least: so many there were at least.
    """
    entries = f"{count} entries" if least is None else f"{count} of at least {least} entries"
    return (
        f"{source}, recovered from {_DAMAGED}: {entries}, up to digest {head.hex()}, "
        f"of a chain whose last digest was {last.hex()}"
    )


def damage_again(source: str, earlier: str) -> str:
    """The source of what was made of a recording, which says again that this was damaged."""
    return f"{source}, of {_DAMAGED}" if _DAMAGED in earlier and _DAMAGED not in source else source
