"""Sizes, as a user writes them, and for people: `2GB`."""

from __future__ import annotations

from ..session import parse_quantity

_BYTES = {
    **{"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12},
    **{"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40},
}


def parse_size(option: str, text: str | None) -> int | None:
    """Bytes.

    Raises:
        UsageError: it is no size.
    """
    size = parse_quantity(option, text, _BYTES, "a size: 500MB, 2GB or 2GiB")
    return None if size is None else int(size)


def size_in_words(size: int) -> str:
    """Bytes for people."""
    number, unit = float(size), "bytes"
    for following in ("kB", "MB", "GB", "TB"):
        if number < 1_000:
            break
        number, unit = number / 1_000, following
    return f"{size:,} bytes" if unit == "bytes" else f"{number:.1f} {unit}"
