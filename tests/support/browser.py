"""Debian's Chromium, driven by Playwright: one process for all tests, and a note of all that it says."""

from __future__ import annotations

import importlib
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--autoplay-policy=no-user-gesture-required",
]


@dataclass
class Opened:
    """A page in the browser.

    Attributes:
        page: Playwright's.
        said: errors and warnings of the console, and what was raised.
        asked: the addresses of all requests.
    """

    page: Any
    said: list[str] = field(default_factory=list[str])
    asked: list[str] = field(default_factory=list[str])

    def of(self, expression: str, argument: Any = None) -> Any:
        """The value of an expression in the page; `page` is our own."""
        return self.page.evaluate(
            f"async (argument) => {{ const page = realtape.page; return {expression}; }}", argument
        )

    def until(self, expression: str) -> None:
        """Wait until an expression is true in the page."""
        self.page.wait_for_function(f"() => {{ const page = realtape.page; return {expression}; }}")


@contextmanager
def browser() -> Generator[Any]:
    """The process."""
    api: Any = importlib.import_module("playwright.sync_api")  # only these tests need it
    with api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@contextmanager
def opened(
    chromium: Any,
    address: Path | str,
    *,
    width: int = 1280,
    height: int = 800,
    scheme: str = "light",
    scale: float = 1,
) -> Generator[Opened]:
    """A page, once it shows its recording."""
    context = chromium.new_context(
        viewport={"width": width, "height": height},
        color_scheme=scheme,
        device_scale_factor=scale,
        has_touch=width < 600,
    )
    context.set_default_timeout(20_000)
    one = Opened(context.new_page())

    def says(said: Any) -> None:
        if said.type in ("error", "warning"):
            one.said.append(said.text)

    def fails(error: object) -> None:
        one.said.append(str(error))

    def asks(request: Any) -> None:
        one.asked.append(request.url)

    one.page.on("console", says)
    one.page.on("pageerror", fails)
    context.on("request", asks)
    one.page.goto(address if isinstance(address, str) else address.as_uri())
    one.page.wait_for_function("() => window.realtape && (realtape.page || realtape.error)")
    yield one
    context.close()
