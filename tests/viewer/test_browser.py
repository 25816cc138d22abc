"""The page in a browser: what is seen, heard, sought and followed; and that no recording makes it act."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from realtape.schema import Entry, Kind, Status
from realtape.schema.codec import to_json
from realtape.schema.log import locate
from realtape.session.derived import g711_samples
from realtape.session.drafts import Draft, write_drafts
from realtape.session.fields import mapping, payload
from realtape.session.fixture import read_fixture
from realtape.session.redaction import redacted
from realtape.viewer import AudioKept, write_comparison, write_page
from realtape.viewer.gathering import INDEX_ENTRIES
from realtape.viewer.waveforms import lowered, samples_of
from support.browser import Opened, opened
from support.calls_to_see import (
    BEGIN_MS,
    HEARD_MS,
    HOSTILE,
    LENGTH_MS,
    MS,
    ODD_KEYS,
    RATE_HZ,
    hostile_call,
    known_call,
    odd_call,
    paused_call,
    spoken_in,
)
from support.depths import framed
from support.fixtures import header, marker, numbered
from support.live_store import LiveSession, live_session
from support.view_socket import TOKEN, serving

pytestmark = pytest.mark.browser

FIXTURES = Path(__file__).parent.parent.parent / "fixtures"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    write_page(redacted(read_fixture(FIXTURES / "demo")), folder / "demo.html", store="demo.db")
    write_page(redacted(read_fixture(FIXTURES / "switchboard")), folder / "switchboard.html", store="s.db")
    write_page([known_call()[0]], folder / "known.html", store="calls.db")
    call = known_call()[0]
    changed = dataclasses.replace(call, entries=tuple(map(_answers_otherwise, call.entries)))
    told = [(call.header.id, 48, "the application sent a tool output other than the recorded one")]
    write_comparison(
        [call],
        [changed.sealed()],
        folder / "two.html",
        store="calls.db",
        other_store=None,
        redact={},
        divergences=told,
    )
    write_page([hostile_call()], folder / "hostile.html", store=HOSTILE)
    return folder


def _answers_otherwise(entry: Entry) -> Entry:
    return entry._replace(payload=entry.payload.replace("9:15, platform 4", "9:40, platform 2"))


@pytest.fixture
def known(chromium: Any, files: Path) -> Generator[Opened]:
    with opened(chromium, files / "known.html") as page:
        yield page
        assert page.said == []
        assert {url.partition("#")[0] for url in page.asked} == {(files / "known.html").as_uri()}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    store = tmp_path_factory.mktemp("store") / "calls.db"
    write_drafts(locate(store), [known_call()[0], hostile_call()])
    with serving(store) as server:
        yield f"http://127.0.0.1:{server.port}/{TOKEN}/"


def press(page: Opened, *keys: str) -> None:
    for key in keys:
        page.page.keyboard.press(key)


def text_of(page: Opened, selector: str) -> str:
    return str(page.page.locator(selector).first.inner_text())


def test_the_demo_opens_from_the_disk_and_asks_nobody(chromium: Any, files: Path) -> None:
    with opened(chromium, files / "demo.html") as page:
        page.until("page.session.length === page.session.facts.entries")
        page.of("page.player.play()")
        page.until("page.player.now > 1e7")
        assert page.said == []
        assert [url.partition("#")[0] for url in page.asked] == [(files / "demo.html").as_uri()]
        assert "Your train leaves at" in text_of(page, ".conversation")
        assert page.of("page.lanes.hits.filter((one) => one.text.includes('cut off')).length") >= 2
        assert page.of("document.querySelector('canvas.lanes').getAttribute('aria-valuetext')")


def test_what_is_heard_is_the_heard_lane_to_the_sample(known: Opened) -> None:
    """Rendered by the browser itself, at the rate at which it was recorded."""
    model = samples_of(known_call()[1])
    rendered = known.of("Array.from(await realtape.render(page.session, 'heard', 4e8, 14e8, 24000))")
    begin, heard = (BEGIN_MS - 400) * RATE_HZ // 1000, HEARD_MS * RATE_HZ // 1000
    assert [round(one * 32768) for one in rendered[begin : begin + heard]] == list(model[:heard])
    assert not any(rendered[:begin])
    assert not any(rendered[begin + heard :])
    generated = known.of("Array.from(await realtape.render(page.session, 'model', 5e8, 15e8, 24000))")
    assert [round(one * 32768) for one in generated] == list(model)
    cut = known.of("page.lanes.hits.find((one) => one.text.includes('cut off'))")
    assert f"{LENGTH_MS - HEARD_MS} ms of it were cut off" in cut["text"]
    stretch = known.of("page.session.facts.sound.lanes.model[0]")
    assert stretch["heard_until_ns"] == (BEGIN_MS + HEARD_MS) * MS


def test_sound_that_was_encoded_is_decoded_by_the_browser(chromium: Any, tmp_path: Path) -> None:
    """FLAC to the sample, also of what was heard; Opus in its place, near to what was recorded, and told."""
    draft, sound = known_call()
    model = samples_of(sound)
    rendered: dict[str, list[int]] = {}
    for kept in (AudioKept.FLAC, AudioKept.OPUS):
        page = tmp_path / f"{kept}.html"
        write_page([draft], page, store="calls.db", audio=kept)
        with opened(chromium, page) as one:
            floats = one.of("Array.from(await realtape.render(page.session, 'heard', 5e8, 15e8, 24000))")
            rendered[kept] = [round(sample * 32768) for sample in floats]
            assert kept in text_of(one, ".notices").lower()
            assert one.said == []
    heard = HEARD_MS * RATE_HZ // 1000
    assert rendered["flac"] == [*model[:heard], *[0] * (len(model) - heard)]
    assert rendered["opus"][heard:] == [0] * (len(model) - heard)
    inside = slice(2400, heard - 2400)
    power = sum(one * one for one in model[inside])
    off = zip(model[inside], rendered["opus"][inside], strict=True)
    wrong = sum((one - other) ** 2 for one, other in off)
    assert 0 < wrong < power / 50, "lossy, and in its place: two samples of this tone would be more"


@pytest.mark.parametrize(
    ("format", "rate", "kept", "kept_rate"),
    [
        ({"type": "audio/pcm", "rate": 24_000}, 24_000, AudioKept.LOW, 16_000),
        ({"type": "audio/pcm", "rate": 16_000}, 16_000, AudioKept.LOW, 16_000),
        ({"type": "audio/pcmu"}, 8_000, AudioKept.LOW, 8_000),
        ({"type": "audio/pcma"}, 8_000, None, 8_000),
    ],
)
def test_of_every_format_the_heard_lane_is_what_was_heard_to_the_sample(
    chromium: Any, tmp_path: Path, format: dict[str, Any], rate: int, kept: AudioKept | None, kept_rate: int
) -> None:
    """At a lower rate, too: 300 ms of half a second, in pieces of 37 ms."""
    width = 1 if rate == 8_000 else 2
    pieces = [rate * 37 // 1000 * width] * 13 + [rate * 19 // 1000 * width]
    heard_ms = 300 if width == 1 else 300 * rate / 24_000  # as the SDK counts
    draft, sound = spoken_in(format, pieces, heard_ms)
    write_page([draft], tmp_path / "page.html", store="calls.db", audio=kept)
    if width == 1:
        table = g711_samples("g711_ulaw" if format["type"] == "audio/pcmu" else "g711_alaw")
        samples = [table[byte] for byte in sound]
    else:
        samples = list(samples_of(sound if kept_rate == rate else lowered(sound, rate)))
    with opened(chromium, tmp_path / "page.html") as page:
        (stretch,) = page.of("page.session.facts.sound.lanes.model")
        begin_ns, end_ns, heard_ns = (stretch[f"{name}_ns"] for name in ("begin", "end", "heard_until"))
        assert heard_ns - begin_ns == pytest.approx(300 * MS, abs=MS)
        render = f"Array.from(await realtape.render(page.session, 'heard', ...argument, {kept_rate}))"
        rendered = page.of(render, [begin_ns, end_ns])
        heard = 300 * kept_rate // 1000
        assert [round(one * 32768) for one in rendered[:heard]] == samples[:heard]
        assert not any(rendered[heard:])
        assert ("16 kHz" in text_of(page, ".notices")) == (kept_rate < rate)
        assert page.said == []


def test_playing_goes_on_at_its_speed_and_drives_everything(known: Opened) -> None:
    known.page.locator(".speed").select_option("4")
    press(known, "Space")
    known.until("!page.player.playing && page.player.ns === page.session.durationNs")
    assert "now" in known.page.locator(".said").last.get_attribute("class")
    press(known, "Home", "k")
    known.until("page.player.skips")
    press(known, "Space")
    known.until("page.player.legs.length > 0")
    assert known.of("page.player.loud.length") == 1, "what the user says goes on in what the model says"
    press(known, "Space")


def test_seeking_by_click_and_by_key_and_the_state_there(known: Opened) -> None:
    known.until("page.session.length > 0")
    canvas = known.page.locator("canvas.lanes")
    box = canvas.bounding_box()
    canvas.click(position={"x": box["width"] / 2, "y": 40})
    middle = known.of("page.player.ns")
    assert middle == pytest.approx(known.of("page.range.length") / 2, rel=0.01)
    press(known, "Home")
    assert known.of("page.player.ns") == 0
    press(known, ".", ".", ".", ".", ".")
    assert known.of("page.player.ns") == pytest.approx(500 * MS)
    known.page.get_by_role("button", name="State").click()
    known.until("document.querySelector('.state .facts')?.textContent.includes('departure(')")
    assert '{"to": "Brno"}' in text_of(known, ".state")
    press(known, "w", "w")
    assert known.of("page.range.span") == pytest.approx(known.of("page.range.length") * 0.49, rel=0.01)
    before = known.of("page.range.from")
    press(known, "d")
    assert known.of("page.range.from") > before
    press(known, "s", "s", "s", "0")
    assert known.of("page.range.span") >= known.of("page.range.length")


def test_what_the_player_did_has_a_lane_and_words(chromium: Any, tmp_path: Path) -> None:
    """To look at, to hover over, and for a screen reader; the sound lies where it was played."""
    write_page([paused_call()], tmp_path / "paused.html", store="calls.db")
    with opened(chromium, tmp_path / "paused.html") as page:
        page.until("page.session.length === page.session.facts.entries")
        said = page.of("page.lanes.hits.map((one) => one.text)")
        did = [one for one in said if one.startswith("item_2")]
        assert did == [
            "item_2 plays from 0 ms to 400 ms",
            "item_2 is paused at 400 ms for 800 ms",
            "item_2 plays from 400 ms to 800 ms",
            "item_2 waits at 800 ms for more to come, for 1.00 s",
            "item_2 plays from 800 ms to 1.00 s; interrupted",
        ]
        assert "Playback" in text_of(page, ".labels")
        for ns, plays in (
            (0, "nothing plays"),
            (3e8, "item_2 at 200 ms, playing"),
            (6e8, "item_2 at 400 ms, paused"),
            (2e9, "item_2 at 800 ms, waiting"),
            (3e9, "nothing plays; item_2 at 1.00 s, interrupted"),
        ):
            page.of("page.seek(argument)", ns)
            page.until(
                "document.querySelector('canvas.lanes').getAttribute('aria-valuetext')"
                f".endsWith({json.dumps('; ' + plays)})"
            )
        press(page, "End")
        page.page.get_by_role("button", name="State").click()
        page.until("document.querySelector('.state .facts')?.textContent.includes('1.00 s, interrupted')")
        notes = page.page.locator(".said .note").all_inner_texts()
        assert "paused for 800 ms, 400 ms in" in notes
        assert "waited for more for 1.00 s, 800 ms in" in notes
        rendered = page.of("Array.from(await realtape.render(page.session, 'heard', 0, 35e8, 24000))")
        heard = [round(one * 32768) for one in rendered]
        sound = samples_of(paused_call().segments[0])
        for begin_ms, from_ms, to_ms in ((100, 0, 400), (1_300, 400, 800), (2_700, 800, 1_000)):
            begin, some = begin_ms * 24, sound[from_ms * 24 : to_ms * 24]
            assert heard[begin : begin + len(some)] == list(some)
            heard[begin : begin + len(some)] = [0] * len(some)
        assert not any(heard)
        page.page.set_viewport_size({"width": 390, "height": 844})
        page.until("page.lanes.width < 390")
        assert [one for one in page.of("page.lanes.hits.map((one) => one.text)") if one in did] == did
        assert page.said == []


def test_selecting_a_range_gives_a_command(known: Opened) -> None:
    press(known, ".", ".", "i", ".", ".", ".", "o", "x")
    known.until("page.detail.copied")
    session = known.of("page.session.facts.id")
    assert (
        known.of("page.detail.copied")
        == f"realtape trim 'calls.db#{session}' part.db --from 200ms --to 500ms"
    )
    assert "0:00.200 – 0:00.500" in text_of(known, ".selection")
    press(known, "Escape")
    assert known.of("page.range.selected") is None


def test_a_command_names_what_lies_in_the_store(chromium: Any, files: Path) -> None:
    """A redacted copy does not, and what a replay did neither."""
    with opened(chromium, files / "two.html") as page:
        page.until("page.detail.place >= 0")
        recorded, replayed = page.of("page.head.sessions")
        copied, origin = recorded["also"]
        assert (recorded["id"] == origin, recorded["id"] != copied) == (True, True)
        assert page.page.locator(".who .id").get_attribute("title").startswith(origin)
        press(page, "x")
        page.until("page.detail.copied")
        command = page.of("page.detail.copied")
        assert command == f"realtape trim 'calls.db#{recorded['id']}' part.db --from 48 --to 48"
        assert replayed["store"] is None
        press(page, "b", "ArrowDown", "x")
        page.until("page.said.textContent.includes('in no store')")
        assert page.of("page.detail.copied") == command


def test_the_chosen_entry_stays_in_sight_among_all_of_them(chromium: Any, files: Path) -> None:
    with opened(chromium, files / "demo.html") as page:
        page.until("page.session.length === page.session.facts.entries")
        page.of("page.choose(page.session.length - 40)")
        press(page, "v")
        page.until("document.querySelector('.row.chosen')")
        box, row = (page.page.locator(one).first.bounding_box() for one in (".list", ".row.chosen"))
        assert box["y"] <= row["y"] <= box["y"] + box["height"]


def test_of_a_million_entries_each_is_in_sight_by_key_and_by_scrolling(known: Opened) -> None:
    """More rows than a browser has height for: the bar is shorter than they are."""
    count = 1_000_000
    known.until("page.session.length === page.session.facts.entries")
    known.of("(page.session.facts.entries = argument, page.setAll(true))", count)
    known.of("page.session.row = () => new Promise(() => {})")  # none of them is there

    def seen() -> list[int]:
        known.page.wait_for_timeout(50)
        places = known.of(
            "(([box]) => [...document.querySelectorAll('.row')]"
            ".map((one) => [one.id, one.getBoundingClientRect()])"
            ".filter(([, one]) => one.top >= box.top - 2 && one.bottom <= box.bottom + 2)"
            ".map(([id]) => Number(id.slice(4))))([page.list.box.getBoundingClientRect()])"
        )
        return [int(place) for place in places]

    known.page.locator(".list").focus()
    press(known, "PageDown", "PageDown", *["ArrowDown"] * 12)
    assert known.of("page.list.active") in seen()
    known.of("page.list.move(argument)", count // 2)
    press(known, *["ArrowUp"] * 3)
    assert known.of("page.list.active") in seen()
    known.of("page.list.box.scrollTop = 1e9")
    assert seen()[-1] == count - 1
    press(known, "Home")
    assert seen()[0] == 0
    press(known, "End")
    assert seen()[-1] == count - 1


def test_filter_words_find_what_they_say(known: Opened) -> None:
    known.until("page.session.length === page.session.facts.entries")
    for words, count in (
        ("type=function_call", 1),
        ("kind=playback", 31),
        ("text~brno", 2),
        ("platform", 1),
        ("problems", 1),
        ("playback=600ms", 2),
        ("kind=playback playback=0.4s", 12),
    ):
        press(known, "/")
        known.page.keyboard.press("Control+A")
        known.page.keyboard.type(words)
        known.until(
            f"page.list.filter.text === {json.dumps(words)}"
            f" && document.querySelector('.found').textContent.startsWith('{count} found')"
        )
        press(known, "Escape")
    known.page.locator(".filter").fill("tipe=x")
    known.until("document.querySelector('.found').textContent.includes('is no condition')")
    known.page.locator(".filter").fill("")
    known.until("page.list.mode === 'lines'")
    assert known.page.locator(".row").count() < 60
    press(known, "Escape", "v")
    known.until("page.list.mode === 'entries' && page.list.count === page.session.length")


def test_detail_causes_and_copies(known: Opened) -> None:
    known.until("page.session.length > 0")
    seq = known.of("page.session.facts.story.tools[0].seq")
    place = known.of("page.session.placeOf(argument)", seq)
    known.of("page.choose(argument)", place)
    known.until("document.querySelectorAll('.chain .step').length > 2")
    chain = known.page.locator(".chain .step").all_inner_texts()
    assert "turn_started" in chain[0]
    assert "function_call" in chain[1]
    assert "send_tool_output" in chain[2]
    press(known, "e")
    known.until("document.querySelector('.detail h3')?.textContent.includes('send_tool_output')")
    press(known, "c")
    known.until("document.querySelector('.detail h3')?.textContent.includes('function_call')")
    press(known, "j")
    known.until("page.detail.copied?.startsWith('{')")
    copied = json.loads(known.of("page.detail.copied"))
    assert (copied["seq"], copied["payload"]["name"]) == (seq, "departure")
    press(known, "y")
    known.until("page.detail.copied?.startsWith('Session')")
    assert "| **" in known.of("page.detail.copied")
    known.of("(navigator.clipboard.writeText = () => Promise.reject(new Error('not allowed')))")
    known.page.locator(".list").focus()
    press(known, "l")
    known.until("page.detail.copied?.startsWith('file:')")
    assert known.of("document.activeElement === page.list.box"), "who goes by keys stays where he is"
    assert known.of("page.detail.copied").endswith(f"?t=0.460s#{known.of('page.session.facts.id')}/{seq}")
    assert known.page.locator(".json .key").first.inner_text() == '"$"'


def test_a_sound_of_an_entry_is_played_alone(known: Opened) -> None:
    known.until("page.session.length > 0")
    place = known.of("page.session.placeOf(page.session.facts.sound.lanes.model[0].seqs[3])")
    known.of("page.choose(argument)", place)
    known.page.get_by_role("button", name="100 ms of sound").click()
    known.until("page.player.playing || page.player.ns > 8e8")
    known.until("!page.player.playing")
    assert known.of("page.player.ns") == pytest.approx(900 * MS)


def test_links_lead_to_an_entry_an_instant_and_a_speed(chromium: Any, files: Path) -> None:
    with opened(chromium, files / "switchboard.html") as page:
        sessions = page.of("page.head.sessions")
    assert len(sessions) == 2
    address = f"{(files / 'switchboard.html').as_uri()}?t=1.5s&speed=2#{sessions[1]['id']}/7"
    with opened(chromium, address) as page:
        assert page.of("page.session.facts.id") == sessions[1]["id"]
        assert page.of("page.session.seq.data[page.detail.place]") == 7
        assert page.of("[page.player.ns, page.player.speed]") == [
            min(1.5e9, page.of("page.session.durationNs")),
            2,
        ]
        assert page.of("document.querySelector('.speed').selectedOptions[0].textContent") == "2×"
        page.of("location.replace(argument)", f"#{sessions[0]['id'][:13]}/3")
        page.until("page.session.key === '0' && page.session.seq.data[page.detail.place] === 3")
        # A recording and its redacted copy have the same entries: links to the one lead to the other.
        page.of("location.replace(argument)", f"#{sessions[1]['also'][1]}/5")
        page.until("page.session.key === '1' && page.session.seq.data[page.detail.place] === 5")
        # What is no link leads nowhere.
        for other in (
            "#/x",
            "#%E0%A4%A/5",
            "#<img src=x onerror=alert(1)>/5",
            "#__proto__/5",
            "#constructor/1",
        ):
            page.of("location.replace(argument)", other)
        page.page.wait_for_timeout(100)
        assert page.of("[page.session.key, page.session.seq.data[page.detail.place]]") == ["1", 5]
        assert page.said == []


def test_an_address_that_names_no_instant_leads_to_the_beginning(chromium: Any, files: Path) -> None:
    for asked, speed in (("t=.&speed=1.7", "1.7×"), ("t=1.2.3s&speed=x", "1×"), ("t=-1s&speed=-2", "0.25×")):
        with opened(chromium, f"{(files / 'known.html').as_uri()}?{asked}") as page:
            page.until("page.session.length > 0")
            assert page.of("page.player.ns") == 0
            assert page.of("document.querySelector('.speed').selectedOptions[0].textContent") == speed
            assert page.said == []


def test_everything_can_be_done_by_keys(known: Opened) -> None:
    known.until("page.session.length > 0")
    press(known, "?")
    assert known.page.locator("dialog.help").is_visible()
    assert known.page.locator("dialog.help dt").count() > 20
    press(known, "Escape")
    assert not known.page.locator("dialog.help").is_visible()
    press(known, "n")
    known.until("document.querySelector('.detail h3')?.textContent.includes('error')")
    press(known, "2", "Shift+Digit3", "]")
    assert known.of("[page.player.audible(), page.player.speed]") == [["heard"], 1.25]
    press(known, "ArrowUp")
    known.until("!document.querySelector('.detail h3')?.textContent.includes('error')")
    # Everything that can be clicked can be reached, and says what it is.
    unnamed = known.of(
        "[...document.querySelectorAll('button, input, select, canvas[tabindex], [role]')]"
        ".filter((one) => !one.closest('[hidden], dialog, [role=option], [role=status]')"
        " && !(one.getAttribute('aria-label') || one.textContent.trim() || one.title))"
        ".map((one) => one.outerHTML)"
    )
    assert unnamed == []
    assert known.page.get_by_role("log", name="Transcript").inner_text().count("Your train leaves") == 1
    assert known.page.get_by_role("option").count() > 5


def test_on_a_phone_nothing_is_wider_than_it(chromium: Any, files: Path) -> None:
    with opened(chromium, files / "demo.html", width=390, height=844) as page:
        assert page.of("document.documentElement.scrollWidth") == 390
        page.page.get_by_role("button", name="Entries").tap()
        assert page.page.locator(".list").is_visible()
        assert not page.page.locator(".conversation").is_visible()
        page.page.locator(".row").nth(3).tap()
        page.until("document.querySelector('.detail h3')")
        assert page.page.locator(".detail").is_visible()
        assert page.said == []


def test_a_finger_on_the_lanes_scrolls_the_page_or_pans_and_two_pinch(chromium: Any, files: Path) -> None:
    with opened(chromium, files / "demo.html", width=390, height=844) as page:
        page.until("page.session.length === page.session.facts.entries")
        box = page.page.locator("canvas.lanes").bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + 60
        browser = page.page.context.new_cdp_session(page.page)

        def touch(kind: str, *points: tuple[float, float]) -> None:
            told = [{"x": left, "y": top, "id": number} for number, (left, top) in enumerate(points)]
            browser.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": told})

        def swipe(right: float, down: float, *, other: bool = False) -> None:
            for step in (*range(11), 10):  # who stands still before he lets go throws nothing
                if step == 10:
                    page.page.wait_for_timeout(100)
                one = (x + right * step / 10, y + down * step / 10)
                points = (one, (x - 40 - right * step / 10, y)) if other else (one,)
                touch("touchMove" if step else "touchStart", *points)
                page.page.wait_for_timeout(16)
            touch("touchEnd")

        swipe(0, -150)
        page.until("scrollY > 100")
        page.of("scrollTo(0, 0)")
        page.until("scrollY === 0")
        page.of("page.range.show(2e8, 6e8)")
        swipe(-100, 0)
        assert page.of("page.range.from") > 2.5e8
        span = page.of("page.range.span")
        swipe(60, 0, other=True)
        assert page.of("page.range.span") < span * 0.7
        assert page.of("scrollY") == 0
        assert page.said == []


def test_it_is_dark_where_that_is_wished(chromium: Any, files: Path) -> None:
    def paper(page: Opened) -> list[int]:
        told = page.of("getComputedStyle(document.body).backgroundColor")
        return [int(one) for one in re.findall(r"\d+", told)]

    with opened(chromium, files / "known.html", scheme="dark") as page:
        assert max(paper(page)) < 40
        press(page, "t")
        assert min(paper(page)) > 200
        assert page.said == []


def test_what_a_recording_says_stays_text(chromium: Any, files: Path) -> None:
    with opened(chromium, files / "hostile.html") as page:
        page.until("page.session.length === page.session.facts.entries")
        page.of("page.setAll(true)")
        seen = ""
        for place in range(page.of("page.session.length")):
            page.of("page.choose(argument)", place)
            page.until(f"document.querySelector('.detail-seq')?.textContent === '#{place}'")
            page.of("page.state.show(page.session, argument)", place)
            seen += page.of("document.body.textContent")
        press(page, "y")
        page.until("page.detail.copied")
        page.page.mouse.move(500, 400)
        assert page.of("window.hacked === undefined")
        assert page.said == []
        assert len(page.asked) == 1
        # As markup there is nothing but what the page itself makes.
        kinds = set(page.of("[...document.querySelectorAll('body *')].map((one) => one.localName)"))
        assert not kinds & {"img", "b", "iframe", "object", "svg", "link", "style", "meta", "base", "form"}
        scripts = "[...document.querySelectorAll('script')].map((one) => one.type)"
        assert [one for one in page.of(scripts) if one != "application/octet-stream"] == [""]
        assert (
            page.of("document.querySelectorAll('[style*=\"expression\"], [onerror], [onclick]').length") == 0
        )
        # It is there to be read, whole, with what would be obeyed as escapes.
        assert '<img src=x onerror="window.hacked=1"><script>window.hacked=2</script>' in seen
        assert "\\x202e" in seen
        assert "\\x1b" in seen
        shown = page.of("document.getElementById('page').textContent")
        assert not re.search(
            "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]", shown
        )
        assert "window.hacked" not in page.page.title()
        # In Markdown nothing of it is markup either: a cell stays one cell.
        rows = page.of("page.detail.copied").splitlines()[4:]
        assert all(len(re.findall(r"(?<!\\)\|", row)) == 6 for row in rows if row)
        assert not re.search(r"(?<!\\)<", "".join(rows))


OBEYED = r"""[...document.querySelectorAll("main *, title")].flatMap((one) => [
    ...[...one.attributes].map((each) => `${each.name}=${each.value}`),
    ...[...one.childNodes].filter((each) => each.nodeType === 3).map((each) => each.data),
    ...[...one.classList].filter((each) => !/^[a-z-]+$/.test(each)).map((each) => `class ${each}`),
]).filter((text) => /^class |[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/.test(text))"""
"""What of a page would be obeyed, not shown, in texts and attributes; and classes that are none of ours."""


def test_what_is_odd_stays_text_too(chromium: Any, tmp_path: Path) -> None:
    """Names that objects of JavaScript have, halves of pairs, endless texts, numbers that it has not."""
    draft = odd_call()
    page_path = tmp_path / "#odd ?%41 'page'.html"
    write_page([draft], page_path, store="__proto__")
    with opened(chromium, page_path, width=390, height=844) as page:
        page.until("page.session.length === page.session.facts.entries")
        assert page.of("document.documentElement.scrollWidth") == 390
    with opened(chromium, page_path) as page:
        page.until("page.session.length === page.session.facts.entries")
        assert page.of("page.session.length") == len(draft.entries)
        for place in range(len(draft.entries)):
            page.of("page.choose(argument)", place)
            page.of("await page.detail.show(page.session, argument)", place)
            page.of("await page.state.show(page.session, argument)", place)
            assert page.of("document.querySelector('.detail-seq').textContent") == f"#{place}"
        digits = page.of("(await page.session.row(argument)).json", len(draft.entries) - 4)
        assert str(10**400) in digits
        for word in (*ODD_KEYS, "text~__proto__", "tool=constructor", "type=__proto__", '"<script>"'):
            page.of("page.list.search(argument)", word)
            page.until("/^[0-9]+ found$/.test(document.querySelector('.found').textContent)")
        for selector in ("body", "html"):
            assert page.of(f"document.querySelector('{selector}').scrollWidth") == 1280
        page.page.get_by_role("button", name="State").click()
        page.of("page.seek(page.session.durationNs)")
        page.until("document.querySelectorAll('.history .role').length > 4")
        assert page.of(OBEYED) == []
        assert page.of("[window.hacked, {}.polluted, [].polluted, ''.polluted]") == [None] * 4
        assert page.said == []
        assert len({url.partition("#")[0] for url in page.asked}) == 1


def test_a_capture_of_frames_alone_is_seen_and_heard(chromium: Any, tmp_path: Path) -> None:
    """Frames of a known protocol are followed by what they come to, and give words, lanes and states; no less
    sound than the application got. Of an unknown one there are frames, and nothing fails."""
    (demo,) = read_fixture(FIXTURES / "demo")
    opaque = Draft(header(), Status.CLOSED, numbered(*foreign_frames(), step_ns=100 * MS), {}).sealed()
    write_page([framed(demo).sealed(), opaque], tmp_path / "frames.html", store="frames.db")
    with opened(chromium, tmp_path / "frames.html") as page:
        page.until("page.session.length === page.session.facts.entries")
        assert "Your train leaves at" in text_of(page, ".conversation")
        voices = page.of("page.session.facts.sound.lanes.model.map((one) => one.length)")
        sound = b"".join(
            demo.bytes_at(*mapping(payload(one)["data"])["at"]) for one in demo.entries if one.type == "audio"
        )
        assert sum(voices) >= len(sound), "what was never given to the application came, too"
        assert page.of("page.session.peaks.model.length") > 100
        frame = page.of("page.session.names.indexOf('frame_in')")
        place = page.of("page.session.kind.data.indexOf(argument)", frame)
        page.of("page.choose(argument)", place)
        page.until("document.querySelector('.detail-head h3')")
        derived = page.of("Array.from(page.session.marks.data).findIndex((mark) => mark & 16)")
        page.of("await page.detail.show(page.session, argument)", derived)
        assert "what the frame before it comes to" in text_of(page, ".detail .facts")
        page.of("page.seek(page.session.durationNs)")
        page.page.get_by_role("button", name="State").click()
        page.until("document.querySelector('.state .told')?.textContent.includes('as the server says')")
        assert "Answer briefly." in text_of(page, ".state .json")

        page.page.get_by_label("Session").select_option("1")
        page.until("page.session.key === '1' && page.session.length === page.session.facts.entries")
        assert page.of("page.session.facts.story.connections.length") == 1
        page.page.get_by_role("button", name="Every entry").click()
        page.until("document.querySelectorAll('.row .title').length === page.session.length")
        for place in range(len(opaque.entries)):
            page.of("await page.detail.show(page.session, argument)", place)
        page.of("page.player.play()")
        page.until("!page.player.playing")
        assert page.said == []


def foreign_frames() -> list[Entry]:
    """Of a protocol that no table of ours knows: words, bytes, and nothing."""
    texts = ("hi", "<hello xmlns='x'/>", '{"op": 7, "d": {"heartbeat": 1}}', "[1, 2", "")
    frames = [{"$": "frame", "opcode": "text", "pieces": [text]} for text in texts]
    kinds = [Kind.FRAME_IN, Kind.FRAME_OUT] * 3
    told = [Entry(0, 0, 0, 0, kind, connection=1, payload="{}") for kind in (Kind.SOCKET, Kind.SOCKET_OPENED)]
    return told + [
        Entry(0, 0, 0, 0, kind, connection=1, payload=to_json(frame))
        for kind, frame in zip(kinds, frames, strict=False)
    ]


def test_view_lists_sessions_and_opens_one_by_the_same_script(chromium: Any, address: str) -> None:
    with opened(chromium, address) as page:
        page.page.wait_for_function("() => document.querySelectorAll('.sessions tbody tr').length === 2")
        page.page.get_by_label("Longer than").fill("1")
        page.page.wait_for_function("() => document.body.textContent.includes('longer-than 1: give how')")
        page.page.get_by_label("Longer than").fill("1s")
        page.page.wait_for_function("() => document.querySelectorAll('.sessions tbody tr').length === 1")
        page.page.get_by_label("Longer than").fill("")
        page.page.wait_for_function("() => document.querySelectorAll('.sessions tbody tr').length === 2")
        page.page.get_by_label("Tool that was called").fill("departure")
        page.page.wait_for_function("() => document.querySelectorAll('.sessions tbody tr').length === 1")
        assert "customer=1042" in text_of(page, ".sessions tbody")
        page.page.locator(".sessions tbody a").click()
        page.page.wait_for_function("() => realtape.page?.session?.length > 0")
        assert page.of("page.session.length === page.session.facts.entries")
        assert "Your train leaves" in text_of(page, ".conversation")
        rendered = page.of("Array.from(await realtape.render(page.session, 'heard', 5e8, 6e8, 24000))")
        assert [round(one * 32768) for one in rendered] == list(samples_of(known_call()[1])[:2400])
        press(page, "n")
        page.until("document.querySelector('.detail h3')?.textContent.includes('error')")
        assert page.said == []
        assert all(url.startswith(address) for url in page.asked)
        page.page.reload()
        page.page.wait_for_function("() => realtape.page?.detail.place >= 0")


def test_view_shows_any_entry_before_it_knows_the_index(chromium: Any, address: str) -> None:
    """Rows are there at once, and what was chosen is shown when the index has come to it."""
    with opened(chromium, address) as page:
        page.page.get_by_label("Longer than").fill("1")
        page.page.wait_for_function("() => document.body.textContent.includes('longer-than 1: give how')")
        page.page.get_by_label("Longer than").fill("1s")
        page.page.wait_for_function("() => document.querySelectorAll('.sessions tbody tr').length === 1")
        page.page.get_by_label("Longer than").fill("")
        page.page.wait_for_function("() => document.querySelectorAll('.sessions tbody tr').length === 2")
        page.page.get_by_label("Tool that was called").fill("departure")
        page.page.wait_for_function("() => document.querySelectorAll('.sessions tbody tr').length === 1")
        page.page.locator(".sessions tbody a").click()
        page.page.wait_for_function("() => realtape.page?.session?.length > 0")
        held: list[Any] = []

        def hold(route: Any) -> None:
            held.append(route)

        page.page.route("**/block/0/index/*", hold)
        page.page.goto(page.page.url.partition("#")[0])
        page.page.wait_for_function("() => realtape.page?.list")
        page.of("page.setAll(true)")
        last = len(known_call()[0].entries) - 1
        page.until(f"page.list.count === {last + 1} && document.querySelectorAll('.row .title').length > 3")
        assert page.of("page.session.length") == 0
        assert text_of(page, ".row .seq") == "0"
        page.page.locator(".list").focus()
        press(page, "End")
        page.until(f"document.getElementById('row-{last}')?.querySelector('.seq').textContent === '{last}'")
        assert text_of(page, ".said-aloud") == "Reading the index, 0 %"
        for route in held:
            route.continue_()
        page.until(f"document.querySelector('.detail-seq')?.textContent === '#{last}'")
        assert page.said == []


def test_view_follows_a_link_as_soon_as_the_index_has_come_to_it(chromium: Any, tmp_path: Path) -> None:
    path = tmp_path / "long.db"
    with live_session(path) as live, serving(path) as server:
        live.append(2 * INDEX_ENTRIES)
        address = f"http://127.0.0.1:{server.port}/{TOKEN}/{live.header.id}/"
        with opened(chromium, address) as page:
            page.until(f"page.session.length === {2 * INDEX_ENTRIES}")

            def hold(route: Any) -> None:
                """The second block of the index does not come."""

            page.page.route("**/block/0/index/1", hold)
            page.page.goto("about:blank")
            page.page.goto(f"{address}#{live.header.id[:13]}/700")
            page.page.wait_for_function("() => realtape.page?.detail.place === 700")
            assert page.of("page.session.length") == INDEX_ENTRIES


def test_view_follows_a_session_while_it_is_recorded(chromium: Any, tmp_path: Path) -> None:
    path = tmp_path / "live.db"
    with live_session(path) as live, serving(path) as server:
        live.append(10)
        address = f"http://127.0.0.1:{server.port}/{TOKEN}/{live.header.id}/"
        with opened(chromium, address) as page:
            page.until("page.session.length === 10")
            page.of("page.choose(3)")
            assert text_of(page, ".status") == "recording"
            live.append(2000)
            page.until("page.session.length === 2010")
            page.until("document.querySelector('.who .length').textContent === '0:02.0'")
            assert text_of(page, ".found").startswith("2,010 entries")
            assert page.of("page.session.seq.data[page.detail.place]") == 3, "what is read stays"
            live.append(1, Status.CLOSED)
            page.until("document.querySelector('.status').textContent === 'closed'")
            assert page.said == []


@pytest.mark.parametrize("reads", [False, True])
def test_view_finds_the_session_of_a_model_that_connects_again(
    chromium: Any, tmp_path: Path, *, reads: bool
) -> None:
    """Who has watched the one before is brought there; who reads an entry of it finds a link, and the key."""
    path = tmp_path / "live.db"
    with live_session(path) as live, serving(path) as server:
        live.append(10)
        root = f"http://127.0.0.1:{server.port}/{TOKEN}"
        with opened(chromium, f"{root}/{live.header.id}/") as page:
            page.until("page.session.length === 10")
            if reads:
                page.of("page.choose(3)")
            live.append(1, Status.CLOSED)
            page.until("document.querySelector('.status').textContent === 'closed'")
            again = LiveSession(live.engine, before=live)
            again.append(5)
            if reads:
                page.page.get_by_role("link", name="Session after").wait_for()
                assert text_of(page, ".said-aloud") == "The model connected again: H shows that session"
                press(page, "h")
            page.page.wait_for_url(f"{root}/{again.header.id}/")
            page.page.wait_for_function("() => realtape.page?.session?.length === 5")
            assert page.said == []


def test_the_list_of_sessions_has_those_that_begin_meanwhile(chromium: Any, tmp_path: Path) -> None:
    path = tmp_path / "live.db"
    with live_session(path) as live, serving(path) as server:
        live.append(10)
        with opened(chromium, f"http://127.0.0.1:{server.port}/{TOKEN}/") as page:
            link = page.page.get_by_role("link", name=live.header.id)
            link.focus()
            LiveSession(live.engine).append(5)
            page.page.wait_for_function("() => document.querySelectorAll('tbody tr').length === 2")
            assert page.page.evaluate("document.activeElement.textContent") == live.header.id
            assert page.said == []


def test_view_leads_from_one_session_of_a_chain_to_the_next(chromium: Any, tmp_path: Path) -> None:
    one, two = read_fixture(FIXTURES / "switchboard")
    write_drafts(locate(tmp_path / "calls.db"), [one, known_call()[0], two])
    with serving(tmp_path / "calls.db") as server:
        root = f"http://127.0.0.1:{server.port}/{TOKEN}"
        with opened(chromium, f"{root}/{one.header.id}/") as page:
            assert page.page.get_by_role("link").all_inner_texts() == ["All sessions", "Session after"]
            press(page, "g")
            page.until("page.said.textContent.includes('first session')")
            press(page, "h")
            page.page.wait_for_url(f"{root}/{two.header.id}/")
            page.page.wait_for_function("() => realtape.page?.session?.length > 0")
            assert page.of("page.session.facts.id") == two.header.id
            page.page.get_by_role("link", name="Session before").click()
            page.page.wait_for_url(f"{root}/{one.header.id}/")
            assert page.said == []


def test_view_shows_as_text_what_is_hostile(chromium: Any, address: str) -> None:
    with opened(chromium, address) as page:
        page.page.get_by_label("Label: name=value").fill("customer")
        page.page.wait_for_function(
            "() => document.querySelector('.sessions .none').textContent.includes('NAME=VALUE')"
        )
        page.page.get_by_label("Label: name=value").fill("")
        page.page.wait_for_function("() => document.querySelectorAll('.sessions tbody tr').length === 2")
        assert "<img src=x" in text_of(page, ".sessions tbody tr:has-text('img')")
        page.page.locator(".sessions tbody tr:has-text('img') a").click()
        page.page.wait_for_function("() => realtape.page?.session?.length > 0")
        assert page.of("window.hacked === undefined")
        assert [one for one in page.said if "400" not in one] == []


def test_two_recordings_lie_beside_each_other_with_the_divergence_in_front(
    chromium: Any, files: Path
) -> None:
    with opened(chromium, files / "two.html") as page:
        page.until("document.querySelector('.detail h3')?.textContent.includes('send_tool_output')")
        assert "other than the recorded one" in text_of(page, ".problem")
        assert page.of("page.player.ns") == 760 * MS
        assert page.of("page.sides.length") == 2
        assert "9:15, platform 4" in text_of(page, ".detail-content")
        press(page, "b")
        page.until("page.side.name === 'B'")
        assert "9:40, platform 2" in text_of(page, ".conversation")
        lanes, heard = page.page.locator(".tracks"), page.page.get_by_text("B Heard")
        room, label = lanes.bounding_box(), heard.bounding_box()
        assert room["y"] <= label["y"] < room["y"] + room["height"], "its lanes are brought into sight"
        press(page, "PageUp", "PageUp")
        assert lanes.evaluate("(box) => box.scrollTop") == 0
        page.of("page.goTo(page.problems.all[0])")
        page.until("document.querySelector('.detail-content')?.textContent.includes('9:40, platform 2')")
        marks = page.of(
            "page.lanes.hits.filter((one) => one.text.includes('9:40')).map((one) => one.side.name)"
        )
        assert {"A", "B"} <= set(marks)
        box = page.page.locator("canvas.lanes").bounding_box()
        page.page.locator("canvas.lanes").click(position={"x": box["width"] * 0.5, "y": 40})
        assert page.of("page.side.name") == "A"
        assert page.said == []
        assert len(page.asked) == 1


def test_of_chains_each_session_lies_beside_its_like(chromium: Any, tmp_path: Path) -> None:
    """A has one more than B. The pair that differs is in front; a link leads to any, and so do keys."""
    one, two, three = (known_call()[0] for _ in range(3))
    a = [one, _following(two, one), _following(three, two)]
    other = dataclasses.replace(two, header=header(), entries=tuple(map(_answers_otherwise, two.entries)))
    begin = dataclasses.replace(one, header=header()).sealed()
    b = [begin, _following(other, begin)]
    page_path = tmp_path / "chains.html"
    write_comparison(a, b, page_path, store="calls.db", other_store="o.db", redact=None)
    with opened(chromium, page_path) as page:
        assert page.of("page.sides.map((one) => one.session.key)") == ["1", "4"]
        assert "platform 4" in page.of("page.problems.all[0].text")
        assert page.page.locator(".pick option").count() == 3
        page.until("document.querySelector('.detail h3')?.textContent.includes('send_tool_output')")
        assert "session 3" in text_of(page, ".others")
        page.page.locator(".pick").focus()
        page.page.keyboard.press("ArrowUp")
        page.until("page.sides[0].session.key === '0' && page.session.length > 0")
        assert page.of("page.sides[1].session.key") == "3"
        assert "Choose an entry" in text_of(page, ".detail"), "what was chosen is of another session"
        assert not page.of("page.lanes.hits.filter((one) => one.text.includes('9:40')).length")
        press(page, "Escape", "g")
        page.until("page.said.textContent.includes('the first')")
        press(page, "h")
        page.until("page.sides[0].session.key === '1' && page.sides[1].session.key === '4'")
        page.page.get_by_role("button", name="session 3").click()
        page.until("page.sides[0].session.key === '2'")
        assert page.of("page.sides.length") == 1
        assert "B did not connect again" in text_of(page, ".problem")
        assert page.page.locator(".bar .toggle", has_text="A").is_hidden()
        assert page.said == []
    with opened(chromium, page_path, width=390, height=844) as page:
        assert page.of("document.documentElement.scrollWidth") <= 390
    with opened(chromium, f"{page_path.as_uri()}#{other.header.id}/48") as page:
        page.until("document.querySelector('.detail-content')?.textContent.includes('9:40, platform 2')")
        assert page.of("page.side.name") == "B"


def _following(call: Draft, before: Draft) -> Draft:
    """The same, had by the model that had another one before."""
    return dataclasses.replace(
        call, header=dataclasses.replace(call.header, previous_session=before.header.id)
    ).sealed()


def test_the_list_goes_where_somebody_puts_the_playhead(chromium: Any, tmp_path: Path) -> None:
    """By the lanes, or a key; and not where he has said that it should not follow."""
    entries = numbered(*(marker({"text": str(n)}) for n in range(400)), step_ns=10 * MS)
    write_page(
        [Draft(header(), Status.CLOSED, entries, {}).sealed()], tmp_path / "call.html", store="calls.db"
    )
    with opened(chromium, tmp_path / "call.html") as page:
        page.until("page.session.length === 400")
        page.of("page.setAll(true)")
        top = "page.list.box.scrollTop"
        assert page.of(top) == 0
        press(page, "End")
        page.until("document.getElementById('row-399')")
        page.of("page.seekOn(argument, page.side)", 1_000 * MS)
        page.until("document.getElementById('row-100')")
        page.of("page.setFollow(false)")
        before = page.of(top)
        press(page, "Home")
        assert page.of(top) == before


def drawn_on(page: Opened) -> list[tuple[str, float]]:
    """The words on the lanes, and where they end."""
    return page.of("""(() => {
      const drawn = [], own = CanvasRenderingContext2D.prototype.fillText;
      CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
        drawn.push([text, x + this.measureText(text).width]);
        own.call(this, text, x, y);
      };
      page.lanes.paint();
      CanvasRenderingContext2D.prototype.fillText = own;
      return drawn;
    })()""")


def test_how_much_was_cut_off_is_said_whole_where_there_is_room(chromium: Any, tmp_path: Path) -> None:
    """Also where what was cut off is narrow, and nothing follows."""
    call, _ = known_call()
    end = marker({"text": "the end"})._replace(seq=len(call.entries), at_ns=30_000 * MS)
    longer = dataclasses.replace(call, entries=(*call.entries, end)).sealed()
    write_page([longer], tmp_path / "call.html", store="calls.db")
    with opened(chromium, tmp_path / "call.html") as page:
        page.until("page.session.length === page.session.facts.entries")
        assert f"−{LENGTH_MS - HEARD_MS} ms" in [text for text, _ in drawn_on(page)]


def test_no_label_is_drawn_in_half(chromium: Any, tmp_path: Path) -> None:
    """At whatever width: what does not fit is cut short with an ellipsis, or left out."""
    write_page(read_fixture(FIXTURES / "switchboard"), tmp_path / "call.html", store="calls.db")
    for width in (390, 760, 1280):
        with opened(chromium, tmp_path / "call.html", width=width) as page:
            page.until("page.session.length === page.session.facts.entries")
            ends = drawn_on(page)
            assert len(ends) > 10
            room = page.of("page.lanes.width")
            assert [text for text, end in ends if end > room + 1] == []


def test_a_session_of_one_entry_that_was_broken_off(chromium: Any, tmp_path: Path) -> None:
    entry = Entry(0, 0, 0, 0, Kind.CONNECT, method="connect", payload="{}")
    write_page(
        [Draft(header(), Status.INTERRUPTED, numbered(entry), {}).sealed()],
        tmp_path / "call.html",
        store="calls.db",
    )
    with opened(chromium, tmp_path / "call.html") as page:
        page.until("page.session.length === 1")
        assert text_of(page, ".found") == "1 entry on 1 line"
        assert "broken off" in text_of(page, ".problem")
        assert page.said == []


def test_what_a_truncation_tells_is_on_the_page_of_frames(chromium: Any, tmp_path: Path) -> None:
    """And a sound of which nobody tells is hatched, and called so."""
    (demo,) = read_fixture(FIXTURES / "demo")
    write_page([framed(demo).sealed()], tmp_path / "frames.html", store="frames.db")
    with opened(chromium, tmp_path / "frames.html") as page:
        page.until("page.session.length === page.session.facts.entries")
        notes = page.page.locator(".said.model .note").all_inner_texts()
        assert notes == [
            "heard 1.36 s of 2.10 s; interrupted",
            "heard 580 ms of 1.20 s; interrupted",
            "1.62 s generated; nobody tells how much was heard",
        ]
        ends = page.of("page.session.facts.sound.lanes.model.map((one) => one.heard)")
        assert ends == [1360 * 24, 580 * 24, None]


def test_a_label_of_any_length_keeps_its_place_on_a_phone(chromium: Any, tmp_path: Path) -> None:
    write_page([hostile_call()], tmp_path / "call.html", store="calls.db")
    with opened(chromium, tmp_path / "call.html", width=390, height=844) as page:
        box = page.page.locator(".who .label").first.bounding_box()
        assert box["height"] < 40
        assert box["x"] + box["width"] <= 390
