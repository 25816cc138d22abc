"""What the installed release of the SDK has: the oldest one that we support lacks some of its events."""

from __future__ import annotations

import pytest
from agents.realtime import model_events

HAS_END_OF_STREAM = hasattr(model_events, "RealtimeModelEndOfStreamEvent")

of_today = pytest.mark.skipif(
    not HAS_END_OF_STREAM, reason="this release of the SDK has no end_of_stream, no usage, other words"
)
"""For what is held against the SDK as it is now."""
