"""What a recording says, read once.

May import `realtape.schema` only; everything else asks this package. A reader that is a fold is told the
entries in order by `read(entry)`, and can be asked at any of them; none keeps more than what it answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..schema.lazy_doors import open_lazily

if TYPE_CHECKING:
    from .audio import HeardAudio, HeardSound, Part, ReceivedAudio
    from .conversation_lines import ConversationLine, ConversationReader, conversation
    from .drafts import Draft, keep_origins, read_drafts, with_origins, write_drafts
    from .erasing import Erasure, erase, named_for_erasure
    from .failures import is_failure
    from .filter_words import parse_age, parse_labels, parse_moment, parse_quantity, worded_filter
    from .filters import EVERY, ListedSession, Listing, SessionFilter, listed, texts_in
    from .folding import Folder
    from .interruptions import Interruption, interruptions
    from .lanes import LaneName, Lanes, LanesReader, SoundPiece, Stretch
    from .learned import RUNS, Origins, read_origins, write_origins
    from .messages import (
        SPOKEN_DELTAS,
        ServerEvent,
        answers_call,
        begins_turn,
        interrupts,
        output_of,
        server_event,
    )
    from .notes import NOTED, Notes
    from .origins import Origin, origin_of, reactions, unknown_calls
    from .patterns import OwnPattern
    from .places import Numbering, Place
    from .playback_spans import PlaybackSpan
    from .pruning import due, may_be_due, removals
    from .recording import Recording, choose, choose_all
    from .recovery import Saved, Survey, survey, write_survey
    from .retention import Going, Retention, chains, kin
    from .session_settings import SessionSettings, schemas_in
    from .sound import SoundFormat, SoundFormats, format_of
    from .speech import Speech
    from .staged import Staged
    from .state import Fold, HeardSoFar, HistoryItem, OpenCall, Said, State
    from .states import States, state_at
    from .stimuli import Stimulus, is_reaction, is_stimulus, stimuli
    from .structure import Message, Response, Structure
    from .targets import Target, parse_store, parse_target
    from .timeline import Row, entry_columns, entry_json, row_of, seconds
    from .tool_calls import ToolAnswers, ToolCall, ToolCalls, tool_calls
    from .verifying import verified_batches
    from .wire_events import FrameEvents, WireEvents, entries_with_events, with_events

__all__ = [
    "EVERY",
    "NOTED",
    "RUNS",
    "SPOKEN_DELTAS",
    "ConversationLine",
    "ConversationReader",
    "Draft",
    "Erasure",
    "Fold",
    "Folder",
    "FrameEvents",
    "Going",
    "HeardAudio",
    "HeardSoFar",
    "HeardSound",
    "HistoryItem",
    "Interruption",
    "LaneName",
    "Lanes",
    "LanesReader",
    "ListedSession",
    "Listing",
    "Message",
    "Notes",
    "Numbering",
    "OpenCall",
    "Origin",
    "Origins",
    "OwnPattern",
    "Part",
    "Place",
    "PlaybackSpan",
    "ReceivedAudio",
    "Recording",
    "Response",
    "Retention",
    "Row",
    "Said",
    "Saved",
    "ServerEvent",
    "SessionFilter",
    "SessionSettings",
    "SoundFormat",
    "SoundFormats",
    "SoundPiece",
    "Speech",
    "Staged",
    "State",
    "States",
    "Stimulus",
    "Stretch",
    "Structure",
    "Survey",
    "Target",
    "ToolAnswers",
    "ToolCall",
    "ToolCalls",
    "WireEvents",
    "answers_call",
    "begins_turn",
    "chains",
    "choose",
    "choose_all",
    "conversation",
    "due",
    "entries_with_events",
    "entry_columns",
    "entry_json",
    "erase",
    "format_of",
    "interruptions",
    "interrupts",
    "is_failure",
    "is_reaction",
    "is_stimulus",
    "keep_origins",
    "kin",
    "listed",
    "may_be_due",
    "named_for_erasure",
    "origin_of",
    "output_of",
    "parse_age",
    "parse_labels",
    "parse_moment",
    "parse_quantity",
    "parse_store",
    "parse_target",
    "reactions",
    "read_drafts",
    "read_origins",
    "removals",
    "row_of",
    "schemas_in",
    "seconds",
    "server_event",
    "state_at",
    "stimuli",
    "survey",
    "texts_in",
    "tool_calls",
    "unknown_calls",
    "verified_batches",
    "with_events",
    "with_origins",
    "worded_filter",
    "write_drafts",
    "write_origins",
    "write_survey",
]

open_lazily(__name__)
