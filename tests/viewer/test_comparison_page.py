"""The page of two recordings, as data: what lies beside what, and that a redacted one tells no more."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from realtape.lab import ChainComparison
from realtape.session import Draft
from realtape.viewer import links_of, write_comparison
from support.calls_to_see import known_call
from support.fixtures import header
from support.pages import blocks_of

MAIL = "jana.novakova@posta.example"
OUTPUT = 48
"""The entry that answers the tool."""


def answering(text: str, previous: Draft | None = None) -> Draft:
    """The known call, with another answer of the tool."""
    call = known_call()[0]
    entries = (one._replace(payload=one.payload.replace("9:15, platform 4", text)) for one in call.entries)
    kept = header(previous=None if previous is None else previous.header.id)
    return dataclasses.replace(call, header=kept, entries=tuple(entries)).sealed()


def written(
    path: Path, a: list[Draft], b: list[Draft], **more: Any
) -> tuple[ChainComparison, dict[str, Any]]:
    comparison = write_comparison(a, b, path, store="calls.db", other_store=None, redact={}, **more)
    return comparison, json.loads(blocks_of(path.read_text())["head"])["comparison"]


def test_what_a_report_quotes_is_redacted_with_the_page(tmp_path: Path) -> None:
    a, b = answering(MAIL), answering(f"ask {MAIL}")
    told = [(a.header.id, OUTPUT, f"changed: send_tool_output: '{MAIL}' → 'ask {MAIL[:12]}…'")]
    _, facts = written(tmp_path / "page.html", [a], [b], divergences=told)
    assert "changed: send_tool_output" in facts["pairs"][0]["problems"][0]["text"]
    for block in blocks_of((tmp_path / "page.html").read_text()).values():
        assert b"jana.nov" not in block


def test_a_divergence_lies_in_its_own_session(tmp_path: Path) -> None:
    """Also where entries of both have the same number; one that lies nowhere stands with the first."""
    one = answering("4")
    two = answering("4", one)
    first = answering("4")
    other = answering("5", first)
    told = [(two.header.id, OUTPUT, "changed"), (two.header.id, None, "exhausted"), ("", None, "no session")]
    comparison, facts = written(tmp_path / "page.html", [one, two], [first, other], divergences=told)
    said = [
        [each["text"] for each in pair["problems"] if each["what"] == "diverged"] for pair in facts["pairs"]
    ]
    assert said == [["no session"], ["changed", "exhausted"]]
    assert (facts["first"], comparison.total, comparison.verdict) == (0, 1, "different")
    (link,) = links_of(tmp_path / "page.html", [one, two], told)
    assert link.endswith(f"?t=0.760s#{two.header.id}/{OUTPUT}")


def test_who_goes_on_alone_is_told(tmp_path: Path) -> None:
    one = answering("4")
    two = answering("4", one)
    comparison, facts = written(tmp_path / "page.html", [answering("4")], [one, two])
    assert (len(comparison.only_a), len(comparison.only_b)) == (0, 1)
    assert facts["text"] == "A and B differ: 1 session in B only."
    assert [(pair["a"], pair["b"]) for pair in facts["pairs"]] == [("0", "1"), (None, "2")]
    assert facts["first"] == 1
    assert facts["pairs"][1]["problems"][0]["what"] == "only in B"
