"""What the views of a store select. What each column means, and what it is where something is missing, says
`docs/derived.md`: a test holds the one against the other."""

from __future__ import annotations

from ..beta_names import GA_NAMES
from .sql_json import Sql

_ANNOUNCEMENTS = (
    "'response.created', 'response.done', 'response.output_item.added', 'response.content_part.added'"
)

_TOKENS = {
    "input_tokens": ("input_tokens",),
    "output_tokens": ("output_tokens",),
    "total_tokens": ("total_tokens",),
    "cached_tokens": ("input_token_details", "cached_tokens"),
    "input_text_tokens": ("input_token_details", "text_tokens"),
    "input_audio_tokens": ("input_token_details", "audio_tokens"),
    "input_image_tokens": ("input_token_details", "image_tokens"),
    "cached_text_tokens": ("input_token_details", "cached_tokens_details", "text_tokens"),
    "cached_audio_tokens": ("input_token_details", "cached_tokens_details", "audio_tokens"),
    "cached_image_tokens": ("input_token_details", "cached_tokens_details", "image_tokens"),
    "output_text_tokens": ("output_token_details", "text_tokens"),
    "output_audio_tokens": ("output_token_details", "audio_tokens"),
}
"""The column → where it lies in the usage of a response's message."""

_EVENT_TOKENS = {
    "input_tokens": ("usage", "input_tokens"),
    "output_tokens": ("usage", "output_tokens"),
    "total_tokens": ("usage", "total_tokens"),
    "input_text_tokens": ("input_tokens_details", "text_tokens"),
    "input_audio_tokens": ("input_tokens_details", "audio_tokens"),
    "input_image_tokens": ("input_tokens_details", "image_tokens"),
    "cached_text_tokens": ("input_tokens_details", "cached_tokens_details", "text_tokens"),
    "cached_audio_tokens": ("input_tokens_details", "cached_tokens_details", "audio_tokens"),
    "cached_image_tokens": ("input_tokens_details", "cached_tokens_details", "image_tokens"),
    "output_text_tokens": ("output_tokens_details", "text_tokens"),
    "output_audio_tokens": ("output_tokens_details", "audio_tokens"),
}
"""The same in the model's event of it; for the cached ones see `_event_tokens`."""


_FRAMED = (
    "EXISTS (SELECT 1 FROM entries AS f WHERE f.session = e.session AND f.kind IN ('frame_in', 'frame_out'))"
)
"""Of a session there are frames."""


def messages(sql: Sql) -> str:
    """Every message once, from the deepest place where a session holds it: frames, else raw messages."""
    payload = sql.payload()
    raw = f"coalesce({sql.object('payload_doc', 'data')}, {sql.object('payload_doc', 'value', 'data')})"
    type_of = sql.text("message", "type")
    cases = " ".join(f"WHEN '{old}' THEN '{new}'" for old, new in GA_NAMES.items())
    return f"""
WITH told AS MATERIALIZED (
  SELECT session, seq, at_ns, connection,
    CASE kind WHEN 'frame_in' THEN 'server' ELSE 'client' END AS side, {sql.frame()} AS message
  FROM entries WHERE kind IN ('frame_in', 'frame_out')
  UNION ALL
  SELECT session, seq, at_ns, connection, 'server', {raw}
  FROM (SELECT session, seq, at_ns, connection, {payload} AS payload_doc FROM entries AS e
    WHERE kind = 'received' AND type = 'raw_server_event' AND NOT {_FRAMED}) AS raw_events
), typed AS (SELECT told.*, {type_of} AS type FROM told)
SELECT session, seq, at_ns, connection, side,
  CASE type {cases} ELSE type END AS type,
  coalesce({sql.text("message", "response_id")}, {sql.text("message", "response", "id")}, '') AS response_id,
  message
FROM typed WHERE message IS NOT NULL"""


_RAW = (
    "EXISTS (SELECT 1 FROM entries AS r WHERE r.session = e.session AND r.kind = 'received' "
    "AND r.type = 'raw_server_event')"
)
"""Of a session there are raw messages."""

_BARE = f"NOT {_FRAMED} AND NOT {_RAW}"
"""Of a session there is nothing but the model's events."""


def _of_done(column: str) -> str:
    """What the message says with which a response ended."""
    return f"MAX(CASE WHEN type = 'response.done' AND nth = 1 THEN {column} END) AS {column}"


