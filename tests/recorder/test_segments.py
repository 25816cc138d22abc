"""Bytes are gathered for the next commit's segment, the same ones once."""

from __future__ import annotations

from realtape.recorder.payloads import KEPT_BYTES, MAX_KEPT_LENGTH, RECENT_BYTES, SegmentBuffer


def test_bytes_lie_one_after_another():
    buffer = SegmentBuffer()
    assert buffer.put(b"abc") == ((0, 0, 3), b"abc")
    assert buffer.put(b"defg") == ((0, 3, 4), b"defg")
    assert buffer.take() == (0, [b"abc", b"defg"])
    assert buffer.put(b"hi") == ((1, 0, 2), b"hi")
    assert buffer.take() == (1, [b"hi"])


def test_the_same_bytes_are_kept_once_as_long_as_they_are_recent():
    buffer = SegmentBuffer()
    first = b"first" * 10
    reference, _ = buffer.put(first)
    assert buffer.put(b"first" * 10) == (reference, first)
    buffer.take()
    assert buffer.put(first)[0] == reference
    for number in range(RECENT_BYTES):
        buffer.put(bytes([number]))
    assert buffer.put(first)[0] == (1, RECENT_BYTES, 50)


def test_json_in_bytes_is_kept_once_for_longer():
    """What exceptions say comes again with each; not for ever, and not what is large."""
    buffer = SegmentBuffer()
    text, large = b'{"title":"tagged"}', b"{" * (MAX_KEPT_LENGTH + 1)
    places = [buffer.put(text)[0], buffer.put(large)[0]]
    for number in range(RECENT_BYTES):
        buffer.put(bytes([number]))
    buffer.take()
    assert buffer.put(text)[0] == places[0]
    assert buffer.put(large)[0] != places[1]
    for number in range(KEPT_BYTES):
        buffer.put(b'{"number":%d}' % number)
    again = buffer.put(text)[0]
    assert again[0] == 1
    buffer.forget()
    assert buffer.put(text)[0] != again


def test_what_is_taken_is_not_added_to():
    """Without bytes, too: the commit that is being written would get those of the next one."""
    buffer = SegmentBuffer()
    _, taken = buffer.take()
    assert buffer.put(b"later")[0] == (0, 0, 5)
    assert taken == []
