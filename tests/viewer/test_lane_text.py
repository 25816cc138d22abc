"""Lanes in a terminal: where there was sound, and how far it was heard."""

from __future__ import annotations

import re

from realtape.viewer import lane_text
from support.calls_to_see import BEGIN_MS, HEARD_MS, LENGTH_MS, hostile_call, known_call


def test_columns_are_where_the_sound_was_and_what_was_cut_is_hatched() -> None:
    lines = {line[:11].strip(): line[11:] for line in lane_text(known_call()[0], 11 + 160)}  # 10 ms a column
    assert len(lines["generated"]) == (BEGIN_MS + LENGTH_MS) // 10
    assert re.fullmatch(f" {{{BEGIN_MS // 10}}}[▁-█]{{{HEARD_MS // 10}}}╱{{38}}", lines["heard"])
    assert re.fullmatch(" {2}[▁-█]{40}", lines["user"])
    assert lines["model said"].index("│Your train leaves") == BEGIN_MS // 10
    assert lines["tools"].index("│departure") == 46
    assert lines[""].startswith("0.000")


def test_nothing_is_wider_than_it_may_be_and_nothing_is_obeyed() -> None:
    for draft in (known_call()[0], hostile_call()):
        for width in (0, 40, 110):
            lines = lane_text(draft, width)
            assert all(len(line) <= max(width, 31) for line in lines)
            assert not re.search("[\x00-\x1f\u202e]", "".join(lines))
    assert "·" in "".join(lane_text(hostile_call(), 110)), "nobody tells how much of it was heard"
