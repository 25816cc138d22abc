"""What is told as JSON is JSON in every language, whatever numbers a recording holds."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from realtape.cli import main
from realtape.schema.codec import finite, standard_json, to_json
from realtape.schema.entries import Entry, Kind
from realtape.schema.log import locate
from realtape.session import Draft
from realtape.session.drafts import write_drafts
from realtape.session.redaction import redacted
from support.calls_to_see import known_call
from support.pages import blocks_of

TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


def strictly(text: str | bytes) -> Any:
    """As those read it who do not know Python's words."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


@given(TREES)
@example({"Infinity": ['-Infinity, NaN "Infinity', float("inf"), float("-inf"), float("nan")]})
def test_a_tree_is_standard_and_reads_back(tree: Any) -> None:
    for text in (standard_json(tree), standard_json(tree, unicode=True, indent=1)):
        assert repr(strictly(text)) == repr(without_nan(tree))
    to_json(finite(tree))  # raises nothing


def without_nan(tree: Any) -> Any:
    if isinstance(tree, float) and tree != tree:
        return None
    if isinstance(tree, list):
        return [without_nan(one) for one in cast("list[Any]", tree)]
    if isinstance(tree, dict):
        return {key: without_nan(one) for key, one in cast("dict[str, Any]", tree).items()}
    return tree


def beyond_floats() -> Draft:
    """A call in which numbers stand that only text can hold, in a message, a setting, a note; and no JSON."""
    draft, _ = known_call()
    told = '{"$":"raw_server_event","data":{"type":"session.updated","session":{"temperature":1e999}}}'
    used = '{"$":"raw_server_event","data":{"type":"response.done","response":{"id":"r","status":"completed",'
    entries = [
        *draft.entries,
        Entry(0, 0, 0, 0, Kind.RECEIVED, "raw_server_event", payload=told),
        Entry(
            0,
            0,
            0,
            0,
            Kind.RECEIVED,
            "raw_server_event",
            payload=used + '"usage":{"total_tokens":1e999,"input_tokens":-1e999}}}}',
        ),
        Entry(0, 0, 0, 0, Kind.MARKER, payload='{"text":"call me: 030 901820 11","data":[1e999,-1e999]}'),
        Entry(0, 0, 0, 0, Kind.MARKER, payload="no JSON: jane@example.com"),
    ]
    last_ns = draft.entries[-1].at_ns
    numbered = [
        one._replace(seq=seq, at_ns=min(one.at_ns or last_ns, last_ns)) for seq, one in enumerate(entries)
    ]
    return dataclasses.replace(draft, entries=tuple(numbered)).sealed()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("odd") / "odd.db"
    write_drafts(locate(path), [beyond_floats()])
    return path


def realtape(*arguments: object) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()) as said:
        code = main([str(one) for one in arguments])
    assert code in (0, 1, 3), said.getvalue()
    return out.getvalue()


def test_every_command_that_prints_json_prints_json(store: Path) -> None:
    lines = realtape("show", store, "--json").splitlines()
    payloads = [strictly(line)["payload"] for line in lines]
    assert payloads[-2]["data"] == [float("inf"), float("-inf")]
    assert payloads[-1] == "no JSON: jane@example.com"
    for command in (
        *(("stats", store, "--table", one, "--json") for one in ("responses", "turns", "latency")),
        ("ls", store, "--json"),
        ("heard", store, "--json"),
        ("check", store, "--json"),
        ("diff", store, store, "--json"),
    ):
        assert strictly(realtape(*command)) is not None, command


def test_pages_and_exports_hold_json_redacted_or_not(store: Path, tmp_path: Path) -> None:
    for number, how in enumerate(((), ("--no-redact",))):
        page, spans = tmp_path / f"{number}.html", tmp_path / f"{number}.json"
        realtape("export", store, "--html", page, *how)
        blocks = blocks_of(page.read_text())
        for name, data in blocks.items():
            if not {"peaks", "sound"} & set(name.split("/")):
                strictly(data)
        rows = strictly(blocks["0/rows/0"])
        assert strictly(rows[-2][-1])["payload"]["data"][0] in (
            float("inf"),
            {"$": "py:float", "text": "inf"},
        )
        assert ("jane@example.com" in rows[-1][-1]) == bool(how)
        realtape("export", store, spans, "--otlp", *how)
        assert strictly(spans.read_bytes())["resourceSpans"]
    realtape("export", store, tmp_path / "fixture")


def test_what_is_no_json_is_redacted_as_text() -> None:
    (draft,) = redacted([beyond_floats()])
    assert "jane@example.com" not in draft.entries[-1].payload
    assert "030 901820 11" not in draft.entries[-2].payload
