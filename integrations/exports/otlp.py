"""OTLP/JSON: a trace for each session, with a span for the session, each turn, each response and each tool.

Ids are derived of the session's, so that an export that is sent twice is the same trace. Sound is named by a
URI (`realtape:SESSION/ITEM/INDEX`), and never inline.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, cast

from ...schema import UsageError
from ...schema.codec import standard_json
from ...session import Draft
from ...session.derived import Derived, ResponseRecord, ToolRecord, TurnRecord, derive_draft
from .span_names import PROFILES, SCHEMA_URL, SEMCONVS, Names

Json = dict[str, Any]

_INTERNAL, _CLIENT = 1, 3
"""Kinds of spans."""

_ERROR = 2
_KINDS = {"session": "CHAIN", "turn": "CHAIN", "response": "LLM", "tool": "TOOL"}


def otlp_of(
    drafts: Sequence[Draft],
    *,
    ids: Sequence[str] | None = None,
    semconv: str | None = None,
    profile: str | None = None,
) -> Json:
    """A request of OTLP, as JSON has it (ids as hexadecimal digits, 64 bits as text).

    Args:
        ids: under which ids the sessions lie in a store, where these are redacted copies; None: their own.
        semconv: a version of OpenTelemetry's conventions, of `SEMCONVS`; None: the newest.
        profile: another's names, of `PROFILES`; None: OpenTelemetry's.

    Raises:
        UsageError: there is no such version, or profile; or both are given.
        DecodingError: bytes are missing.
    """
    names, schema = _names(semconv, profile)
    called = [draft.header.id for draft in drafts] if ids is None else ids
    resources = [
        _resource(derive_draft(draft), id, names, schema) for draft, id in zip(drafts, called, strict=True)
    ]
    return {"resourceSpans": resources}


def _names(semconv: str | None, profile: str | None) -> tuple[Names, str]:
    if profile is not None:
        if semconv is not None:
            raise UsageError("a profile has names of its own: leave out --semconv, or --profile")
        if profile not in PROFILES:
            raise UsageError(f"--profile {profile}: there are {', '.join(PROFILES)}")
        return PROFILES[profile], ""
    version = next(iter(SEMCONVS)) if semconv is None else semconv
    if version not in SEMCONVS:
        raise UsageError(f"--semconv {version}: there are {', '.join(SEMCONVS)}")
    return SEMCONVS[version], SCHEMA_URL.format(version)


def _resource(derived: Derived, id: str, names: Names, schema: str) -> Json:
    header = derived.header
    told = {
        "service.name": "realtape",
        **{f"realtape.label.{one}": label for one, label in header.labels.items()},
    }
    scope = {"name": "realtape", "version": header.versions.get("realtape", "")}
    resource = {"attributes": _attributes(told)}
    spans = _Spans(derived, id, names).all()
    return {"resource": resource, "scopeSpans": [{"scope": scope, "spans": spans, "schemaUrl": schema}]}


class _Spans:
    """The spans of one session."""

    def __init__(self, derived: Derived, id: str, names: Names) -> None:
        self._derived = derived
        self._names = names
        self._id = id
        self._trace = hashlib.sha256(f"realtape trace {self._id}".encode()).hexdigest()[:32]

    def all(self) -> list[Json]:
        """The session's own is the first."""
        derived = self._derived
        turn_of = {response: turn for turn in derived.turns for response in turn.response_ids}
        spans = [self._session()]
        spans += [self._turn(turn) for turn in derived.turns]
        spans += [self._response(one, turn_of.get(one.response_id)) for one in derived.responses]
        spans += [self._tool(one) for one in derived.tools]
        return spans

    def _session(self) -> Json:
        derived = self._derived
        said = {
            **self._told(operation="invoke_agent", kind="AGENT", conversation=self._id),
            "realtape.session": self._id,
            "realtape.status": str(derived.status),
        }
        events = [
            self._event(
                one.began_ns, "interruption", {"by": one.by, "item": one.item_id, "lost_ms": one.lost_ms}
            )
            for one in derived.interruptions
        ]
        return self._span("session", "", None, 0, derived.duration_ns, said, events=events)

    def _turn(self, turn: TurnRecord) -> Json:
        began_ns = turn.began_ns or 0
        ended_ns = turn.ended_ns if turn.ended_ns is not None else began_ns
        wait = next((one for one in self._derived.latency if one.turn == turn.number), None)
        said: Json = {
            **self._told(
                kind="CHAIN", conversation=self._id, input_value=turn.text, output_value=turn.answer
            ),
            "realtape.turn": turn.number,
            "realtape.turn.kind": turn.kind,
        }
        if turn.kind == "speech":
            said |= self._told(input_audio=self._uri(turn.item_id, 0), input_transcript=turn.text)
        if wait is not None:
            for name in ("first_byte_ms", "first_sound_ms", "played_ms"):
                said[f"realtape.latency.{name}"] = getattr(wait, name)
            said["realtape.latency.ended_by"] = wait.ended_by
        return self._span(f"user {turn.kind}", f"turn {turn.number}", "", began_ns, ended_ns, said)

    def _response(self, one: ResponseRecord, turn: TurnRecord | None) -> Json:
        tokens = one.tokens
        parts = [part for part in self._derived.heard if part.item_id in one.items]
        texts = [part.text for part in parts]
        written = "" if parts else self._derived.said.get(one.seq, "")
        said: Json = {
            **self._told(
                operation="chat",
                kind="LLM",
                provider="openai",
                conversation=self._id,
                model=one.model,
                response=one.response_id,
                output_type="speech" if parts else "text" if written else None,
                finish_reasons=[one.status],
            ),
            "realtape.asked_by": one.asked_by,
            "realtape.first_byte_ns": one.first_byte_ns,
        }
        if tokens is not None:
            told = {"input": "input_tokens", "output": "output_tokens", "total": "total_tokens"}
            told |= {"cached": "cached_tokens", "input_audio": "input_audio_tokens"}
            told |= {"output_audio": "output_audio_tokens"}
            said |= self._told(**{name: getattr(tokens, field) for field, name in told.items()})
        said |= self._told(
            input_messages=_messages("user", turn, self._uri) if turn is not None else None,
            output_messages=_spoken(parts, written, one, self._uri) if parts or written else None,
            output_value=" ".join(texts) if texts else written or None,
            output_audio=self._uri(parts[0].item_id, parts[0].content_index) if parts else None,
            output_transcript=" ".join(texts) if texts else None,
        )
        ended_ns = one.ended_ns if one.ended_ns is not None else self._derived.duration_ns
        failed = one.reason if one.status == "failed" else None
        events = [] if one.first_byte_ns is None else [self._event(one.first_byte_ns, "first byte", {})]
        name, key = f"chat {one.model}".rstrip(), f"response {one.seq}"
        parent = "" if turn is None else f"turn {turn.number}"
        began_ns = one.began_ns if one.asked_ns is None else min(one.asked_ns, one.began_ns)
        return self._span(
            name, key, parent, began_ns, ended_ns, said, kind=_CLIENT, failed=failed, events=events
        )

    def _tool(self, one: ToolRecord) -> Json:
        said = self._told(
            operation="execute_tool",
            kind="TOOL",
            tool_name=one.name,
            tool_type="function",
            tool_call=one.call_id,
            tool_arguments=one.arguments,
            tool_result=one.output,
        )
        made = next((each for each in self._derived.responses if each.response_id == one.response_id), None)
        parent = "" if made is None else f"response {made.seq}"
        ended_ns = one.ended_ns if one.ended_ns is not None else self._derived.duration_ns
        failed = None if one.ended_ns is not None else "it was never answered"
        return self._span(
            f"execute_tool {one.name}", f"tool {one.seq}", parent, one.began_ns, ended_ns, said, failed=failed
        )

    # --- helpers ------------------------------------------------------------------------------------

    def _told(self, **facts: Any) -> Json:
        """What has a name in these conventions, and is known."""
        named = ((self._names.get(name), value) for name, value in facts.items())
        return {name: value for name, value in named if name is not None and value not in (None, "")}

    def _span(
        self,
        name: str,
        key: str,
        parent: str | None,
        began_ns: int,
        ended_ns: int,
        said: Mapping[str, Any],
        *,
        kind: int = _INTERNAL,
        failed: str | None = None,
        events: Sequence[Json] = (),
    ) -> Json:
        """`key` and `parent` name spans of this session; the session's own is empty, and has no parent."""
        span: Json = {
            "traceId": self._trace,
            "spanId": self._span_id(key),
            "name": name,
            "kind": kind,
            "startTimeUnixNano": self._instant(began_ns),
            "endTimeUnixNano": self._instant(max(ended_ns, began_ns)),
            "attributes": _attributes(said),
            "events": list(events),
        }
        if parent is not None:
            span["parentSpanId"] = self._span_id(parent)
        if failed is not None:
            span["status"] = {"code": _ERROR, "message": failed}
        return span

    def _event(self, at_ns: int, name: str, said: Mapping[str, Any]) -> Json:
        facts = {f"realtape.{one}": value for one, value in said.items()}
        return {"timeUnixNano": self._instant(at_ns), "name": name, "attributes": _attributes(facts)}

    def _span_id(self, key: str) -> str:
        return hashlib.sha256(f"realtape span {self._id} {key}".encode()).hexdigest()[:16]

    def _instant(self, at_ns: int) -> str:
        return str(self._derived.header.started_ns + at_ns)

    def _uri(self, item_id: str, content_index: int) -> str:
        return f"realtape:{self._id}/{item_id}/{content_index}"


def _messages(role: str, turn: TurnRecord, uri: Any) -> str:
    parts: list[Json] = [{"type": "text", "content": turn.text}] if turn.text else []
    if turn.kind == "speech":
        parts.append({"type": "uri", "modality": "audio", "uri": uri(turn.item_id, 0)})
    return standard_json([{"role": role, "parts": parts}])


def _spoken(parts: Sequence[Any], written: str, response: ResponseRecord, uri: Any) -> str:
    told: list[Json] = [{"type": "text", "content": written}] if written else []
    for part in parts:
        told += [{"type": "text", "content": part.text}] if part.text else []
        told.append({"type": "uri", "modality": "audio", "uri": uri(part.item_id, part.content_index)})
    return standard_json([{"role": "assistant", "parts": told, "finish_reason": response.status}])


def _attributes(said: Mapping[str, Any]) -> list[Json]:
    return [{"key": name, "value": _value(value)} for name, value in said.items() if value is not None]


def _value(value: Any) -> Json:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [_value(one) for one in cast("list[Any]", value)]}}
    return {"stringValue": str(value).encode(errors="backslashreplace").decode()}
