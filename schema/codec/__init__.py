"""Any value of the interface ↔ a payload, JSON text, and bytes.

May import the errors and the interface of `realtape.schema`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy_doors import open_lazily

if TYPE_CHECKING:
    from .codec import Codec, TextFilter
    from .credentials import REDACTED
    from .described import ORIGIN, Described, RecordedError
    from .encoding import MAX_DEPTH
    from .environment import is_no_word, secrets_of_environment
    from .equality import same
    from .flat_payloads import FlatPayloads
    from .json_text import (
        MAX_NESTING,
        finite,
        from_json,
        from_standard_json,
        require_flatness,
        require_nesting,
        standard_json,
        to_json,
    )
    from .references import BRACKET, MAX_SIZE, REFERS, Reference, bytes_in, references
    from .secrets import MIN_BEGINNING, KnownTexts, Secrets, SecretsInUse, credentials_in, merged_spans
    from .snapshots import TEXT, Snapshot, unrecordable
    from .standard import PYTHON, STANDARD, event_name, received_name, register_interface, sent_name
    from .text_places import HARMLESS_HEADERS, place_under
    from .urls import harmless_url, url_secrets
    from .vocabulary import State, Vocabulary

__all__ = [
    "BRACKET",
    "HARMLESS_HEADERS",
    "MAX_DEPTH",
    "MAX_NESTING",
    "MAX_SIZE",
    "MIN_BEGINNING",
    "ORIGIN",
    "PYTHON",
    "REDACTED",
    "REFERS",
    "STANDARD",
    "TEXT",
    "Codec",
    "Described",
    "FlatPayloads",
    "KnownTexts",
    "RecordedError",
    "Reference",
    "Secrets",
    "SecretsInUse",
    "Snapshot",
    "State",
    "TextFilter",
    "Vocabulary",
    "bytes_in",
    "credentials_in",
    "event_name",
    "finite",
    "from_json",
    "from_standard_json",
    "harmless_url",
    "is_no_word",
    "merged_spans",
    "place_under",
    "received_name",
    "references",
    "register_interface",
    "require_flatness",
    "require_nesting",
    "same",
    "secrets_of_environment",
    "sent_name",
    "standard_json",
    "to_json",
    "unrecordable",
    "url_secrets",
]

open_lazily(__name__)
