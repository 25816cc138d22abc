"""Recordings in other people's formats: what a session comes to as traces, its sound as sound files.

Extra: `realtape[exports]`, which is imported when it is needed. What an export shows, `session/derived/` and
`session/lanes.py` say; an export computes none of its own.
"""

from __future__ import annotations

from .mcap_file import mcap_of
from .otlp import otlp_of
from .perfetto_trace import perfetto_of
from .span_names import PROFILES, SEMCONVS
from .wav_mix import wav_of

__all__ = ["PROFILES", "SEMCONVS", "mcap_of", "otlp_of", "perfetto_of", "wav_of"]
