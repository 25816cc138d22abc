"""The page itself: HTML, style and script, put together; and the policy that lets just these run."""

from __future__ import annotations

import base64
import hashlib
import html
from dataclasses import dataclass
from functools import cache
from importlib import resources

SCRIPTS = (
    *("text", "blocks", "session", "sound", "sight", "lanes", "filter", "list", "detail", "conversation"),
    *("keys", "problems", "sessions", "page"),
)
"""In the order in which they build on each other; `page` starts."""


@dataclass(frozen=True)
class Skeleton:
    """A page without its data.

    Attributes:
        before, after: what stands before the blocks, and behind them; line feeds alone end their lines.
        policy: as a header says it.
    """

    before: bytes
    after: bytes
    policy: str


def skeleton(title: str, *, served: bool) -> Skeleton:
    """The page of a title.

    Args:
        served: it may ask the server that it came from.
    """
    script, style = _script(), _part("page.css")
    sources = [
        "default-src 'none'",
        f"script-src '{_digest(script)}'",
        f"style-src '{_digest(style)}'",
        "img-src data:",
        *(["connect-src 'self'"] if served else []),
        "base-uri 'none'",
        "form-action 'none'",
    ]
    policy = "; ".join(sources)
    before, after = _part("page.html").split("@DATA@\n")
    before = before.replace("@STYLE@", style).replace("@SCRIPT@", script)
    before = before.replace("@POLICY@", html.escape(policy))
    before = before.replace("@TITLE@", html.escape(title))  # last: a recording may have named it
    # Of a header only: a page in a meta element cannot say who may frame it.
    return Skeleton(_lone(before), _lone(after), policy + "; frame-ancestors 'none'")


@cache
def _script() -> str:
    """All scripts as one, in a function: nothing of them is global."""
    parts = "\n".join(_part(f"{name}.js").replace('"use strict";\n', "") for name in SCRIPTS)
    assert "</script" not in parts.lower()
    assert "<!--" not in parts
    return f'\n"use strict";\n(() => {{\n{parts}}})();\n'


@cache
def _part(name: str) -> str:
    text = (resources.files(__name__.rpartition(".")[0]) / "page" / name).read_bytes().decode()
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _digest(text: str) -> str:
    """As a policy names what may run: over the very bytes between the tags."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _lone(text: str) -> bytes:
    return text.encode(errors="backslashreplace")