def _event_tokens(sql: Sql, column: str) -> str:
    if column == "cached_tokens":  # by the details, or by the sums
        told = sql.integer("usage", "input_tokens_details", "cached_tokens")
        return f"coalesce({told}, {sql.integer('usage', 'usage', 'input_tokens_details', 'cached_tokens')})"
    return sql.integer("usage", *_EVENT_TOKENS[column])


def _begun(sql: Sql) -> str:
    """Of an event `e`: the event with which the response began that goes on."""
    return f"""(SELECT {sql.payload()} FROM entries AS b WHERE b.session = e.session AND b.seq = (
      SELECT MAX(seq) FROM entries WHERE session = e.session AND kind = 'received' AND type = 'turn_started'
        AND seq < e.seq)
      AND b.seq > coalesce((SELECT MAX(seq) FROM entries WHERE session = e.session AND kind = 'received'
        AND type = 'turn_ended' AND seq < e.seq), -1))"""


def _spent(sql: Sql) -> str:
    """Of an event `e` with which a response ends: the event of its usage."""
    return f"""(SELECT {sql.payload()} FROM entries AS u WHERE u.session = e.session AND u.seq = (
      SELECT MAX(seq) FROM entries WHERE session = e.session AND kind = 'received' AND type = 'usage'
        AND seq < e.seq)
      AND u.seq > coalesce((SELECT MAX(seq) FROM entries WHERE session = e.session AND kind = 'received'
        AND type = 'turn_ended' AND seq < e.seq), -1))"""


def responses(sql: Sql) -> str:
    """Each response of the model."""
    doc = sql.payload()
    done = {name: sql.integer("done", "response", "usage", *path) for name, path in _TOKENS.items()}
    details = ("response", "status_details")
    reasons = [
        sql.text("done", *details, *keys)
        for keys in (("reason",), ("error", "type"), ("error", "code"), ("error", "message"))
    ]
    nothing = ", ".join(f"CAST(NULL AS TEXT) AS {name}" for name in ("status", "r1", "r2", "r3", "r4"))
    columns = ", ".join(_TOKENS)
    begun, spent = _begun(sql), _spent(sql)
    of_done = ", ".join(_of_done(name) for name in ("status", "r1", "r2", "r3", "r4", *_TOKENS))
    reason = """substr(
    CASE WHEN r1 <> '' THEN ': ' || r1 ELSE '' END
    || CASE WHEN r2 <> '' AND r2 <> coalesce(r1, '') THEN ': ' || r2 ELSE '' END
    || CASE WHEN r3 <> '' AND r3 NOT IN (coalesce(r1, ''), coalesce(r2, '')) THEN ': ' || r3 ELSE '' END
    || CASE WHEN r4 <> '' AND r4 NOT IN (coalesce(r1, ''), coalesce(r2, ''), coalesce(r3, ''))
      THEN ': ' || r4 ELSE '' END, 3)"""
    return f"""
WITH of_responses AS MATERIALIZED (
  SELECT session, seq, at_ns, connection, type, response_id,
    CASE type WHEN 'response.created' THEN message END AS created,
    CASE type WHEN 'response.done' THEN message END AS done
  FROM messages WHERE side = 'server' AND substr(type, 1, 9) = 'response.'
), by_message AS (
  SELECT session, seq, at_ns, connection, type, response_id,
    CASE WHEN {sql.is_null("created", "response", "conversation_id")} THEN 1 ELSE 0 END AS beside,
    {sql.text("done", "response", "status")} AS status,
    {", ".join(f"{one} AS r{n}" for n, one in enumerate(reasons, 1))},
    {", ".join(f"{one} AS {name}" for name, one in done.items())}
  FROM of_responses
), events AS (
  SELECT session, seq, at_ns, type, {doc} AS doc,
    CASE type WHEN 'function_call' THEN {begun} END AS begun,
    CASE type WHEN 'turn_ended' THEN {spent} END AS usage
  FROM entries AS e
  WHERE kind = 'received' AND type IN ('turn_started', 'turn_ended', 'audio', 'transcript_delta',
    'output_text_delta', 'function_call') AND {_BARE}
), by_event AS (
  SELECT session, seq, at_ns, CAST(NULL AS INTEGER) AS connection,
    CASE type WHEN 'turn_started' THEN 'response.created' WHEN 'turn_ended' THEN 'response.done'
      WHEN 'audio' THEN 'response.output_audio.delta' ELSE 'response.' || type END AS type,
    CASE WHEN type <> 'function_call' THEN coalesce({sql.text("doc", "response_id")}, '')
      WHEN begun IS NOT NULL THEN coalesce({sql.text("begun", "response_id")}, '') END AS response_id,
    0 AS beside, {nothing},
    {", ".join(f"{_event_tokens(sql, name)} AS {name}" for name in _TOKENS)}
  FROM events
), told AS (
  SELECT session, seq, at_ns, connection, type, response_id, beside, status, r1, r2, r3, r4, {columns}
  FROM by_message
  UNION ALL
  SELECT session, seq, at_ns, connection, type, response_id, beside, status, r1, r2, r3, r4, {columns}
  FROM by_event WHERE response_id IS NOT NULL
), numbered AS (
  SELECT told.*, SUM(CASE WHEN type = 'response.created' THEN 1 ELSE 0 END) OVER (
    PARTITION BY session, connection, response_id ORDER BY seq) AS nth_of_id
  FROM told
), placed AS (
  SELECT numbered.*, ROW_NUMBER() OVER (
    PARTITION BY session, connection, response_id, nth_of_id, type ORDER BY seq) AS nth
  FROM numbered WHERE nth_of_id > 0
), gathered AS (
  SELECT session, response_id, connection,
    MIN(seq) AS seq,
    MIN(CASE WHEN type = 'response.created' THEN at_ns END) AS began_ns,
    MIN(CASE WHEN type NOT IN ({_ANNOUNCEMENTS}) THEN at_ns END) AS first_byte_ns,
    MIN(CASE WHEN type = 'response.output_audio.delta' THEN at_ns END) AS first_sound_ns,
    MIN(CASE WHEN type = 'response.done' THEN at_ns END) AS ended_ns,
    MAX(CASE WHEN type = 'response.created' THEN beside ELSE 0 END) AS out_of_band,
    {of_done}
  FROM placed GROUP BY session, connection, response_id, nth_of_id
)
SELECT session, seq, response_id, connection, began_ns, first_byte_ns, first_sound_ns, ended_ns,
  CASE WHEN ended_ns IS NULL THEN 'open'
    WHEN coalesce(status, '') = '' THEN 'ended' ELSE status END AS status,
  CASE WHEN ended_ns IS NULL THEN '' ELSE {reason} END AS reason,
  out_of_band, {columns}
FROM gathered"""


