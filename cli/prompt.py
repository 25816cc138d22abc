"""The prompt of `realtape replay --interactive`: commands that drive the replay's transport.

It is asked inside the replay, which stands still meanwhile: not a round of the application's event
loop passes at a prompt.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from types import FrameType

from rich.text import Text

from ..replay import Goal, Play, Played, Stop, Transport, starts_turn, steps
from ..schema import RealtapeError, UsageError
from ..session import seconds, words
from . import output
from .bounds import parse_bound
from .conditions import parse_condition
from .wish import Wish, play

AROUND = 5
"""Entries that `show` shows on either side of the cursor."""

HELP = """\
run                 r   go on, to the next breakpoint or the end; Ctrl-C pauses
step [N]            s   one thing that the model does, or N of them
turn                t   to the beginning of the next turn
seek 120 | 12.5s        to an entry or a time; backwards by playing again from the start
until CONDITION     u   to what meets it: type=NAME item=ID tool=NAME playback=1500ms text~WORD
break CONDITION     b   stop whenever it is met: type=NAME item=ID tool=NAME playback=1500ms
breaks                  the breakpoints
delete N                take a breakpoint away
rate 2 | max            time passes so many times faster than recorded
state                   where this is: turn, playback, open tool calls
history                 the conversation's items
transcript              what was said so far
show [N]                the entries around this place
pause                   it is paused wherever you can type this
help                h   this
quit                q   end here"""

_SHORT = {
    "r": "run",
    "s": "step",
    "t": "turn",
    "u": "until",
    "b": "break",
    "h": "help",
    "q": "quit",
    "?": "help",
}


def interact(wish: Wish) -> Played:
    """Replay under virtual time, at the prompt.

    Raises:
        KeyboardInterrupt: Ctrl-C at the prompt.
        StoreError, CorruptRecordError: the user left where the recording cannot be read any further.
    """
    console = Console()
    give_back = pausing(console)
    try:
        while True:
            rate = wish.pace if console.play is None else console.play.transport.rate
            played = play(replace(wish, pace=rate), console.attach)
            if console.interrupted:
                raise KeyboardInterrupt
            if console.again is None:
                unreadable = None if console.play is None else console.play.unreadable
                if unreadable is not None:
                    raise unreadable
                return played
    finally:
        give_back()


class Console:
    """Reads commands from stdin, a line each.

    Attributes:
        again: the entry to which to play again from the start; None: no need to.
        interrupted: by Ctrl-C at the prompt.
    """

    def __init__(self) -> None:
        self.again: int | None = None
        self.interrupted = False
        self.play: Play | None = None
        self._over: Stop | None = None
        self._prompting = False

    @property
    def _transport(self) -> Transport:
        assert self.play is not None, "a prompt comes in a play"
        return self.play.transport

    def attach(self, play: Play) -> None:
        """A replay begins."""
        before, self.play = self.play, play
        self._over = None
        transport = play.transport
        transport.on_stop = self.stopped
        if before is not None:
            transport.take_over(before.transport)
        if self.again is None:
            transport.pause()
        else:
            transport.go(Goal(seq=self.again, breaks=False))
            self.again = None

    def interrupt(self, number: int, frame: FrameType | None) -> None:
        """Ctrl-C: pause; at the prompt, or before the replay has paused, end."""
        if self._prompting or self.play is None or self._transport.paused:
            raise KeyboardInterrupt
        self._transport.pause()

    def stopped(self, stop: Stop) -> None:
        """The replay has stopped: ask until a command lets it go."""
        over = stop.reason in ("ended", "failed")
        self._over = stop if over else None
        self._tell(stop)
        while (line := self._line()) is not None:
            try:
                if self._do(line):
                    return
            except RealtapeError as error:
                output.note(str(error))
        self._quit()

    def _line(self) -> str | None:
        """The next line; None where there is none any more."""
        if sys.stdin.isatty():
            sys.stdout.write("(realtape) ")
        sys.stdout.flush()
        self._prompting = True
        try:
            line = sys.stdin.readline()
        except KeyboardInterrupt:
            self.interrupted = True
            return None
        finally:
            self._prompting = False
        return line if line else None

    def _do(self, line: str) -> bool:
        """One command; whether the prompt ends."""
        name, _, rest = line.strip().partition(" ")
        if not name:
            return False
        name = _SHORT.get(name, name)
        method: Callable[[str], bool] | None = getattr(self, f"_do_{name}", None)
        if method is None:
            known = ", ".join(one.split()[0] for one in HELP.splitlines())
            raise UsageError(f"no command {name}: there are {known}")
        return method(rest.strip())

    # --- commands that let it go ------------------------------------------------------------------------

    def _go(self, goal: Goal) -> bool:
        if self._over is not None:
            raise UsageError("the replay is over: seek to an earlier place, or quit")
        self._transport.go(goal)
        return True

    def _do_run(self, rest: str) -> bool:
        if self._over is not None:
            return True  # the application may return now
        return self._go(Goal())

    def _do_step(self, rest: str) -> bool:
        return self._go(steps(_number("step", rest) if rest else 1))

    def _do_turn(self, rest: str) -> bool:
        return self._go(Goal(before=starts_turn))

    def _do_until(self, rest: str) -> bool:
        return self._go(Goal(before=parse_condition("until", rest).is_met))

    def _do_seek(self, rest: str) -> bool:
        bound = parse_bound("seek", rest)
        seq = bound.seq if bound.at_ns is None else self._transport.states.seq_now(bound.at_ns / 1e9)
        assert seq is not None
        if seq >= self._transport.seq:
            return self._go(self._transport.goal_at(seq=seq))
        self.again = seq
        return self._quit()

    def _do_quit(self, rest: str) -> bool:
        return self._quit()

    def _quit(self) -> bool:
        self._transport.on_stop = None
        if self.play is not None:
            self.play.leave()
        return True

    # --- commands that do not ---------------------------------------------------------------------------

    def _do_pause(self, rest: str) -> bool:
        output.put("it is paused; while it runs, Ctrl-C pauses it")
        return False

    def _do_help(self, rest: str) -> bool:
        output.put(HELP)
        return False

    def _do_break(self, rest: str) -> bool:
        wanted = parse_condition("break", rest).wanted
        made = self._transport.add_breakpoint(
            type=wanted.type, item=wanted.item, tool=wanted.tool, playback_ms=wanted.playback_ms
        )
        output.put(f"breakpoint {made}")
        return False

    def _do_breaks(self, rest: str) -> bool:
        for one in self._transport.breakpoints:
            output.put(f"breakpoint {one}")
        if not self._transport.breakpoints:
            output.put("no breakpoints")
        return False

    def _do_delete(self, rest: str) -> bool:
        self._transport.remove_breakpoint(_number("delete", rest))
        return False

    def _do_rate(self, rest: str) -> bool:
        if rest:
            self._transport.rate = None if rest == "max" else _rate(rest)
        rate = self._transport.rate
        output.put("rate max" if rate is None else f"rate {rate:g}")
        return False

    def _do_state(self, rest: str) -> bool:
        state = self._transport.state
        output.put(f"at #{state.seq}, {seconds(state.at_ns)} s, turn {state.turn}")
        played = state.played
        if played is not None:
            heard = "?" if played.elapsed_ms is None else f"{played.elapsed_ms:,.0f}"
            output.put(f"heard: {'~' if played.assumed else ''}{heard} ms of {words.short(played.item_id)}")
        output.put(f"items: {len(state.history)}")
        if state.settings is not None:
            output.put(f"settings: as the {state.settings.told_by} says (#{state.settings.seq})")
        for call in state.open_calls:
            output.put(
                f"open: {words.short(f'{call.name}({call.arguments}) as {call.call_id}')} since #{call.seq}"
            )
        return False

    def _do_history(self, rest: str) -> bool:
        for item in self._transport.state.history:
            status = f" ({item.status})" if item.status else ""
            output.put(words.short(f"{item.item_id} {item.role}{status}: {item.text}", 1000))
        return False

    def _do_transcript(self, rest: str) -> bool:
        for said in self._transport.state.transcript:
            output.put(words.short(f"{said.role}: {said.text}", 1000))
        return False

    def _do_show(self, rest: str) -> bool:
        here, around = self._transport.seq, _number("show", rest) if rest else AROUND
        for seq in range(max(0, here - around), here + around + 1):
            entry = self._transport.states.entry(seq)
            if entry is not None:
                output.put(f"{'→' if seq == here else ' '} {seconds(entry.at_ns)} {words.line(entry)}")
        return False

    def _tell(self, stop: Stop) -> None:
        """Why it stopped, and what comes next."""
        entry = self._transport.next
        why = f"breakpoint {stop.breakpoint}" if stop.breakpoint is not None else stop.reason
        if stop.reason == "waits":
            why = "waits for the application"
        unreadable = self.play.unreadable if self.play and stop.reason == "failed" else None
        if unreadable is not None:
            why = f"{stop.reason}: {unreadable}"
        text = Text(why, style="bold red" if stop.reason == "failed" else "bold")
        if entry is not None:
            text.append(f" · {seconds(entry.at_ns)} {words.line(entry)}", style="not bold")
        console = output.console(sys.stdout)
        if console.is_terminal:
            console.print(text, soft_wrap=True)
        else:
            output.put(text.plain)


def pausing(console: Console) -> Callable[[], object]:
    """Ctrl-C belongs to the console from now on; returns what gives it back."""
    before = signal.signal(signal.SIGINT, console.interrupt)
    return lambda: signal.signal(signal.SIGINT, before)


def _number(command: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise UsageError(f"{command} {text}: give a number such as 3")
    return int(text)


def _rate(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"rate {text}: give a number such as 0.5, or max") from None
