"""A provider of realtime models on this machine: OpenAI's GA protocol, spoken from a script.

The front door. Inside: `session` is the server's half of the protocol, whoever directs it; `protocol` lets a
script direct it, `server` puts that behind a socket; `speech` holds recordings to say. `live` is the Live
protocol, from a script of its own.
"""

from .conversation import Conversation, Item
from .live import LiveProtocol, LiveScript, LiveTurn
from .protocol import Ended, Outgoing, RealtimeProtocol
from .requests import Message, RequestRefused, parse
from .script import AFTERWARDS, Ending, FunctionCall, Reply, Script, Speech, Text
from .server import ConnectionLog, LocalProvider
from .session import ConversationRequest, Response, ServerSession
from .settings import AudioFormatName, Settings
from .speech import ASSISTANT_ANSWER, USER_INTERRUPTION, USER_QUESTION, Utterance, chunks, silence

__all__ = [
    "AFTERWARDS",
    "ASSISTANT_ANSWER",
    "USER_INTERRUPTION",
    "USER_QUESTION",
    "AudioFormatName",
    "ConnectionLog",
    "Conversation",
    "ConversationRequest",
    "Ended",
    "Ending",
    "FunctionCall",
    "Item",
    "LiveProtocol",
    "LiveScript",
    "LiveTurn",
    "LocalProvider",
    "Message",
    "Outgoing",
    "RealtimeProtocol",
    "Reply",
    "RequestRefused",
    "Response",
    "Script",
    "ServerSession",
    "Settings",
    "Speech",
    "Text",
    "Utterance",
    "chunks",
    "parse",
    "silence",
]