def usage() -> str:
    """What the responses of each session cost together."""
    sums = ", ".join(f"SUM({name}) AS {name}" for name in _TOKENS)
    return f"SELECT session, COUNT(*) AS responses, {sums} FROM responses GROUP BY session"


def tools(sql: Sql) -> str:
    """Each call of a tool."""
    payload = sql.payload()
    whole = (
        "type = 'response.function_call_arguments.done' OR (type = 'response.output_item.done' "
        "AND item_type = 'function_call' AND item_status = 'completed')"
    )
    raw_output = ("message", "other_data", "item")
    return f"""
WITH told AS MATERIALIZED (
  SELECT session, seq, at_ns, connection, side, type, response_id,
    {sql.text("message", "item", "type")} AS item_type,
    {sql.text("message", "item", "status")} AS item_status,
    coalesce({sql.text("message", "item", "call_id")}, {sql.text("message", "call_id")}, '') AS call_id,
    coalesce({sql.text("message", "item", "name")}, {sql.text("message", "name")}) AS name,
    coalesce({sql.text("message", "item", "arguments")}, {sql.text("message", "arguments")}, '') AS arguments,
    coalesce({sql.text("message", "item", "output")}, '') AS output
  FROM messages
  UNION ALL
  SELECT session, seq, at_ns, CAST(NULL AS INTEGER), 'server', 'response.output_item.done',
    coalesce({sql.text("begun", "response_id")}, ''), 'function_call', 'completed',
    coalesce({sql.text("doc", "call_id")}, ''), {sql.text("doc", "name")},
    coalesce({sql.text("doc", "arguments")}, ''), ''
  FROM (SELECT session, seq, at_ns, {payload} AS doc,
      {_begun(sql)} AS begun
    FROM entries AS e WHERE kind = 'received' AND type = 'function_call' AND {_BARE}) AS calls
  UNION ALL
  SELECT session, seq, at_ns, CAST(NULL AS INTEGER), 'client', 'conversation.item.create', '',
    'function_call_output', CAST(NULL AS TEXT),
    coalesce({sql.text("doc", "tool_call", "call_id")}, ''), CAST(NULL AS TEXT), '',
    coalesce({sql.text("doc", "output")}, '')
  FROM (SELECT session, seq, at_ns, {payload} AS doc FROM entries AS e
    WHERE kind = 'sent' AND type = 'send_tool_output' AND NOT {_FRAMED}) AS outputs
  UNION ALL
  SELECT session, seq, at_ns, CAST(NULL AS INTEGER), 'client', {sql.text("doc", "message", "type")}, '',
    {sql.text("doc", *raw_output, "type")}, CAST(NULL AS TEXT),
    coalesce({sql.text("doc", *raw_output, "call_id")}, ''), CAST(NULL AS TEXT), '',
    coalesce({sql.text("doc", *raw_output, "output")}, '')
  FROM (SELECT session, seq, at_ns, {payload} AS doc FROM entries AS e
    WHERE kind = 'sent' AND type = 'send_raw_message' AND NOT {_FRAMED}) AS raw_messages
), named AS (
  SELECT told.*, FIRST_VALUE(name) OVER (
    PARTITION BY session, connection, call_id
    ORDER BY CASE WHEN side = 'server' AND item_type = 'function_call' THEN 0 ELSE 1 END, seq) AS known_name
  FROM told
), calls AS (
  SELECT * FROM (
    SELECT named.*, ROW_NUMBER() OVER (PARTITION BY session, connection, call_id ORDER BY seq) AS nth
    FROM named WHERE side = 'server' AND ({whole})) AS every_call
  WHERE nth = 1
), outputs AS (
  SELECT calls.session, calls.seq AS call_seq, MIN(told.seq) AS seq
  FROM calls JOIN told ON told.session = calls.session AND told.call_id = calls.call_id
    AND coalesce(told.connection, -1) = coalesce(calls.connection, -1) AND told.seq > calls.seq
    AND told.side = 'client' AND told.type = 'conversation.item.create'
    AND told.item_type = 'function_call_output'
  GROUP BY calls.session, calls.seq
), spans AS (
  SELECT calls.session, calls.seq, calls.call_id,
    coalesce(nullif(calls.name, ''), calls.known_name, '') AS name, calls.arguments, calls.response_id,
    calls.connection, calls.at_ns AS began_ns, told.at_ns AS ended_ns, told.output, told.seq AS output_seq
  FROM calls
  LEFT JOIN outputs ON outputs.session = calls.session AND outputs.call_seq = calls.seq
  LEFT JOIN told ON told.session = outputs.session AND told.seq = outputs.seq
    AND told.type = 'conversation.item.create'
)
SELECT session, seq, call_id, name, arguments, response_id, connection, began_ns, ended_ns,
  CAST(ended_ns - began_ns AS DOUBLE PRECISION) / 1e6 AS duration_ms, output, output_seq,
  (SELECT COUNT(*) FROM spans AS other WHERE other.session = spans.session AND other.seq <> spans.seq
    AND coalesce(other.connection, -1) = coalesce(spans.connection, -1)
    AND (spans.output_seq IS NULL OR other.seq < spans.output_seq)
    AND (other.output_seq IS NULL OR other.output_seq > spans.seq)) AS beside
FROM spans"""


