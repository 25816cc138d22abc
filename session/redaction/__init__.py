"""Recordings without the e-mail addresses, telephone and card numbers, and credentials that were in them.

`docs/format.md`, "Redaction", says what is found and what is not.
"""

from __future__ import annotations

from ..provenance import AudioRedaction, Redaction
from .finding import DEFAULT, KINDS
from .redacting import NOT_SOUGHT, Replaced, redacted, replaced

__all__ = [
    "DEFAULT",
    "KINDS",
    "NOT_SOUGHT",
    "AudioRedaction",
    "Redaction",
    "Replaced",
    "redacted",
    "replaced",
]
