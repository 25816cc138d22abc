"""The formats of other people's tools that `realtape export` writes."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from ..schema import UsageError
from ..schema.codec import standard_json
from ..session import Draft


class ForeignFormat(StrEnum):
    """A format, by its option."""

    OTLP = "otlp"
    PERFETTO = "perfetto"
    MCAP = "mcap"
    WAV = "wav"
    HEARD_WAV = "heard-wav"


_SUFFIXES = {
    ForeignFormat.OTLP: ".json",
    ForeignFormat.MCAP: ".mcap",
    ForeignFormat.WAV: ".wav",
    ForeignFormat.HEARD_WAV: ".wav",
}


def foreign_format(**asked: bool) -> ForeignFormat | None:
    """The one that is asked for, if any is.

    Raises:
        UsageError: several are.
    """
    found = [ForeignFormat(name.replace("_", "-")) for name, wanted in asked.items() if wanted]
    if len(found) > 1:
        raise UsageError(f"--{found[0]} and --{found[1]} write different files: choose one")
    return found[0] if found else None


def foreign_file(
    drafts: Sequence[Draft],
    path: Path,
    format: ForeignFormat,
    *,
    ids: Sequence[str],
    semconv: str | None,
    profile: str | None,
) -> bytes:
    """What the file holds.

    Args:
        ids: of the sessions, as the store has them.

    Raises:
        UsageError: its name says another format; or it needs what is not installed.
    """
    from ..integrations.exports import mcap_of, otlp_of, perfetto_of, wav_of

    suffix = _SUFFIXES.get(format, path.suffix)
    if path.suffix != suffix:
        raise UsageError(f"{path}: --{format} writes a {suffix} file; name it ….{suffix.removeprefix('.')}")
    if format is ForeignFormat.OTLP:
        return standard_json(otlp_of(drafts, ids=ids, semconv=semconv, profile=profile), indent=1).encode()
    if format is ForeignFormat.PERFETTO:
        return perfetto_of(drafts, ids=ids)
    if format is ForeignFormat.MCAP:
        return mcap_of(drafts, ids=ids)
    return wav_of(drafts, heard=format is ForeignFormat.HEARD_WAV)
