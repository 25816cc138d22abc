"""`lane_text`: the three lanes in a terminal: a column for each stretch of time, as high as it was loud."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ..session import Draft, seconds, words
from .entry_sources import DraftSource
from .gathering import Gathering
from .session_sound import SessionSound

BLOCKS = " ▁▂▃▄▅▆▇█"
CUT, UNTOLD = "╱", "·"
"""What was generated and not heard; of what nobody tells whether it was heard."""

DOES = {"playing": "━", "paused": "┄", "waiting": "┈"}
ENDS = {"finished": "■", "interrupted": "╳", "left": "▷", "open": "…"}
"""What a player does, and how its playing of a sound ends."""

LABEL = 11
"""Columns in front of the lanes."""

LEAST = 20
"""Columns of the lanes at least."""


def lane_text(draft: Draft, width: int) -> list[str]:
    """A ruler, the user's sound, what was generated, how far that was heard, what the player did, the words,
    and the tools.

    Args:
        width: in columns.
    """
    gathered = Gathering("0", DraftSource(draft), SessionSound())
    gathered.advance()
    told = gathered.session()
    lanes = told["sound"]["lanes"]
    ends = [one["heard_until_ns"] or 0 for one in lanes["model"]] + [one["end_ns"] for one in lanes["user"]]
    drawing = _Drawing(max(width - LABEL, LEAST), max([told["duration_ns"], 1, *ends]))
    peak_ms = told["sound"]["peak_ms"]
    peaks = {"user": gathered.sound.peaks("user"), "model": gathered.sound.peaks("model")}
    user, model = ([*_levels(lanes[one], peaks[one], peak_ms)] for one in ("user", "model"))
    lines = [
        ("", drawing.ruler()),
        ("user", drawing.sound(lanes["user"], user)),
        ("generated", drawing.sound(lanes["model"], model)),
        ("heard", drawing.sound(lanes["model"], model, heard=True)),
        *((("playback", drawing.playback(told["story"]["playback"])),) if told["story"]["playback"] else ()),
        ("user said", drawing.texts(one for one in told["story"]["said"] if one["role"] == "user")),
        ("model said", drawing.texts(one for one in told["story"]["said"] if one["role"] == "model")),
    ]
    if told["story"]["tools"]:
        tools = (
            {"beginNs": one["began_ns"], "text": f"{one['name']}({one['arguments']})"}
            for one in told["story"]["tools"]
        )
        lines.append(("tools", drawing.texts(tools)))
    return [f"{label:<{LABEL}}{line}".rstrip() for label, line in lines]


def _levels(stretches: list[dict[str, Any]], peaks: bytes, peak_ms: int) -> Iterator[list[int]]:
    """Of each stretch, how loud each of its peaks is: 0 to 8."""
    for one in stretches:
        samples = one["length"] // (2 if one["encoding"] == "pcm16" else 1)
        count = -(-samples * 1000 // (one["rate_hz"] * peak_ms))
        pairs = peaks[one["peak"] * 2 : (one["peak"] + count) * 2]
        bounds = zip(pairs[::2], pairs[1::2], strict=True)
        highest = [max(abs(_signed(low)), abs(_signed(high))) for low, high in bounds]
        # By the root: speech is a tenth as loud as it could be.
        yield [min(round((peak / 128) ** 0.5 * 8), 8) if peak > 1 else 0 for peak in highest]


def _signed(byte: int) -> int:
    return byte - 256 if byte > 127 else byte


class _Drawing:
    """Columns of one width, over one duration."""

    def __init__(self, columns: int, duration_ns: int) -> None:
        self._columns = columns
        self._ns = duration_ns

    def ruler(self) -> str:
        """Instants, where there is room for them."""
        line = ""
        for place in range(0, self._columns - 8, 16):
            line = f"{line:<{place}}{seconds(place * self._ns // self._columns)}"
        return line

    def sound(self, stretches: list[dict[str, Any]], levels: list[list[int]], *, heard: bool = False) -> str:
        """A lane; where two lie in one column, the louder."""
        shown = [0] * self._columns
        marked: dict[int, str] = {}
        for one, loud in zip(stretches, levels, strict=True):
            begin_ns, end_ns = one["begin_ns"], one["end_ns"]
            told_ns = one["heard_until_ns"]
            whole = told_ns is not None and told_ns >= end_ns - 100_000
            for column in range(self._column(begin_ns), self._column(end_ns - 1) + 1):
                at_ns = (column * self._ns + self._ns // 2) // self._columns
                if heard and not whole and (told_ns is None or at_ns > told_ns):
                    marked[column] = UNTOLD if told_ns is None else CUT
                    continue
                if at_ns > one["until_ns"]:
                    continue
                low = self._peak(one, loud, column * self._ns // self._columns)
                high = max(self._peak(one, loud, (column + 1) * self._ns // self._columns), low + 1)
                shown[column] = max([shown[column], *loud[low:high]])
                marked.pop(column, None)
        return "".join(marked.get(column, BLOCKS[level]) for column, level in enumerate(shown))

    def playback(self, spans: list[dict[str, Any]]) -> str:
        """What a player does; where one of its sounds ends, how."""
        line = [" "] * self._columns
        for one in spans:
            first, last = self._column(one["begin_ns"]), self._column(max(one["end_ns"] - 1, one["begin_ns"]))
            line[first : last + 1] = DOES[one["doing"]] * (last + 1 - first)
            if one["ended"] is not None:
                line[last] = ENDS[one["ended"]]
        return "".join(line)

    def texts(self, said: Iterable[dict[str, Any]]) -> str:
        """Words where they begin, each as far as the next one leaves room."""
        all_of_it = [(self._column(one["beginNs"]), words.short(one["text"], 200)) for one in said]
        line = ""
        for number, (column, text) in enumerate(all_of_it):
            end = all_of_it[number + 1][0] if number + 1 < len(all_of_it) else self._columns
            if column >= len(line):
                line = f"{line:<{column}}│{text}"[: max(end - 1, column + 1)]
        return line[: self._columns]

    def _peak(self, one: dict[str, Any], loud: list[int], ns: int) -> int:
        length = max(one["end_ns"] - one["begin_ns"], 1)
        return min(max((ns - one["begin_ns"]) * len(loud) // length, 0), max(len(loud) - 1, 0))

    def _column(self, ns: int) -> int:
        return min(max(ns * self._columns // self._ns, 0), self._columns - 1)
