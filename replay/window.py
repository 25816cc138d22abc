"""The window: the steps of a recording that are in memory, from the cursor on."""

from __future__ import annotations

from collections import deque
from itertools import islice

from ..schema.entries import Kind
from .steps import CALLS, Step

LOOK_AHEAD = 1024
"""Steps in memory, and how far ahead of its place a send is recognised."""

GAP_GRACE = 200
"""So many entries behind a gap, a send that nobody recorded may be one that the recorder lost."""

PASSED = 16
"""Steps that are kept after the cursor has passed them: a report shows what was around."""

FOLLOWERS = 512
"""How many steps on it is looked for what a task does next in a burst."""


class Window:
    """Steps come in at its end, and are passed at its beginning.

    Attributes:
        ended: there are no more steps to come.
        next_seq: of the step that comes in next.
        passed: the last steps that the cursor has passed.
    """

    def __init__(self) -> None:
        self.ended = False
        self.next_seq = 0
        self.passed: deque[Step] = deque(maxlen=PASSED)
        self._steps: deque[Step] = deque()
        self._gaps: deque[int] = deque()

    def __len__(self) -> int:
        return len(self._steps)

    @property
    def first(self) -> Step | None:
        """The step at the cursor."""
        return self._steps[0] if self._steps else None

    @property
    def second(self) -> Step | None:
        """The step after the one at the cursor, if it is in memory."""
        return self._steps[1] if len(self._steps) > 1 else None

    @property
    def connects(self) -> bool:
        """Whether the recording begins with a `connect`; one of a model that was never connected
        does not."""
        return self.first is not None and self.first.kind == Kind.CONNECT

    @property
    def hungry(self) -> bool:
        """Whether it must be fed before a call can be judged."""
        return not self.ended and len(self) < LOOK_AHEAD // 2

    @property
    def full(self) -> bool:
        """Whether it should not be fed more for now."""
        return len(self) >= LOOK_AHEAD

    def append(self, step: Step) -> None:
        """The next step of the recording."""
        self._steps.append(step)
        self.next_seq = step.seq + 1
        if step.kind == Kind.GAP:
            self._gaps.append(step.seq)

    def end(self, *, breaks_off: bool) -> None:
        """There are no more.

        Args:
            breaks_off: the recorder's process died there: what came next is lost, as at a gap.
        """
        self.ended = True
        if breaks_off:
            self._gaps.append(self.next_seq)

    def advance(self) -> None:
        """The cursor passes a step."""
        self.passed.append(self._steps.popleft())

    def near_gap(self) -> bool:
        """Whether the recorder lost something hereabouts, or its process died."""
        here = self._steps[0].seq if self._steps else self.next_seq
        while self._gaps and self._gaps[0] < here - GAP_GRACE:
            self._gaps.popleft()
        return bool(self._gaps)

    def run_on(self) -> Step | None:
        """The next event, if it comes right after the one at the cursor: in the same round, from the
        same task; and if neither was at work for longer when this was recorded."""
        steps = self._steps
        if len(steps) < 3:
            return None
        here, step = steps[0], steps[1]
        if step.place is not here.place or step.kind != Kind.RECEIVED or step.ends or here.ends:
            return None
        return step if step.entry.task == here.entry.task else None

    def is_followed(self, step: Step) -> bool:
        """Whether the application did something of its own accord after this, in the same round."""
        for one in islice(self._steps, FOLLOWERS):
            if one.seq <= step.seq:
                continue
            if one.place[:3] != step.place[:3]:
                return False
            if one.kind in CALLS and one.entry.cause != step.seq and one.entry.task != step.entry.task:
                return True
        return False

    def next_of(self, step: Step) -> Step | None:
        """The event that its task gives next, if it does so in the same burst."""
        for one in islice(self._steps, FOLLOWERS):
            if one.place.burst > step.place.burst:
                return None
            if one.seq > step.seq and one.kind == Kind.RECEIVED and one.entry.task == step.entry.task:
                return one
        return None

    def caused_by(self, call: Step) -> list[Step]:
        """The first events, in this burst, of tasks that a call started."""
        found: dict[int | None, Step] = {}
        for one in islice(self._steps, FOLLOWERS):
            if one.place.burst > call.place.burst and one.place.burst > self._steps[0].place.burst:
                break
            if one.kind == Kind.RECEIVED and one.entry.cause == call.seq:
                found.setdefault(one.entry.task, one)
        return list(found.values())

    def cancelled_in(self, step: Step) -> list[Step]:
        """The outermost `handled` of each task whose listeners were cancelled in the round of this step:
        whoever closes a model cancels all its tasks at once, and then they end, one after another."""
        found: dict[int | None, Step] = {}
        for one in self._steps:
            if one.seq >= step.seq and one.place[:3] != step.place[:3]:
                break
            if one.kind == Kind.HANDLED and one.outcome.how == "cancelled":
                found[one.entry.task] = one
        return list(found.values())

    def due_playback(self) -> Step | None:
        """The recorded call on the tracker that the cursor has come to: if the application makes
        it right now, it is at its place."""
        for step in self._steps:
            if step.kind == Kind.PLAYBACK:
                if not step.performed:
                    return step if step.entry.type == "application" else None
            elif step.kind in CALLS or (step.kind == Kind.RECEIVED and not step.performed):
                return None
        return None

    def around(self, seq: int, radius: int = PASSED) -> list[Step]:
        """The steps around a place, as far as they are in memory."""
        steps = (*self.passed, *islice(self._steps, LOOK_AHEAD))
        return [step for step in steps if abs(step.seq - seq) <= radius]
