"""Playback is checked by what was heard where the model acted on it, and not call by call."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from realtape.recorder import Recorder
from realtape.replay import Played, replay, run
from realtape.replay.reporting.report_builder import ReportBuilder
from realtape.replay.terms.steps import Step
from realtape.replay.tracker import ReplayTracker
from realtape.schema import (
    Entry,
    Kind,
    RealtimeModelAudioEvent,
    RealtimeModelAudioInterruptedEvent,
    RealtimeModelListener,
    RealtimeModelSendUserInput,
    RealtimeModelTurnEndedEvent,
    RealtimePlaybackTracker,
    UsageError,
)
from realtape.session import Recording
from support.scripted import Scripted, ScriptedModel

CHUNK = bytes(4_800)  # 100 ms
ITEM = "item_1"


class Interrupting(ScriptedModel):
    """Asks the tracker after a second, and interrupts it, as the SDK's model does when the user speaks."""

    tracker: Any = None

    async def connect(self, options: Any) -> None:
        self.tracker = options["playback_tracker"]
        await super().connect(options)


async def _script(model: Scripted) -> None:
    assert isinstance(model, Interrupting)
    for _ in range(20):
        await model.emit(RealtimeModelAudioEvent(data=CHUNK, response_id="r", item_id=ITEM, content_index=0))
    await asyncio.sleep(1.005)
    model.tracker.get_state()
    await model.emit(RealtimeModelAudioInterruptedEvent(item_id=ITEM, content_index=0))
    model.tracker.on_interrupted()
    await model.emit(RealtimeModelTurnEndedEvent())


class Player(RealtimeModelListener):
    """Plays what came, so many milliseconds at a time.

    Args:
        speed: how many times faster than it should.
    """

    def __init__(self, *, step_ms: int = 100, speed: float = 1.0, reports: bool = True) -> None:
        self._step_ms, self._speed, self._reports = step_ms, speed, reports
        self._tracker = RealtimePlaybackTracker()
        self._playing: asyncio.Task[None] | None = None
        self.over = asyncio.Event()

    async def __call__(self, model: Any) -> None:
        """The application."""
        model.add_listener(self)
        await model.connect({"playback_tracker": self._tracker})
        await self.over.wait()
        await model.close()

    async def on_event(self, event: Any) -> None:
        if event.type == "audio" and self._playing is None and self._reports:
            self._playing = asyncio.create_task(self._play())
        elif event.type == "audio_interrupted" and self._playing is not None:
            self._playing.cancel()
        elif event.type == "turn_ended":
            self.over.set()

    async def _play(self) -> None:
        while True:
            await asyncio.sleep(self._step_ms / 1000 / self._speed)
            self._tracker.on_play_ms(ITEM, 0, self._step_ms)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("recorded") / "log.db"

    async def main() -> None:
        async with Recorder(store) as recorder:
            await Player()(recorder.wrap(Interrupting(_script)))

    run(main())
    return store


def played(recorded: Path, player: Player, **options: Any) -> Played:
    return run(replay(recorded, player, on_divergence="collect", **options))


@pytest.mark.parametrize("step_ms", [100, 50, 20, 200])
def test_a_player_that_reports_otherwise_and_plays_the_same_is_the_same(recorded: Path, step_ms: int) -> None:
    one = played(recorded, Player(step_ms=step_ms), strict=True)
    assert (one.verdict, one.report.remark, one.report.heard, one.report.notes) == ("same", "", (), ())


def test_a_player_that_reports_nothing_is_not_silently_the_same(recorded: Path) -> None:
    one = played(recorded, Player(reports=False))
    assert one.report.remark == "10 reports of the player never came"
    assert len(one.report.unreported) == 10
    assert str(one).startswith("same, but 10 reports of the player never came: ")
    assert "playback: the player did not report what it did when recorded: #" in str(one)
    strict = played(recorded, Player(reports=False), strict=True)
    assert [one.kind for one in strict.report.divergences] == ["playback"]


def test_who_has_no_tracker_any_more_reports_nothing(recorded: Path) -> None:
    async def deaf(model: Any) -> None:
        class Without:
            def __getattr__(self, name: str) -> Any:
                return getattr(model, name)

            async def connect(self, options: Any) -> None:
                await model.connect({})

        await Player()(Without())

    one = run(replay(recorded, deaf))
    assert one.report.remark == "10 reports of the player never came"
    strict = run(replay(recorded, deaf, on_divergence="collect", strict=True))
    assert [one.kind for one in strict.report.divergences] == ["playback"]


