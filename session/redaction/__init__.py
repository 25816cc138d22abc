"""Recordings without the e-mail addresses, telephone and card numbers, and credentials that were in them.

`docs/format.md`, "Redaction", says what is found and what is not.
"""

from __future__ import annotations

from ..provenance import AudioRedaction, Redaction
from .finding import DEFAULT
from .redacting import redacted

__all__ = ["DEFAULT", "AudioRedaction", "Redaction", "redacted"]
