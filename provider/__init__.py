"""A provider of realtime models on this machine: OpenAI's GA protocol, spoken from a script.

The front door. Inside: `session` is the server's half of the protocol, whoever directs it; `protocol` lets a
script direct it, `server` puts that behind a socket; `speech` holds recordings to say.
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
