"""Variations of one session that are the same up to a place: what they have in common is replayed once.

The session is replayed as it is: the trunk. It is read an entry at a time, each when nothing can be decided
without it (`Staged`). Where a variation branches off, the process is forked instead of reading on: the child
reads what the variation has there, and goes on as if it had replayed the variation from its first entry. For
a replay is what was read, and all that had been read is the same.

That holds as long as the process has nothing that a fork does not copy: no thread but ours, no descriptor but
the loop's own (`Copyable`). Where it has, a variation is not branched off, and that is said: it is to be
replayed whole (`tried`).
"""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import math
import os
import pickle
import select
import signal
import stat
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

from ..lab.edits import Beginning, Interrupt, MoveInterruption, Sketch, tail, work_out
from ..lab.invariants import Invariant
from ..replay import Application, VirtualLoop
from ..schema import Entry
from ..session import Draft, Staged
from .soundness import Failure, Observation

_LASTING = frozenset({"/dev/null", "/dev/urandom", "/dev/random"})
"""Files out of which whoever shares them takes nothing."""


@dataclass(frozen=True)
class Branch:
    """A variation.

    Attributes:
        number: whose.
        edit: makes it.
        seq: the entry of the session before which it differs first.
        turns: so many responses end after that, until it is not judged any more; None: to the end.
    """

    number: int
    edit: Interrupt | MoveInterruption
    seq: int
    turns: int | None


@dataclass(frozen=True)
class Grown:
    """What came of a variation.

    Attributes:
        failures: what went wrong.
        entries: so many it has, as far as it was replayed, and those before it.
        is_cut: it has more.
        reached: its session was replayed; if not, the application has not connected again before it.
    """

    failures: tuple[Failure, ...]
    entries: int
    is_cut: bool
    reached: bool = True


@dataclass(frozen=True)
class Unbranched:
    """A variation that was not branched off.

    Attributes:
        why: in a few words.
    """

    why: str


@dataclass(frozen=True)
class Died:
    """The process of a branch ended.

    Attributes:
        how: in a sentence.
        in_time: of itself; if not, its time was over.
    """

    how: str
    in_time: bool


Told = Callable[[int, Grown | Unbranched | Died | Exception], object]
"""Gets the number of a branch, and what came of it."""


def tried(
    drafts: Sequence[Draft],
    branch: Branch,
    application: Application,
    patience: float,
    rules: Sequence[Invariant],
) -> Grown:
    """Replay a variation whole, in this process, and judge what the application does.

    Args:
        drafts: the session, and before it those that the same model object had, as they are.

    Raises:
        UsageError: the session has no such place.
    """
    *before, draft = drafts
    beginning = Beginning(draft)
    entries = [entry for _ in range(branch.seq) if (entry := beginning.advance()) is not None]
    sketch = Sketch(draft, beginning)
    branch.edit.change(sketch)
    found = tail(sketch, Staged(draft).ended, branch.turns)
    segments = {**draft.segments, **beginning.segments}
    whole = dataclasses.replace(draft, entries=(*entries, *found.entries), segments=segments)
    chain = Staged.chain([*before, whole])
    observation = Observation(chain, application, patience, rules, is_cut=lambda: found.is_cut)
    failures = tuple(observation.failures())
    length = sum(len(one.entries) for one in (*before, whole))
    return Grown(failures, length, found.is_cut, observation.reached)