def test_a_tracker_that_was_not_there_is_a_change(tmp_path: Path) -> None:
    async def app(model: Any, options: Any) -> None:
        model.add_listener(player := Player())
        await model.connect(options)
        await player.over.wait()
        await model.close()

    async def script(model: Scripted) -> None:
        await model.emit(RealtimeModelTurnEndedEvent())

    async def main() -> None:
        async with Recorder(tmp_path / "log.db") as recorder:
            await app(recorder.wrap(ScriptedModel(script)), {})

    async def now(model: Any) -> None:
        await app(model, {"playback_tracker": RealtimePlaybackTracker()})

    run(main())
    (change,) = run(replay(tmp_path / "log.db", now)).report.changes
    assert (change.field, change.recorded, change.live) == (
        "playback_tracker",
        "none",
        "RealtimePlaybackTracker",
    )
    strict = run(replay(tmp_path / "log.db", now, on_divergence="collect", strict=True))
    assert [one.kind for one in strict.report.divergences] == ["settings"]


class InAThread(Player):
    """Its player has a thread, as one of an audio device has. How far that has come when virtual time goes
    on, nobody knows."""

    async def _play(self) -> None:
        thread = threading.Thread(target=self._tracker.on_play_ms, args=(ITEM, 0, 20))
        thread.start()
        thread.join()


def test_a_player_with_a_thread_of_its_own_is_not_compared_and_that_is_told(recorded: Path) -> None:
    one = played(recorded, InAThread())
    assert (one.report.heard, one.report.unreported, one.report.uncompared) == ((), (), one.report.recordings)
    assert one.report.remark == "how much was heard was not compared, for the player has a thread of its own"
    (strict,) = played(recorded, InAThread(), strict=True).report.divergences
    assert (strict.kind, strict.headline) == (
        "playback",
        "playback: not compared, for the player has a thread of its own",
    )
    assert played(recorded, InAThread(), strict=True, playback="ignore").verdict == "same"


class InAJob(Player):
    """Its player reports from a job, for which the clock stands."""

    async def _play(self) -> None:
        while True:
            await asyncio.sleep(self._step_ms / 1000)
            await asyncio.to_thread(self._tracker.on_play_ms, ITEM, 0, self._step_ms)


def test_a_job_has_its_time(recorded: Path) -> None:
    assert played(recorded, InAJob(), strict=True).report.remark == ""


@pytest.mark.parametrize(("speed", "live_ms"), [(2.0, 2000.0), (0.5, 500.0)])
def test_a_player_of_another_speed_is_told_in_milliseconds(
    recorded: Path, speed: float, live_ms: float
) -> None:
    one = played(recorded, Player(speed=speed))
    assert {(heard.item_id, heard.recorded_ms, heard.live_ms) for heard in one.report.heard} == {
        (ITEM, 1000.0, live_ms)
    }
    assert "what was heard differs at 2 places" in str(one)
    assert played(recorded, Player(speed=speed), strict=True).verdict == "diverged"
    assert played(recorded, Player(speed=speed), playback_ms=1000.0).report.remark == ""
    assert played(recorded, Player(speed=speed), playback="ignore", strict=True).report.remark == ""


