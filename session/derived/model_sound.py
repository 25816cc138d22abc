"""`ModelSound`: when the first of each part of the model's voice that can be heard came, and was played."""

from __future__ import annotations

from dataclasses import dataclass

from ...schema.entries import Entry, Flag
from ..audio import Part, heard_part
from ..sound import SoundFormat
from .loudness import THRESHOLD_DBFS, Loudness


@dataclass(slots=True)
class Voiced:
    """What is known of one part. Instants are nanoseconds since the session began.

    Attributes:
        seq: of the entry with which its sound began.
        came_ns: when the first of its sound came.
        audible_ms: how much of it is silence before something can be heard, in milliseconds as the model
            counts them; None: nothing can, or the sound is not known.
        counted: how many milliseconds the model counts of one.
        audible_ns: when it could be heard at the earliest: the sound in front of it takes its time.
        played_ns: when it was played, as the application told its tracker; None: it did not tell.
        assumed: nobody told; the recorder assumes that all is played as it comes.
    """

    seq: int
    came_ns: int
    audible_ms: float | None = None
    counted: float = 1.0
    audible_ns: int | None = None
    played_ns: int | None = None
    assumed: bool = False
    loudness: Loudness | None = None
    seen_ns: int = 0


class ModelSound:
    """Is told of each piece of the model's voice, and of each entry, in order.

    Args:
        threshold_dbfs: from which loudness on a sound is heard.
    """

    def __init__(self, threshold_dbfs: float = THRESHOLD_DBFS) -> None:
        self._threshold_dbfs = threshold_dbfs
        self._parts: dict[Part, Voiced] = {}

    def wants(self, part: Part) -> bool:
        """Whether the bytes of the next piece are of use: nothing was heard of this part yet."""
        known = self._parts.get(part)
        return known is None or known.audible_ms is None

    def came(self, part: Part, entry: Entry, data: bytes | None, format: SoundFormat) -> None:
        """The next piece of a part; `data` None: nobody knows which, or asks."""
        known = self._parts.get(part)
        if known is None:
            known = self._parts[part] = Voiced(entry.seq, entry.at_ns, seen_ns=entry.at_ns)
            known.loudness = Loudness(self._threshold_dbfs)
        if data is None or known.loudness is None:
            return
        for begin_ms, _ in known.loudness.add(data, format):
            known.loudness = None
            known.counted = format.ms(1) / format.duration_ms(1)
            known.audible_ms = begin_ms * known.counted
            known.audible_ns = max(entry.at_ns, known.came_ns + round(begin_ms * 1e6))
            return

    def read(self, entry: Entry) -> None:
        """The next entry, after what came with it."""
        part = heard_part(entry)
        known = None if part is None else self._parts.get(part)
        if known is None or known.played_ns is not None or entry.elapsed_ms is None:
            return
        if known.audible_ms is None or entry.elapsed_ms <= known.audible_ms:
            known.seen_ns = entry.at_ns
        elif entry.flags & Flag.ASSUMED:
            known.assumed, known.played_ns = True, known.audible_ns
        else:
            since_ms = (entry.elapsed_ms - known.audible_ms) / known.counted
            known.played_ns = max(entry.at_ns - round(since_ms * 1e6), known.seen_ns)

    def of(self, part: Part) -> Voiced | None:
        """What is known of a part."""
        return self._parts.get(part)

    def of_items(self, items: tuple[str, ...]) -> list[Voiced]:
        """Of all parts of these items, in the order in which they came."""
        return [known for (item_id, _), known in self._parts.items() if item_id in items]

    def parts(self) -> tuple[Part, ...]:
        """All, in the order in which they came."""
        return tuple(self._parts)