class Trunk(Staged):
    """A session that is replayed as it is, while variations branch off it.

    Args:
        drafts: the session, and before it those that the same model object had.
        branches: its variations.
        tell: gets what came of each, as soon as it is known.
        copyable: says whether the process may be forked.
        timeout: wall seconds for one.
    """

    def __init__(
        self,
        drafts: Sequence[Draft],
        branches: Sequence[Branch],
        tell: Told,
        copyable: Copyable,
        timeout: float | None,
    ) -> None:
        *before, draft = drafts
        super().__init__(draft)
        self._chain = Staged.chain(before, self)
        self._before = sum(len(one.entries) for one in before)
        self._beginning = Beginning(draft)
        self._beginning.prepare()
        work_out(self._beginning.structure)
        self._due: dict[int, list[Branch]] = {}
        for branch in branches:
            self._due.setdefault(branch.seq, []).append(branch)
        self._tell = tell
        self._copyable = copyable
        self._timeout = timeout
        self._ends = [(entry.of, entry.seq) for entry in draft.entries if entry.of is not None]
        self._given: list[Entry] = []
        self._observation: Observation | None = None
        self._child: int | None = None  # that we wait for
        self._is_cut = False
        self._branch: Branch | None = None  # that we are
        self._pipe = -1

    def grow(self, application: Application, patience: float, rules: Sequence[Invariant]) -> None:
        """Replay it; returns when all that branches off was told.

        Args:
            patience: virtual seconds for which the application is awaited.
            rules: that a sound application keeps.
        """
        before = signal.getsignal(signal.SIGTERM)
        signal.signal(signal.SIGTERM, self._ended_by_signal)
        gc.collect()
        try:
            self._observation = Observation(
                *(self._chain, application, patience, rules), is_cut=lambda: self._is_cut, at_cut=self._at_cut
            )
            failures = self._observation.failures()
            if self._branch is not None:
                self._answer(self._grown(failures, is_cut=False))
        except BaseException as error:
            if self._branch is None:
                raise
            self._answer(error if isinstance(error, Exception) else RuntimeError(f"ended by {error!r}"))
        finally:
            if self._branch is not None:
                os._exit(1)
            gc.unfreeze()
            signal.signal(signal.SIGTERM, before)
        self._give_up(math.inf, "the application of the session as it is ended before")

    # --- for who reads it -----------------------------------------------------------------------------

    def entries(self) -> Iterator[Entry]:
        """The session's, and in a forked child, from where that branches off, its variation's."""
        beginning = self._beginning
        if not beginning.in_order:
            self._give_up(math.inf, "the session's entries do not lie in the order of their places")
        length = len(self.draft.entries)
        for seq in range(length + 1):
            for branch in self._due.pop(seq, ()):
                if self._fork(branch):
                    yield from self._rest(branch)
                    return
            if seq == length:
                return
            entry = beginning.advance()
            if entry is None or entry.seq != seq:
                self._give_up(math.inf, f"entry {seq} of the session could not be, by its own beginning")
            if entry is not None:
                self._given.append(entry)
                self.gave()
                yield entry

    def bytes_at(self, segment: int, offset: int, length: int) -> bytes:
        """As of any; those that a variation brings, too."""
        data = self._beginning.segments.get(segment)
        return super().bytes_at(segment, offset, length) if data is None else data[offset : offset + length]

    @property
    def given(self) -> Draft:
        """What was given of it."""
        segments = {**self.draft.segments, **self._beginning.segments}
        return dataclasses.replace(self.draft, entries=tuple(self._given), segments=segments)

    def given_from(self, first: int) -> Sequence[Entry]:
        """Of that, the entries from a number on."""
        return self._given[first:]

    # --- helpers --------------------------------------------------------------------------------------

    def _rest(self, branch: Branch) -> Iterator[Entry]:
        """In a child: what comes of the variation from here on."""
        sketch = Sketch(self.draft, self._beginning)
        branch.edit.change(sketch)
        found = tail(sketch, self.ended, branch.turns)
        first = len(self._given)
        open_here = {of for of, seq in self._ends if of < first <= seq}
        if open_here != {one.of for one in found.entries if one.of is not None and one.of < first}:
            self._answer(Unbranched("what ends an entry before the place falls away with it"))
        self.ended.forget_from(first)
        for seq in {one.of for one in found.entries if one.of is not None and one.of >= first}:
            self.ended.add(seq)
        self._is_cut = found.is_cut
        self.stage(found.entries)
        for entry in found.entries:
            self._given.append(entry)
            self.gave()
            yield entry

    def _fork(self, branch: Branch) -> bool:
        """Let a variation branch off; whether we are that, and not the trunk any more."""
        observation = self._observation
        assert observation is not None, "who reads this is observed"
        why = self._copyable.obstacle(observation.loop)
        if why is not None:
            self._tell(branch.number, Unbranched(why))
            return False
        observation.follow()
        observation.follow_alone()
        reading, writing = os.pipe()
        gc.freeze()  # what is there now is looked at by no collection, and so its pages stay shared
        pid = os.fork()
        if not pid:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.close(reading)
            self._branch, self._pipe = branch, writing
            if self._timeout is not None:
                signal.alarm(math.ceil(self._timeout) + 1)  # where nobody ends us in time
            observation.loop.go_on_forked()
            return True
        os.close(writing)
        self._child = pid
        try:
            self._tell(branch.number, self._told(pid, reading))
        finally:
            self._child = None
            os.close(reading)
        return False

    def _told(self, pid: int, reading: int) -> Grown | Unbranched | Died | Exception:
        """What a child says; in the parent."""
        data, in_time = bytearray(), True
        while True:
            ready, _, _ = select.select([reading], [], [], self._timeout)
            if not ready:
                in_time = False
                os.kill(pid, signal.SIGKILL)
                break
            some = os.read(reading, 1 << 16)
            if not some:
                break
            data += some
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if not in_time:
            return Died(f"not done within {self._timeout:g} s; its process was ended", in_time=False)
        if code or not data:
            return Died(f"its process ended with code {code}", in_time=True)
        return cast("Grown | Unbranched | Exception", pickle.loads(data))

    def _at_cut(self, failures: list[Failure]) -> None:
        """All was played that is judged."""
        if self._branch is not None:
            self._answer(self._grown(failures, is_cut=True))

    def _grown(self, failures: Sequence[Failure], *, is_cut: bool) -> Grown:
        return Grown(tuple(failures), self._before + len(self._given), is_cut)

    def _answer(self, found: Grown | Unbranched | Exception) -> None:
        """In a child: tell the parent, and end."""
        try:
            try:
                data = pickle.dumps(found)
            except Exception:  # noqa: BLE001 - the application's own exceptions may be anything
                data = pickle.dumps(RuntimeError(str(found)))
            while data:
                data = data[os.write(self._pipe, data) :]
        except OSError:
            os._exit(1)  # the parent is gone
        os._exit(0)

    def _give_up(self, until: float, why: str) -> None:
        for seq in [seq for seq in self._due if seq < until]:
            for branch in self._due.pop(seq):
                self._tell(branch.number, Unbranched(why))

    def _ended_by_signal(self, number: int, frame: Any) -> None:
        if self._child is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._child, signal.SIGKILL)
        os._exit(128 + number)


