"""Which settings a session has at a place of its recording, and who says so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from ..schema.entries import Entry, Kind
from .fields import RAW, client_message, event_fields, facts_of, frame_message, mapping
from .messages import SESSION_TOLD


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """What a session is to be like: instructions, voice, tools, how turns are found.

    Attributes:
        seq: of the last entry that says something of it.
        told_by: the server says that it is so; or the application asked, and no server has said anything.
        fields: as plain JSON, in the spelling of who tells. Not to be changed.
    """

    seq: int
    told_by: Literal["server", "application"]
    fields: Mapping[str, Any]


class SettingsReader:
    """Is told every entry in order.

    Args:
        settings: where to go on from.

    Attributes:
        settings: by now; None: nobody has said anything.
    """

    def __init__(self, settings: SessionSettings | None = None) -> None:
        self.settings = settings

    def read(self, entry: Entry) -> None:
        """The next entry."""
        match entry.kind:
            case Kind.RECEIVED:
                if entry.type == RAW and "session." in entry.payload:  # else it need not be read
                    self._tell(entry.seq, facts_of(entry))
            case Kind.FRAME_IN:
                if "session." in entry.payload:
                    self._tell(entry.seq, frame_message(entry))
            case Kind.CONNECT:  # what another connection had is forgotten
                self.settings = None
                options = mapping(event_fields(entry).get("options"))
                self._ask(entry.seq, options.get("initial_model_settings"))
            case Kind.SENT:
                if entry.type == "send_session_update":
                    self._ask(entry.seq, event_fields(entry).get("session_settings"))
                else:
                    self._ask_by(entry.seq, client_message(entry))
            case Kind.FRAME_OUT:
                if "session." in entry.payload:
                    self._ask_by(entry.seq, frame_message(entry))
            case _:
                pass

    def _tell(self, seq: int, message: Mapping[str, Any]) -> None:
        session = mapping(message.get("session"))
        if session and message.get("type") in SESSION_TOLD:
            self.settings = SessionSettings(seq, "server", session)

    def _ask_by(self, seq: int, message: Mapping[str, Any] | None) -> None:
        if message is not None and message.get("type") == "session.update":
            self._ask(seq, message.get("session"))

    def _ask(self, seq: int, asked: object) -> None:
        """What the server has said holds until it says that it did what it was asked."""
        before = self.settings
        if mapping(asked) and (before is None or before.told_by == "application"):
            known: Mapping[str, Any] = {} if before is None else before.fields
            self.settings = SessionSettings(seq, "application", {**known, **mapping(asked)})


_SCHEMA = ("parameters", "params_json_schema")


def tool_schemas(entries: Iterable[Entry]) -> dict[str, dict[str, Any]]:
    """What a session tells of the arguments of its tools, by their names, as JSON schema: the latest."""
    reader, known = SettingsReader(), None
    found: dict[str, dict[str, Any]] = {}
    for entry in entries:
        reader.read(entry)
        if reader.settings is not known:
            known = reader.settings
            found |= schemas_in(None if known is None else known.fields)
    return found


def schemas_in(settings: object) -> dict[str, dict[str, Any]]:
    """The JSON schema of the arguments of each tool that settings name, as mappings or as the SDK's tools."""
    told: Any = mapping(settings).get("tools")
    found: dict[str, dict[str, Any]] = {}
    for tool in cast("list[Any]", told) if isinstance(told, (list, tuple)) else ():
        facts = mapping(tool)
        name = facts.get("name", getattr(tool, "name", None))
        schema = next((facts[one] for one in _SCHEMA if one in facts), getattr(tool, _SCHEMA[1], None))
        if isinstance(name, str) and isinstance(schema, dict):
            found[name] = cast("dict[str, Any]", schema)
    return found
