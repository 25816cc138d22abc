"""Replaying a draft with the answers that it holds itself: does it agree with itself?"""

from __future__ import annotations

from ...schema.drafts import Draft
from ..loop.virtual_loop import run
from ..matching.matching import Expectation
from ..model import ReplayModel
from ..reporting.report import ReplayReport
from ..responder import Responder
from ..watched import WatchedRecording


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
