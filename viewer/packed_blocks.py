"""Blocks as they lie in a page: gzip, in base64, each in a script element that no browser runs."""

from __future__ import annotations

import gzip
from typing import Any

import pybase64

from ..schema.codec import standard_json

MAX_BLOCK_CHARS = 4 << 20
"""Of a block in the page: what a browser takes as one text without a stall."""

_LEVEL_OF_SOUND = 1
"""Speech hardly gets smaller, and takes its time."""


def packed(name: str, content: Any) -> bytes:
    """A block as an element of the page: bytes as they are, anything else as JSON."""
    if isinstance(content, bytes):
        data = gzip.compress(content, _LEVEL_OF_SOUND, mtime=0)
    else:
        data = gzip.compress(standard_json(content).encode(), 6, mtime=0)
    text = pybase64.b64encode(data)
    assert name.isascii()
    assert '"' not in name
    head = f'<script type="application/octet-stream" id="block:{name}">'
    return head.encode() + text + b"</script>\n"
