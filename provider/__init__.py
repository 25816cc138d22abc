"""A provider of realtime models on this machine: OpenAI's GA protocol, spoken from a script.

The front door. Inside: `protocol` is the session without any I/O, `server` puts it behind a socket,
`script` says what is said, `speech` holds recordings to say. It imports nothing else of Realtape.
"""

from .protocol import Ended, Outgoing, RealtimeProtocol
from .script import AFTERWARDS, Ending, FunctionCall, Reply, Script, Speech, Text
from .server import ConnectionLog, LocalProvider
from .speech import ASSISTANT_ANSWER, USER_INTERRUPTION, USER_QUESTION, Utterance, chunks, silence

__all__ = [
    "AFTERWARDS",
    "ASSISTANT_ANSWER",
    "USER_INTERRUPTION",
    "USER_QUESTION",
    "ConnectionLog",
    "Ended",
    "Ending",
    "FunctionCall",
    "LocalProvider",
    "Outgoing",
    "RealtimeProtocol",
    "Reply",
    "Script",
    "Speech",
    "Text",
    "Utterance",
    "chunks",
    "silence",
]
