"""A response ends before its time, without anybody's doing, or because the application cancels it."""

from __future__ import annotations

from dataclasses import dataclass

from ...schema.errors import UsageError
from ...session.drafts import Draft
from ...session.structure import Message, Structure
from .cutting import How, cut_off
from .sketch import Sketch


@dataclass(frozen=True)
class EndEarly:
    """A response ends after one of its messages.

    Attributes:
        seq: of the first entry of the message that is its last but for those that close it.
        how: `max_output_tokens` leaves it incomplete, `client_cancelled` cancelled.
    """

    seq: int
    how: How = "max_output_tokens"

    def __call__(self, draft: Draft) -> Draft:
        """The session with it; not sealed.

        Raises:
            UsageError: no response goes on after this message.
        """
        structure = Structure(draft)
        place = structure.message_of.get(self.seq)
        message = None if place is None else structure.messages[place]
        if message is None or message not in cuttable(structure):
            raise UsageError(f"#{self.seq} is no message after which a response goes on")
        response = next(one for one in structure.responses if one.response_id == message.response_id)
        sketch = Sketch(draft)
        last = sketch.spots[message.seqs[-1]]
        cut_off(
            sketch,
            response,
            message.seqs[-1] + 1,
            self.how,
            behind=last.seq,
            burst=last.burst,
            round=last.round,
        )
        return sketch.draft()

    def __str__(self) -> str:
        return f"the response ends after #{self.seq} ({self.how})"


def cuttable(structure: Structure) -> list[Message]:
    """Messages of responses after which these may end early."""
    found: list[Message] = []
    for response in structure.responses:
        if response.began is None or response.ended is None:
            continue
        first, last = (structure.message_of[seq] for seq in (response.began, response.ended))
        own = [structure.messages[place] for place in response.messages if first <= place < last]
        found += [
            one for one in own if one.type.endswith((".created", ".added", "delta")) or one.type in _OWN
        ]
    return found


_OWN = ("turn_started", "audio", "function_call")
