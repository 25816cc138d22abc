"""Everything that Realtape raises.

    RealtapeError
    ├── UsageError                  the caller's misuse: nothing was read or written
    ├── StoreError                  a store, or the machine below it, refuses
    │   ├── StoreNotFoundError      there is nothing at that place
    │   ├── NotAStoreError          there is something, and it is not a Realtape log
    │   ├── NewerFormatError        written by a newer Realtape
    │   ├── StoreBusyError          held by another process
    │   ├── SessionNotFoundError    the store has no such session
    │   ├── FixtureError            a fixture is not what was exported, or too large
    │   ├── UnreadableRecordingError  what lies where a test's recording is to be cannot be read
    │   └── StoreWriteError         entries could not be written
    ├── CodecError
    │   ├── EncodingError           a value that the codec refuses (nested too deep, too large)
    │   └── DecodingError           a payload that no codec of this format wrote
    ├── CorruptRecordError          the digest chain does not hold: names the first bad entry
    ├── MatcherError                a function of the user's matcher raised
    ├── DivergenceError             the application under replay did what the recording does not hold
    ├── StuckLoopError              on virtual time nothing is left that could ever happen
    ├── InvariantError              a session breaks a rule; an AssertionError, too
    ├── UnsoundError                an application does, in a replay; an AssertionError, too
    ├── NetworkGuardError           a test that is replayed wanted to connect to somebody
    └── RequestRefused              a client's message to the local provider that makes no sense there

Beside it stand what is not ours, `RecordedError` and `ApplicationError` (the application raised), and signals
that no caller ever sees: `Refused`, `WorkerDied`, `TookTooLong`, `Unloadable`.

Facts are attributes; the sentence is `str(error)`, and it says what to do.
"""

from __future__ import annotations


class RealtapeError(Exception):
    """The root of the tree above."""


class UsageError(RealtapeError):
    """The caller asked for something that makes no sense; the message says what to ask instead."""


class StoreError(RealtapeError):
    """A store cannot be used.

    Attributes:
        store: the store's path or URL, without a password.
        remedy: what the user can do.
    """

    def __init__(self, store: str, problem: str, remedy: str) -> None:
        super().__init__(store, problem, remedy)
        self.store = store
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.store}: {self.problem}; {self.remedy}"


class StoreNotFoundError(StoreError):
    """There is no file at that path (reading never creates one)."""


class NotAStoreError(StoreError):
    """The file is empty, or not SQLite, or SQLite without Realtape's tables."""


class NewerFormatError(StoreError):
    """The log was written in a format that this release does not know."""


class StoreBusyError(StoreError):
    """Another process holds the store."""


class SessionNotFoundError(StoreError):
    """The store holds no such session, or none at all."""


class FixtureError(StoreError):
    """A fixture is damaged, or was changed, or is no fixture, or is larger than one may be.

    `store` is the fixture's path; `problem` begins with the file in it, and the line where there is one.
    """


class StoreWriteError(StoreError):
    """Entries could not be written; they are lost once the process ends."""


class CodecError(RealtapeError):
    """A value or a payload that the codec cannot turn into the other."""


class EncodingError(CodecError):
    """The value is nested too deep, too large, or changed while it was read."""


class DecodingError(CodecError):
    """The payload is not one that a codec of this format writes."""


class CorruptRecordError(RealtapeError):
    """The log does not say what was appended to it.

    Attributes:
        session_id: the session's id.
        seq: the first entry at which the chain breaks; None where the header itself is wrong.
    """

    def __init__(self, session_id: str, seq: int | None, problem: str) -> None:
        super().__init__(session_id, seq, problem)
        self.session_id = session_id
        self.seq = seq
        self.problem = problem

    def __str__(self) -> str:
        place = "header" if self.seq is None else f"entry {self.seq}"
        id = self.session_id
        shown = id if id.isprintable() else ascii(id)[1:-1]  # a forged one is one line, too
        return (
            f"session {shown}, {place}: {self.problem}; "
            "the entries before it are intact, what follows cannot be trusted"
        )
