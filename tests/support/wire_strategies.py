"""What any server and any client may say, in any order."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

IDS = st.sampled_from(["item_1", "item_2", "resp_1", "resp_2", "mine", ""])


@st.composite
def server_messages(draw: st.DrawFn) -> Any:
    type = draw(
        st.sampled_from(
            [
                *("session.created", "session.updated", "response.created", "response.done", "error"),
                *("conversation.item.added", "conversation.item.truncated", "response.output_text.delta"),
                *("input_audio_buffer.speech_started", "input_audio_buffer.committed", "unknown.thing"),
            ]
        )
    )
    return {
        "type": type,
        "item_id": draw(IDS),
        "response_id": draw(IDS),
        "item": {"id": draw(IDS), "type": "message", "role": draw(st.sampled_from(["user", "assistant"]))},
        "response": {
            "id": draw(IDS),
            "status_details": {"reason": draw(st.sampled_from(["", "client_cancelled"]))},
        },
        "error": {"event_id": draw(st.sampled_from([None, "e1"])), "code": "response_cancel_not_active"},
    }


@st.composite
def client_messages(draw: st.DrawFn) -> Any:
    types = ["session.update", "response.create", "response.cancel", "conversation.item.create"]
    types += ["conversation.item.truncate", "input_audio_buffer.commit", "input_audio_buffer.append", "x"]
    message: dict[str, Any] = {"type": draw(st.sampled_from(types)), "item_id": draw(IDS)}
    if message["type"] == "conversation.item.create":
        message["item"] = {"id": draw(IDS), "type": "message", "role": "user"}
    if message["type"] == "input_audio_buffer.append":
        message["audio"] = draw(st.sampled_from(["AAAA", "A" * 4800, "", 3, "not base64"]))
    if draw(st.booleans()):
        message["event_id"] = "e1"
    return message


NO_NUMBERS = [
    '{"type":"response.create","response":{"temperature":NaN}}',
    '{"type":"session.update","session":{"speed":1e999}}',
    '{"type":"response.done","response":{"id":"resp_1","cost":-Infinity}}',
]
"""JSON for Python, and for nobody else."""
HOSTILE = st.one_of(
    st.text(max_size=5),
    st.binary(max_size=5),
    st.sampled_from(["{", "[" * 900, "{}", '{"type":3}', *NO_NUMBERS]),
)
SAID = st.lists(
    st.one_of(
        st.tuples(st.just("<"), st.one_of(server_messages(), server_messages(), HOSTILE)),
        st.tuples(st.just(">"), st.one_of(client_messages(), client_messages(), HOSTILE)),
    ),
    max_size=25,
)