def connections(sql: Sql) -> str:
    """Each connection."""
    doc = sql.payload()
    raised = (
        f"coalesce(nullif({sql.text('doc', 'raised', 'name')}, ''), {sql.text('doc', 'raised', '$')}, '')"
    )
    name = f"CASE WHEN substr({raised}, 1, 3) = 'py:' THEN substr({raised}, 4) ELSE {raised} END"
    told = (
        f"coalesce(nullif({sql.text('doc', 'raised', '$text')}, ''), {sql.text('doc', 'raised', 'text')}, '')"
    )
    outcome = sql.text("doc", "outcome")
    return f"""
WITH kinds AS (
  SELECT session, seq, at_ns, kind, type, coalesce(connection, -1) AS number,
    MAX(CASE WHEN kind IN ('close', 'socket_close') THEN 1 ELSE 0 END) OVER (
      PARTITION BY session, connection ORDER BY seq) AS closing,
    CASE WHEN kind IN ('received', 'frame_in', 'sent', 'frame_out') THEN NULL ELSE {doc} END AS doc
  FROM entries WHERE kind IN ('connect', 'connected', 'connect_failed', 'close', 'closed', 'socket',
    'socket_opened', 'socket_close', 'socket_failed', 'socket_ended', 'socket_closed', 'received',
    'frame_in', 'sent', 'frame_out')
), facts AS (
  SELECT session, seq, at_ns, kind, number,
    coalesce(nullif({sql.text("doc", "url")}, ''), {sql.text("doc", "options", "url")}, '') AS url,
    coalesce({sql.text("doc", "dialect")}, '') AS dialect,
    CASE WHEN kind IN ('connect_failed', 'socket_failed') THEN 'failed'
      WHEN kind = 'socket_ended' OR (kind = 'received' AND type = 'end_of_stream')
        THEN CASE closing WHEN 1 THEN 'closed' ELSE 'ended' END
      WHEN kind IN ('closed', 'socket_closed') AND coalesce({outcome}, 'returned') = 'returned' THEN 'closed'
    END AS how,
    CASE WHEN kind IN ('connect_failed', 'socket_failed') THEN {name} ELSE '' END AS raised_name,
    CASE WHEN kind IN ('connect_failed', 'socket_failed') THEN {told} ELSE '' END AS raised_text,
    coalesce({sql.text("doc", "reason")}, '') AS said, coalesce({sql.text("doc", "how")}, '') AS said_how,
    nullif({sql.integer("doc", "code")}, 0) AS code
  FROM kinds
), begins AS (
  SELECT session, number, MIN(seq) AS seq FROM facts WHERE kind IN ('connect', 'socket')
  GROUP BY session, number
), ends AS (
  SELECT * FROM (
    SELECT facts.*, ROW_NUMBER() OVER (PARTITION BY facts.session, facts.number ORDER BY facts.seq) AS nth
    FROM facts JOIN begins ON begins.session = facts.session AND begins.number = facts.number
      AND facts.seq > begins.seq
    WHERE how IS NOT NULL) AS every_end
  WHERE nth = 1
), codes AS (
  SELECT * FROM (
    SELECT facts.*, ROW_NUMBER() OVER (PARTITION BY facts.session, facts.number ORDER BY facts.seq) AS nth
    FROM facts JOIN begins ON begins.session = facts.session AND begins.number = facts.number
      AND facts.seq > begins.seq
    WHERE facts.kind IN ('socket_ended', 'socket_closed', 'closed') AND how IS NOT NULL) AS every_code
  WHERE nth = 1
), counted AS (
  SELECT begins.session, begins.number,
    MAX(CASE WHEN facts.kind IN ('connected', 'socket_opened') THEN facts.at_ns END) AS opened_ns,
    SUM(CASE WHEN facts.kind IN ('received', 'frame_in') THEN 1 ELSE 0 END) AS received,
    SUM(CASE WHEN facts.kind IN ('sent', 'frame_out') THEN 1 ELSE 0 END) AS sent
  FROM begins JOIN facts ON facts.session = begins.session AND facts.number = begins.number
    AND facts.seq >= begins.seq
  GROUP BY begins.session, begins.number
)
SELECT begins.session, begins.seq, nullif(begins.number, -1) AS number, b.url, b.dialect, b.at_ns AS began_ns,
  counted.opened_ns, ends.at_ns AS ended_ns, coalesce(ends.how, 'open') AS how, codes.code,
  CASE ends.kind WHEN 'socket_ended' THEN coalesce(nullif(ends.said, ''), ends.said_how)
    WHEN 'closed' THEN ends.said WHEN 'socket_closed' THEN ends.said
    WHEN 'received' THEN '' ELSE
      CASE WHEN ends.raised_name <> '' AND ends.raised_text <> ''
        THEN ends.raised_name || ': ' || ends.raised_text
        ELSE coalesce(ends.raised_name, '') || coalesce(ends.raised_text, '') END END AS reason,
  counted.received, counted.sent
FROM begins
JOIN facts AS b ON b.session = begins.session AND b.seq = begins.seq
JOIN counted ON counted.session = begins.session AND counted.number = begins.number
LEFT JOIN ends ON ends.session = begins.session AND ends.number = begins.number
LEFT JOIN codes ON codes.session = begins.session AND codes.number = begins.number"""
