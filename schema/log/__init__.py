"""Where a log is, what stands in its tables, and how these are written and read.

May import the rest of `realtape.schema`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy_doors import open_lazily

if TYPE_CHECKING:
    from .addresses import Address, MemoryDatabase, StoreLocation, locate
    from .derived_tables import DERIVED_TABLES, derived_heads, make_derived_tables, put_derived
    from .digest_chain import DigestChain
    from .digests import BLOB_FIELDS, Appended, entry_digest, header_digest
    from .driver_errors import store_error, store_errors
    from .learned_text import fetch_origins, put_origins
    from .liveness import Lock, mark_interrupted
    from .pages import Pages, RecordPlace
    from .pins import pin, pinned, unpin
    from .prunings import Reason, remove_sessions, was_removed
    from .receipts import mark_erased, note_erasure, pending_erasures
    from .remains import Remains, held_by_others
    from .rows import (
        BARE_FIELDS,
        Row,
        RowBatch,
        advance_session,
        append_entries,
        count_kinds,
        count_sessions,
        entry_batches,
        entry_of,
        fetch_durations,
        fetch_ended,
        fetch_entries,
        fetch_headers,
        fetch_of_types,
        fetch_segment,
        fetch_segment_numbers,
        fetch_sessions,
        find_session,
        has_kind,
        insert_entries,
        insert_segment,
        insert_session,
        row_batches,
        session_of,
    )
    from .seals import SealedChain, SealKey, can_seal, put_seal
    from .space import free_bytes, give_back, rewrite, shares, shorten, used_bytes
    from .sql_views import VIEW_NAMES, make_views, views_of
    from .stores import (
        file_damage,
        open_blocking,
        open_for_changes,
        open_for_reading,
        open_for_writing,
        overwrite_removed,
        read,
        read_each,
        settle,
    )
    from .unmerged import close_unmerged, leave_unmerged
    from .untyped import SESSION_COLUMNS

__all__ = [
    "BARE_FIELDS",
    "BLOB_FIELDS",
    "DERIVED_TABLES",
    "SESSION_COLUMNS",
    "VIEW_NAMES",
    "Address",
    "Appended",
    "DigestChain",
    "Lock",
    "MemoryDatabase",
    "Pages",
    "Reason",
    "RecordPlace",
    "Remains",
    "Row",
    "RowBatch",
    "SealKey",
    "SealedChain",
    "StoreLocation",
    "advance_session",
    "append_entries",
    "can_seal",
    "close_unmerged",
    "count_kinds",
    "count_sessions",
    "derived_heads",
    "entry_batches",
    "entry_digest",
    "entry_of",
    "fetch_durations",
    "fetch_ended",
    "fetch_entries",
    "fetch_headers",
    "fetch_of_types",
    "fetch_origins",
    "fetch_segment",
    "fetch_segment_numbers",
    "fetch_sessions",
    "file_damage",
    "find_session",
    "free_bytes",
    "give_back",
    "has_kind",
    "header_digest",
    "held_by_others",
    "insert_entries",
    "insert_segment",
    "insert_session",
    "leave_unmerged",
    "locate",
    "make_derived_tables",
    "make_views",
    "mark_erased",
    "mark_interrupted",
    "note_erasure",
    "open_blocking",
    "open_for_changes",
    "open_for_reading",
    "open_for_writing",
    "overwrite_removed",
    "pending_erasures",
    "pin",
    "pinned",
    "put_derived",
    "put_origins",
    "put_seal",
    "read",
    "read_each",
    "remove_sessions",
    "rewrite",
    "row_batches",
    "session_of",
    "settle",
    "shares",
    "shorten",
    "store_error",
    "store_errors",
    "unpin",
    "used_bytes",
    "views_of",
    "was_removed",
]

open_lazily(__name__)
