"""Noise on the wall's clock: whoever calls it is held up a little, another time in each process."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from typing import Any

from realtape.schema.log import RowBatch
from realtape.session import Recording

LONGEST_SECONDS = 0.005


class Noise:
    """Blocks whoever calls it, whatever runs on the event loop.

    Args:
        share: of the calls that are held up, from 0 to 1.
    """

    def __init__(self, share: float = 1.0) -> None:
        self.share = share
        self._random = random.Random(os.urandom(16))

    def __call__(self) -> None:
        """Take between 0 and 5 ms of the wall's time, or none."""
        if self._random.random() < self.share:
            time.sleep(self._random.uniform(0.0, LONGEST_SECONDS))


SILENCE = Noise(0.0)


class NoisyRecording(Recording):
    """A recording on a slow disk: now and then an entry takes its time."""

    noise = SILENCE

    def stream_rows(self) -> Iterator[tuple[RowBatch, list[Any]]]:
        """As ever, and late."""
        for batch, values in super().stream_rows():
            for _ in batch.rows:
                self.noise()
            yield batch, values
