"""Records so many entries as fast as the writer takes them, and prints how its memory grew:
`fill.py STORE ENTRIES`. Prints the entries, the seconds, and the peak of the memory in KB at a
tenth of the way and at its end."""

from __future__ import annotations

import asyncio
import resource
import sys
import time

from realtape.recorder import Recorder
from realtape.schema import RealtimeModelAudioEvent, RealtimeModelTranscriptDeltaEvent
from realtape.schema.entries import Kind


def peak_kb() -> int:
    """Of this process, so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


async def main(store: str, entries: int) -> None:
    """A transcript, with a little audio in between, as a voice session has it."""
    began = time.monotonic()
    early = 0
    async with Recorder(store) as recorder:
        log = recorder.begin({})
        for number in range(entries):
            if number % 10 == 0:
                audio = number.to_bytes(8) * 60
                event = RealtimeModelAudioEvent(data=audio, response_id="r", item_id="i", content_index=0)
                log.append(Kind.RECEIVED, event, type="audio")
            else:
                delta = RealtimeModelTranscriptDeltaEvent(item_id="i", delta=f"{number}", response_id="r")
                log.append(Kind.RECEIVED, delta, type="transcript_delta")
            if number % 500 == 0:
                await recorder.flush()
            if number == entries // 10:
                early = peak_kb()
    sys.stdout.write(f"{entries} {time.monotonic() - began:.1f} {early} {peak_kb()}\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
