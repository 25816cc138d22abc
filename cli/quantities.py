"""Ages, sizes and labels, as a user writes them: `30d`, `2GB`, `customer=1042`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..schema import UsageError

_QUANTITY = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*([a-z]+)", re.IGNORECASE)
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 7 * 86_400}
_BYTES = {
    **{"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12},
    **{"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40},
}


def parse_age(option: str, text: str | None) -> float | None:
    """Seconds.

    Raises:
        UsageError: it is no age.
    """
    return _parse(option, text, _SECONDS, "an age: 45m, 12h, 30d or 8w")


def parse_size(option: str, text: str | None) -> int | None:
    """Bytes.

    Raises:
        UsageError: it is no size.
    """
    size = _parse(option, text, _BYTES, "a size: 500MB, 2GB or 2GiB")
    return None if size is None else int(size)


def parse_labels(option: str, texts: Sequence[str]) -> dict[str, str]:
    """Name → value.

    Raises:
        UsageError: one is no `NAME=VALUE`, or two of a name differ.
    """
    labels: dict[str, str] = {}
    for text in texts:
        name, mark, value = text.partition("=")
        if not mark or not name:
            raise UsageError(f"{option} {text}: give a label as NAME=VALUE")
        if labels.setdefault(name, value) != value:
            raise UsageError(f"{option}: no session has two labels {name}; give one of them")
    return labels


def size_in_words(size: int) -> str:
    """Bytes for people."""
    number, unit = float(size), "bytes"
    for following in ("kB", "MB", "GB", "TB"):
        if number < 1_000:
            break
        number, unit = number / 1_000, following
    return f"{size:,} bytes" if unit == "bytes" else f"{number:.1f} {unit}"


def _parse(option: str, text: str | None, units: dict[str, int], wanted: str) -> float | None:
    if text is None:
        return None
    found = _QUANTITY.fullmatch(text.strip())
    if found is None or found[2].lower() not in units:
        raise UsageError(f"{option} {text}: give {wanted}")
    return float(found[1]) * units[found[2].lower()]