class Copyable:
    """Whether a fork copies all that a process has. Made before the application is loaded."""

    def __init__(self) -> None:
        self._known = _descriptors()

    def obstacle(self, loop: VirtualLoop) -> str | None:
        """What a fork would not copy; None: nothing."""
        if not sys.platform.startswith("linux"):
            return f"processes are not forked on {sys.platform}"
        if not loop.is_alone:
            return "a thread or a descriptor of the application is at work"
        ours = {threading.current_thread(), *loop.threads}
        others = [thread.name for thread in threading.enumerate() if thread not in ours]
        if others:
            return f"the application has a thread: {others[0]}"
        for number in _descriptors() - self._known - loop.descriptors:
            what = _is_shared(number)
            if what is not None:
                return f"the application has open: {what}"
        return None


def _descriptors() -> set[int]:
    try:
        return set(map(int, os.listdir("/proc/self/fd")))
    except OSError:
        return set()


def _is_shared(number: int) -> str | None:
    """What this is, if a child would share it with its parent, and one of them would notice the other."""
    try:
        target = os.readlink(f"/proc/self/fd/{number}")
        mode = os.fstat(number).st_mode
    except OSError:
        return None  # the one with which they were listed
    if target in _LASTING:
        return None
    if not target.startswith("/"):
        return f"a {target.partition(':')[0]}"  # `socket:[8339]`
    if stat.S_ISREG(mode):
        import fcntl

        flags = fcntl.fcntl(number, fcntl.F_GETFL)
        if flags & os.O_APPEND and flags & os.O_ACCMODE == os.O_WRONLY:
            return None  # such as a log: whatever is written stands at its end
    return target
