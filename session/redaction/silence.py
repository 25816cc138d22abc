"""Audio without what was said: silence of the same number of bytes."""

from __future__ import annotations

from typing import Any, cast

from ...schema.entries import Entry, Kind

PCM16, MULAW, ALAW = b"\x00", b"\xff", b"\xd5"
"""A byte of silence. ITU-T G.711: the quietest positive value, its bits inverted as they are sent."""


class Formats:
    """What formats the session's settings name: those of the last entry that named any."""

    def __init__(self) -> None:
        self._input = self._output = PCM16

    def of(self, entry: Entry) -> bytes:
        """The silence of an entry's audio."""
        return self._input if entry.kind in (Kind.SENT, Kind.FRAME_OUT) else self._output

    def learn(self, entry: Entry, tree: Any) -> None:
        """Look for settings in a payload."""
        if entry.kind == Kind.PLAYBACK and entry.method == "set_audio_format":
            self._output = _silence(tree.get("args"), self._output)
        elif '"format"' in entry.payload or "audio_format" in entry.payload:
            self._look(tree)
        elif 'format\\"' in entry.payload:
            self._look_into_frame(entry.payload)

    def _look(self, tree: Any) -> None:
        if isinstance(tree, list):
            for item in cast("list[Any]", tree):
                self._look(item)
        elif isinstance(tree, dict):
            facts = cast("dict[str, Any]", tree)
            for key, item in facts.items():
                if key in ("input", "input_audio_format"):
                    self._input = _silence(item, self._input)
                elif key in ("output", "output_audio_format"):
                    self._output = _silence(item, self._output)
                else:
                    self._look(item)

    def _look_into_frame(self, payload: str) -> None:
        before, _, after = payload.partition('\\"output')
        self._input = _silence(before.partition('\\"input')[2], self._input)
        self._output = _silence(after, self._output)


def _silence(settings: Any, otherwise: bytes) -> bytes:
    """Of a format, however it is named; also of settings that hold one."""
    if isinstance(settings, dict):
        facts = cast("dict[str, Any]", settings)
        found = facts.get("format", facts.get("type", facts.get("value")))
        return otherwise if found is None else _silence(found, otherwise)
    if isinstance(settings, list) and settings:
        return _silence(cast("list[Any]", settings)[0], otherwise)
    name = settings.lower() if isinstance(settings, str) else ""
    if "alaw" in name or "pcma" in name:
        return ALAW
    if "ulaw" in name or "mulaw" in name or "pcmu" in name:
        return MULAW
    return PCM16 if "pcm" in name else otherwise
