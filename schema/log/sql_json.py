"""How SQLite and PostgreSQL are asked about JSON in a text: what is none is null, and no error."""

from __future__ import annotations

from typing import Protocol


class Sql(Protocol):
    """How a database is asked about JSON. A `doc` is an expression that is an object, or null."""

    def payload(self) -> str:
        """The payload of an entry, as a doc."""
        ...

    def object(self, doc: str, *keys: str) -> str:
        """An object in a doc, else null."""
        ...

    def text(self, doc: str, *keys: str) -> str:
        """A text in a doc, that any tool can show; else null."""
        ...

    def integer(self, doc: str, *keys: str) -> str:
        """An integer in a doc, else null."""
        ...

    def is_null(self, doc: str, *keys: str) -> str:
        """Whether there is a null in a doc."""
        ...

    def frame(self) -> str:
        """The message in the frame of an entry, without its audio, as a doc."""
        ...


class SqliteSql:
    """SQLite's. Within `CASE`, for a function of JSON raises where it is given none."""

    def payload(self) -> str:
        return "CASE WHEN json_valid(payload) THEN CASE json_type(payload) WHEN 'object' THEN payload END END"

    def object(self, doc: str, *keys: str) -> str:
        path = self._path(keys)
        return f"CASE json_type({doc}, {path}) WHEN 'object' THEN {doc} -> {path} END"

    def text(self, doc: str, *keys: str) -> str:
        path = self._path(keys)
        node, told = f"({doc} -> {path})", f"({doc} ->> {path})"
        shown = f"substr({node}, 2, length({node}) - 2)"
        # Half of a pair comes out as the bytes ED A0 to ED BF; a whole pair does not.
        half = f"instr(hex({told}), 'EDA') OR instr(hex({told}), 'EDB')"
        odd = rf"instr({node}, '\u0000') OR (instr(lower({node}), '\ud') AND ({half}))"
        return (
            f"CASE json_type({doc}, {path}) WHEN 'text' THEN CASE WHEN {odd} THEN {shown} ELSE {told} END END"
        )

    def integer(self, doc: str, *keys: str) -> str:
        path = self._path(keys)
        return f"CASE json_type({doc}, {path}) WHEN 'integer' THEN {doc} ->> {path} END"

    def is_null(self, doc: str, *keys: str) -> str:
        return f"coalesce(json_type({doc}, {self._path(keys)}) = 'null', 0)"

    def frame(self) -> str:
        pieces = (
            "(SELECT group_concat(value, '') FROM (SELECT value FROM json_each(payload, '{}') "
            "WHERE type = 'text' ORDER BY key))"
        )
        told = (
            "CASE WHEN json_valid(payload) THEN CASE WHEN json_type(payload) = 'array' "
            f"THEN {pieces.format('$')} WHEN json_type(payload, '$.pieces') = 'array' "
            f"THEN {pieces.format('$.pieces')} END END"
        )
        # SQLite cuts a text at a NUL: what was behind it nobody sees. (Escaped backslashes begin no escape.)
        nul = r"instr(replace(payload, '\\', ''), '\u0000')"
        whole = f"json_valid(told) AND NOT {nul}"
        guarded = f"CASE WHEN {whole} THEN CASE json_type(told) WHEN 'object' THEN told END END"
        return f"(SELECT {guarded} FROM (SELECT {told} AS told))"

    def _path(self, keys: tuple[str, ...]) -> str:
        return "'$" + "".join(f'."{key}"' for key in keys) + "'"


class PostgresqlSql:
    """PostgreSQL's. `realtape_json` makes what JSON it can of a text, and null of the rest."""

    def payload(self) -> str:
        return "realtape_json(payload)"

    def object(self, doc: str, *keys: str) -> str:
        node = self._node(doc, keys)
        return f"CASE json_typeof({node}) WHEN 'object' THEN {node} END"

    def text(self, doc: str, *keys: str) -> str:
        node = self._node(doc, keys)
        return f"CASE json_typeof({node}) WHEN 'string' THEN {node} #>> '{{}}' END"

    def integer(self, doc: str, *keys: str) -> str:
        node = self._node(doc, keys)
        digits = rf"({node} #>> '{{}}') ~ '^-?[0-9]{{1,18}}$'"
        return f"CASE WHEN json_typeof({node}) = 'number' AND {digits} THEN ({node} #>> '{{}}')::bigint END"

    def is_null(self, doc: str, *keys: str) -> str:
        return f"coalesce(json_typeof({self._node(doc, keys)}) = 'null', false)"

    def frame(self) -> str:
        told = "realtape_json_any(payload)"
        pieces = f"CASE json_typeof({told}) WHEN 'array' THEN {told} ELSE {told} -> 'pieces' END"
        array = f"CASE json_typeof({pieces}) WHEN 'array' THEN {pieces} ELSE '[]'::json END"
        joined = (
            "(SELECT string_agg(piece #>> '{}', '' ORDER BY place) "
            f"FROM json_array_elements({array}) WITH ORDINALITY AS one(piece, place) "
            "WHERE json_typeof(piece) = 'string')"
        )
        return f"realtape_json({joined})"

    def _node(self, doc: str, keys: tuple[str, ...]) -> str:
        return f"({doc}" + "".join(f" -> '{key}'" for key in keys) + ")"


FUNCTIONS = (
    r"""
CREATE OR REPLACE FUNCTION realtape_json_any(told text) RETURNS json LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  -- Whole pairs are set aside, then what JSON may hold and a text here may not is shown as its escape.
  told := regexp_replace(told, '(?<!\\)((?:\\\\)*)\\(u[dD][89abAB]..)\\(u[dD][c-fC-F]..)',
    '\1' || chr(1) || '\2' || chr(1) || '\3', 'g');
  told := regexp_replace(told, '(?<!\\)((?:\\\\)*)\\(u0000|u[dD][89a-fA-F][0-9a-fA-F]{2})', '\1\\\\\2', 'g');
  RETURN replace(told, chr(1), '\')::json;
EXCEPTION WHEN data_exception THEN
  RETURN NULL;
END $$
""",
    """
CREATE OR REPLACE FUNCTION realtape_json(told text) RETURNS json LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE json_typeof(one) WHEN 'object' THEN one END FROM (SELECT realtape_json_any(told) AS one) AS
parsed $$
""",
)
"""What `PostgresqlSql` calls, to be made before the views."""
