"""Replaying a draft with the answers that it holds itself: does it agree with itself?"""

from __future__ import annotations

from ...replay.loop.virtual_loop import run
from ...replay.matching.matching import Expectation
from ...replay.model import ReplayModel
from ...replay.reporting.report import ReplayReport
from ...replay.responder import Responder
from ...replay.watched import WatchedRecording
from ...session.drafts import Draft


def rehearse(draft: Draft, *, expect: Expectation = "reactions") -> ReplayReport:
    """Replay it on virtual time, with the recorded application played from the recording.

    Not to be called on a running event loop. What differs is in the report, at once.

    Raises:
        CorruptRecordError: a payload cannot be read.
        UsageError: the session does not begin with a connect.
    """

    async def play() -> ReplayReport:
        recording = WatchedRecording.of(draft, name="a draft")
        try:
            model = ReplayModel(recording, expect=expect, on_divergence="collect")
            return await Responder(model, recording, expect).run()
        finally:
            await recording.close()

    return run(play())