def test_a_machine_that_was_busy_explains_what_its_player_did_not_play(recorded: Path) -> None:
    """The first sound came 350 ms into its burst; or each of the reports was a bit late."""
    (draft,) = run(Recording.open(recorded)).drafts()
    sound = next(entry.seq for entry in draft.entries if entry.type == "audio")
    first = next(entry for entry in draft.entries if entry.method == "on_play_ms")

    def later(entry: Entry, by_ms: float) -> Entry:
        return entry._replace(at_ns=entry.at_ns + round(by_ms * 1e6))

    busy = [one if one.seq < sound else later(one, 350) for one in draft.entries]
    slow = [later(one, 15 * max(0, one.at_ns - first.at_ns) // 10**8) for one in draft.entries]
    for entries in (busy, slow):
        changed = Recording.of(draft.derived("a busy machine", entries), name="busy")
        assert run(replay(changed, Player())).report.heard == ()
        told = run(replay(changed, Player(), playback_ms=100.0)).report.heard
        assert told == () if entries is slow else {one.live_ms for one in told} == {1300.0}
        assert {one.live_ms > 2000 for one in run(replay(changed, Player(speed=2.0))).report.heard} == {True}
        assert run(replay(changed, Player(speed=0.5))).report.heard


def test_exactly_is_call_by_call(recorded: Path) -> None:
    assert played(recorded, Player(), playback="exact").verdict == "same"
    one = played(recorded, Player(step_ms=50), playback="exact")
    assert [one.kind for one in one.report.divergences] == ["playback"]
    with pytest.raises(UsageError, match="playback='roughly'"):
        played(recorded, Player(), playback="roughly")


def test_who_is_late_with_a_call_does_not_make_the_next_one() -> None:
    """It was made for him where it was recorded; another one of the same content that has its place now is
    somebody else's, or his next."""

    def recorded_call(seq: int) -> Step:
        entry = Entry(seq, seq, 0, 0, Kind.PLAYBACK, "application", "on_play_bytes", payload="{}")
        return Step(entry, value={"args": [ITEM, 0, {"bytes": len(CHUNK)}], "kwargs": {}})

    tracker, here = RealtimePlaybackTracker(), list[Step]()
    driven = ReplayTracker(tracker, lambda: here[0] if here else None, ReportBuilder())
    driven.play(recorded_call(1))
    here.append(recorded_call(2))
    tracker.on_play_bytes(ITEM, 0, CHUNK)
    assert not here[0].performed
    assert tracker.get_state()["elapsed_ms"] == 100.0
    tracker.on_play_bytes(ITEM, 0, CHUNK)
    assert here[0].performed
    assert tracker.get_state()["elapsed_ms"] == 200.0
    driven.detach()


def test_of_a_second_session_it_is_said_where_there(tmp_path: Path) -> None:
    """What the first player has lost is another's."""
    store = tmp_path / "log.db"

    def twice(*players: Player) -> Any:
        async def app(model: Any) -> None:
            for player in players:
                await player(model)
                model.remove_listener(player)

        return app

    async def main() -> None:
        async with Recorder(store) as recorder:
            await twice(Player(), Player(step_ms=200))(recorder.wrap(Interrupting(_script)))

    run(main())
    lost = run(replay(store, twice(Player(reports=False), Player(step_ms=200)))).report
    assert {one.session for one in lost.unreported} == {lost.recordings[0]}
    both = twice(Player(reports=False), Player(reports=False))
    exact = run(replay(store, both, on_divergence="collect", playback="exact")).report
    first, second = exact.divergences
    assert (first.nth, second.nth) == (1, 2)
    assert (first.expected, second.expected) == tuple(
        ", ".join(f"#{one.seq}" for one in exact.unreported if one.session == session)
        for session in exact.recordings
    )
    assert str(exact).count("did not report what it did when recorded (in session 2): #") == 1
    slow = run(replay(store, twice(Player(), Player(speed=0.5, step_ms=200)))).report
    assert {one.session for one in slow.heard} == {slow.recordings[1]}
    assert "when recorded 1,000 ms (in session 2)" in str(slow)


def test_the_recording_itself_has_no_player(recorded: Path) -> None:
    assert run(replay(recorded)).report.remark == ""


class Speaking(Player):
    """It writes what it was playing, in the midst of it."""

    async def on_event(self, event: Any) -> None:
        if event.type == "audio" and self._playing is None:
            self._writing = asyncio.create_task(self._write())
        await super().on_event(event)

    async def _write(self) -> None:
        await asyncio.sleep(0.55)
        assert self.model is not None
        await self.model.send_event(RealtimeModelSendUserInput(user_input="Louder, please."))

    async def __call__(self, model: Any) -> None:
        self.model = model
        await super().__call__(model)


def test_what_was_heard_where_the_application_sent_something(tmp_path: Path) -> None:
    """A player that is slow at first and has caught up by the interruption: only the send shows it."""
    store = tmp_path / "log.db"

    async def main() -> None:
        async with Recorder(store) as recorder:
            await Speaking()(recorder.wrap(Interrupting(_script)))

    class Late(Speaking):
        async def _play(self) -> None:
            await asyncio.sleep(0.95)
            self._tracker.on_play_ms(ITEM, 0, 900)
            await super()._play()

    run(main())
    assert run(replay(store, Speaking())).report.remark == ""
    late = run(replay(store, Late(step_ms=40)))
    assert late.report.remark == "what was heard differs at 1 place"
    (heard,) = late.report.heard
    assert (heard.recorded_ms, heard.live_ms) == (500, 0)
