"""Who sees little, or nothing, or has no mouse: names, roles and values as the browser gives them to screen
readers, contrast in light and dark, the keyboard alone, and a thumb."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from realtape.viewer import write_page
from support.browser import Opened, opened
from support.calls_to_see import known_call

pytestmark = pytest.mark.browser

CONTRAST = """(() => {
    const parts = (colour) => {
        const [red, green, blue, alpha = 1] = colour.match(/[\\d.]+/g).map(Number);
        return [red, green, blue, alpha];
    };
    const over = (top, under) => [0, 1, 2].map((one) => top[one] * top[3] + under[one] * (1 - top[3]));
    const light = (colour) => {
        const [red, green, blue] = colour.map((one) => {
            const part = one / 255;
            return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const behind = (element) => {
        const layers = [];
        for (let one = element; one; one = one.parentElement) {
            layers.push(parts(getComputedStyle(one).backgroundColor));
            if (layers.at(-1)[3] === 1) break;
        }
        return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255]);
    };
    const found = [];
    for (const element of document.querySelectorAll("#page *")) {
        if (!element.checkVisibility({ opacityProperty: true }) || element.localName === "option") continue;
        if (![...element.childNodes].some((one) => one.nodeType === 3 && one.textContent.trim())) continue;
        const style = getComputedStyle(element);
        const ink = parts(style.color);
        for (let one = element; one; one = one.parentElement) ink[3] *= Number(getComputedStyle(one).opacity);
        const paper = behind(element);
        const [more, less] = [light(over(ink, paper)), light(paper)].sort((one, other) => other - one);
        found.push([(more + 0.05) / (less + 0.05), element.className, element.textContent.slice(0, 40)]);
    }
    return found;
})()"""
"""Of every text that is there: its contrast as WCAG 2.2 has it, and whose it is."""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "known.html"
    write_page([known_call()[0]], path, store="calls.db")
    return path


def whole(page: Opened) -> None:
    """Everything is there: an entry chosen, its chain, and what was cut off."""
    page.until("page.session.length === page.session.facts.entries")
    page.of("page.choose(page.session.placeOf(page.session.facts.story.tools[0].seq))")
    page.until("document.querySelectorAll('.chain .step').length > 2")


def told(page: Opened) -> list[tuple[str, str, dict[str, Any]]]:
    """Role, name and properties of what a screen reader is given."""
    nodes = page.page.context.new_cdp_session(page.page).send("Accessibility.getFullAXTree")["nodes"]
    found: list[tuple[str, str, dict[str, Any]]] = []
    for node in nodes:
        if not node["ignored"]:
            more = {one["name"]: one["value"].get("value") for one in node.get("properties", [])}
            name = node.get("name", {}).get("value") or ""
            found.append((node["role"]["value"], name, {**more, "value": node.get("value", {}).get("value")}))
    return found


def test_a_screen_reader_is_given_names_roles_and_values(chromium: Any, file: Path) -> None:
    with opened(chromium, file) as page:
        whole(page)
        nodes = told(page)
        names = {(role, name) for role, name, _ in nodes}
        assert {
            *(("region", one) for one in ("Problems", "Lanes", "Conversation", "Entries", "Detail")),
            ("log", "Transcript"),
            ("listbox", "Entries"),
            ("slider", "Place in the recording"),
            *(("slider", f"Volume: {one}") for one in ("User", "Generated", "Heard")),
            *(("button", f"solo: {one}") for one in ("User", "Generated", "Heard")),
            ("button", "Play, pause (Space)"),
        } <= names
        controls = [(role, name) for role, name, more in nodes if more.get("focusable") and role != "option"]
        assert all(name for _, name in controls)
        buttons = [name for role, name in controls if role == "button"]
        assert sorted(buttons) == sorted(set(buttons)), "no two are called the same"
        options = [name for role, name, _ in nodes if role == "option"]
        assert any("function_call" in one and "departure" in one for one in options)
        said = page.page.get_by_role("log", name="Transcript").inner_text()
        assert "Your train leaves" in said
        canvas = page.page.get_by_role("slider", name="Place in the recording")
        before = canvas.get_attribute("aria-valuetext")
        page.page.keyboard.press(".")
        page.until(f"document.querySelector('canvas.lanes').getAttribute('aria-valuetext') !== '{before}'")
        active = "page.list.box.getAttribute('aria-activedescendant')"
        chosen = page.of(f"document.getElementById({active}).ariaSelected")
        assert chosen == "true"
        page.page.get_by_role("button", name="Skip silence").click()
        assert ("button", "Skip silence", "true") in {
            (role, name, more.get("pressed")) for role, name, more in told(page)
        }


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_what_is_behind_it(chromium: Any, file: Path, scheme: str) -> None:
    with opened(chromium, file, scheme=scheme) as page:
        whole(page)
        found = page.of(CONTRAST)
        page.of("page.setAll(true)")
        page.page.get_by_role("button", name="State").click()
        page.page.get_by_role("button", name="Keys (?)").click()
        found += page.of(CONTRAST)
        assert len(found) > 150
        assert [one for one in found if one[0] < 4.5] == []


def test_the_keyboard_reaches_everything_and_is_seen(chromium: Any, file: Path) -> None:
    """By Tab, in the order of the page, around and around: nothing keeps it."""
    with opened(chromium, file) as page:
        whole(page)
        there = page.of(
            "[...document.querySelectorAll('button, input, select, a[href], [tabindex]')]"
            ".filter((one) => one.checkVisibility()).length"
        )
        page.of("document.activeElement.blur()")
        seen: list[str] = []
        for _ in range(there):
            page.page.keyboard.press("Tab")
            seen.append(
                page.of(
                    "(() => { const one = document.activeElement; one.dataset.seen = 'yes';"
                    " return one === document.body ? 'body' : getComputedStyle(one).outlineStyle; })()"
                )
            )
        assert set(seen) <= {"solid", "body"}, "where it stands is drawn around"
        assert page.of("document.querySelectorAll('[data-seen]').length") >= there - seen.count("body") > 20
        page.page.keyboard.press("Shift+Tab")
        assert page.of("document.activeElement !== document.body")


def test_on_a_phone_a_thumb_finds_every_control(chromium: Any, file: Path) -> None:
    """24 pixels each way, as WCAG 2.2 asks for."""
    with opened(chromium, file, width=390, height=844) as page:
        page.until("page.session.length === page.session.facts.entries")
        for pane in ("Conversation", "Entries", "Detail"):
            page.page.get_by_role("button", name=pane, exact=True).tap()
            small = page.of(
                "[...document.querySelectorAll('button, input, select, a[href]')]"
                ".filter((one) => one.checkVisibility())"
                ".map((one) => [one.outerHTML, one.getBoundingClientRect()])"
                ".filter(([, box]) => box.width < 24 || box.height < 24).map(([text]) => text)"
            )
            assert small == [], pane
