"""A table of changes of an application that books a table."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from .booking import INSTRUCTIONS, Booking


@dataclass(frozen=True)
class Change:
    """A change of the application, and what comes of it.

    Attributes:
        name: of the file that holds the report.
        application: as it is now.
        kinds: of the divergences; none: the replay is the same.
        options: of the replay.
        raises: the kind that is raised, where that is not the first one: it is seen before it is known why.
    """

    name: str
    application: Booking
    kinds: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict[str, Any])
    raises: str | None = None


BASE = Booking()
CHANGES = [
    Change("nothing-changed", BASE),
    Change("tool-output-changed", replace(BASE, table=5), ("changed",)),
    Change("tool-arguments-changed", replace(BASE, call_guests=3), ("changed",)),
    Change("extra-send", replace(BASE, extra_text="(a table for two)"), ("unexpected",)),
    Change(
        "extra-send-before-the-recorded-one",
        replace(BASE, apologies=("this takes a while", "one moment")),
        ("unexpected",),
    ),
    Change("repeated-send", replace(BASE, repeats_output=True), ("unexpected",)),
    Change("missing-send", replace(BASE, answers_parking=False), ("missing",)),
    Change(
        "missing-send-under-a-heartbeat",
        replace(BASE, answers_parking=False, heartbeat=True),
        ("missing",),
        {"patience": 30.0},
    ),
    Change(
        "missing-send-and-a-timer-meanwhile",
        replace(BASE, answers_parking=False, nudges_after=20.0),
        ("missing", "unexpected"),
        raises="unexpected",
    ),
    Change(
        "slow-tool-and-a-timer-meanwhile",
        replace(BASE, booking_ms=30_000, nudges_after=10.0),
        ("unexpected",),
    ),
    Change(
        "missing-send-before-another-of-its-task", replace(BASE, apologies=()), ("missing",), raises="order"
    ),
    Change(
        "very-slow-tool-under-a-heartbeat",
        replace(BASE, parking_ms=31_000, heartbeat=True),
        ("late",),
        {"patience": 30.0},
    ),
    Change("tool-output-changed-in-other-order", replace(BASE, table=5, booking_ms=900), ("changed",)),
    Change("another-type-of-send", replace(BASE, answers_as_text=True), ("unexpected", "missing")),
    Change("other-order-in-one-task", replace(BASE, swapped=True), ("order",)),
    Change("other-order-of-two-tasks", replace(BASE, booking_ms=100, parking_ms=400)),
    Change("slower-tool", replace(BASE, booking_ms=9_000)),
    Change("faster-tool", replace(BASE, booking_ms=2, parking_ms=0)),
    Change("listener-raises", replace(BASE, raises_on=("error", "greeting")), ("handler",)),
    Change("listener-raises-no-longer", replace(BASE, raises_on=()), ("handler",)),
    Change("listener-hangs", replace(BASE, hangs_on="error"), ("handler", "missing")),
    Change("earlier-interrupt", replace(BASE, interrupts_on="audio_done")),
    Change("later-interrupt", replace(BASE, interrupt_ms=700)),
    Change("no-interrupt", replace(BASE, interrupts_on="never"), ("missing",)),
    Change("audio-in-other-chunks", replace(BASE, chunk=3)),
    Change("other-audio", replace(BASE, shift=100)),
    Change("less-audio", replace(BASE, chunks=4)),
    Change(
        "lost-listener",
        replace(BASE, stops_listening=True),
        ("unheard", "missing", "missing", "missing", "handler", "missing"),
    ),
    Change("other-instructions", replace(BASE, instructions=INSTRUCTIONS.replace("Be brief", "Be kind"))),
    Change(
        "other-instructions-strict",
        replace(BASE, instructions=INSTRUCTIONS.replace("Be brief", "Be kind")),
        ("settings",),
        {"strict": True},
    ),
    Change("other-tool-schema", replace(BASE, guests_type="string")),
    Change("other-settings-update", replace(BASE, voice="coral")),
    Change("other-message", replace(BASE, apologies=("just a moment",)), ("changed",)),
    Change("closes-earlier", replace(BASE, closes_on="resp_1"), ("order",)),
    Change("never-closes", replace(BASE, closes_on=None), ("missing",)),
    Change("connects-again", replace(BASE, connects_again=True), ("exhausted",)),
    Change("other-secret", replace(BASE, card="5500 0000 0000 0004")),
]
