"""Pages, taken apart."""

from __future__ import annotations

import base64
import gzip
import re

from realtape.viewer.packed_blocks import MAX_BLOCK_CHARS


def blocks_of(page: str) -> dict[str, bytes]:
    """Its blocks by their names, unpacked; none is larger than it may be."""
    found = re.findall(r'<script type="application/octet-stream" id="block:([^"]+)">([^<]*)</script>', page)
    assert all(len(text) <= MAX_BLOCK_CHARS for _, text in found)
    return {name: gzip.decompress(base64.b64decode(text)) for name, text in found}
