"""The session that recorders are given to write: six of ten events are audio, four 300 bytes of JSON."""

from __future__ import annotations

import random
from typing import Any

AUDIO_BYTES = 4_800  # 100 ms of PCM16
MIXED_EVENTS = 10_000
BATCH_ROWS = 100


def mixed_session() -> list[bytes | dict[str, Any]]:
    """The events, the same each time: the audio of one, or what another says."""
    source = random.Random(5)
    return [
        source.randbytes(AUDIO_BYTES)
        if number % 10 < 6
        else {"type": "conversation.item.done", "event_id": f"event_{number:021}", "text": "x" * 220}
        for number in range(MIXED_EVENTS)
    ]
