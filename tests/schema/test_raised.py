"""An exception comes back as one to raise, with all that it held, and where it came from."""

import errno
import json

import pytest
from realtape.schema import STANDARD, Codec, RealtimeModelErrorEvent, RecordedError, Vocabulary, same
from realtape.schema.codec.standard import BUILTIN_EXCEPTIONS
from support import failures
from support.examples import CODEC, DeviceError, Halt, RefundError, Shelf, round_trip

OURS_ONLY = Codec(STANDARD)


# --- exceptions -----------------------------------------------------------------------------------


def test_every_builtin_exception_of_the_list_is_generated():
    assert set(BUILTIN_EXCEPTIONS) <= failures.ALL


def test_an_event_named_error_is_no_recorded_error():
    event = RealtimeModelErrorEvent(error={"code": "rate_limit"})
    assert same(round_trip(event, OURS_ONLY), event)
    error = RecordedError("shop.Refused", "no", 3)
    assert same(round_trip(error, OURS_ONLY), error)


def test_an_exception_comes_back_with_what_lies_beside_its_arguments():
    missing = FileNotFoundError(errno.ENOENT, "No such file", "a.txt", None, "b.txt")
    back = round_trip(missing)
    assert (back.errno, back.strerror, back.filename, back.filename2) == (2, "No such file", "a.txt", "b.txt")
    assert str(back) == str(missing)

    back = round_trip(ImportError("cannot import", name="shop", path="shop.py"))
    assert (back.msg, back.name, back.path) == ("cannot import", "shop", "shop.py")

    back = round_trip(BlockingIOError(errno.EAGAIN, "try again", 7))
    assert back.characters_written == 7

    back = round_trip(DeviceError(errno.EIO, "I/O error", "/dev/mic", device="mic"))
    assert (type(back), back.errno, back.filename, back.device) == (DeviceError, errno.EIO, "/dev/mic", "mic")

    back = round_trip(UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"))
    assert (back.object, back.reason) == (b"\xff", "invalid start byte")

    back = round_trip(SyntaxError("bad", ("f.py", 3, 1, "x = ")))
    assert (back.filename, back.lineno, back.text) == ("f.py", 3, "x = ")

    back = round_trip(RefundError({"id": 1}, reason=b"x"))
    assert (back.order, back.reason, back.args) == ({"id": 1}, b"x", ("refund of order dict",))

    assert round_trip(StopIteration(3)).value == 3
    assert round_trip(SystemExit(4)).code == 4


def test_a_group_comes_back_with_its_members_whatever_became_of_the_list():
    members: list[Exception] = [ValueError("a"), RefundError(1)]
    group = ExceptionGroup("several", members)
    members.clear()
    back = round_trip(group)
    assert [type(member) for member in back.exceptions] == [ValueError, RefundError]


def test_a_group_that_cannot_be_made_again_is_a_recorded_error():
    shelf = Shelf()
    payload = CODEC.encode(BaseExceptionGroup("stopped", [Halt("now")]), shelf.put).payload
    decoded = CODEC.decode(payload, shelf.get)
    assert type(decoded.value) is RecordedError
    assert decoded.value.name == "py:BaseExceptionGroup"
    assert "cannot be made" in str(decoded.notes)


def test_the_lines_that_an_exception_passed_are_kept_and_not_those_of_its_replay():
    def fail() -> None:
        secret = "not-to-be-recorded"
        raise ValueError(len(secret))

    with pytest.raises(ValueError, match="18") as caught:
        fail()
    shelf = Shelf()
    payload = CODEC.encode(caught.value, shelf.put).payload
    trace = json.loads(payload)["trace"]
    assert [line[2] for line in trace][-1] == "fail"
    assert trace[-1][0] == __file__
    assert "not-to-be-recorded" not in payload

    decoded = CODEC.decode(payload, shelf.get).value
    with pytest.raises(ValueError, match="18") as again:
        raise decoded
    assert CODEC.encode(again.value, shelf.put).payload == payload


def test_one_that_was_never_raised_gets_no_lines_when_its_replay_raises_it():
    payload = CODEC.encode(ValueError("made"), Shelf().put).payload
    assert "trace" not in payload
    decoded = CODEC.decode(payload, Shelf().get).value
    with pytest.raises(ValueError, match="made"):
        raise decoded
    assert CODEC.encode(decoded, Shelf().put).payload == payload


def test_the_exceptions_behind_are_told_by_name_and_text_and_no_further_than_four():
    error: BaseException = RuntimeError("0")
    first = error
    for number in range(1, 8):
        error.__cause__ = error = ValueError(f"text {number}")
    error.__cause__ = first  # in a circle
    told = json.loads(CODEC.encode(first, Shelf().put).payload)["behind"]
    assert told == [{"how": "cause", "name": "py:ValueError", "text": f"text {n}"} for n in range(1, 5)]


def test_what_to_state_leaves_out_is_nowhere_in_the_payload():
    vocabulary = Vocabulary(STANDARD)
    vocabulary.register("shop:Halt", Halt, to_state=lambda error: {}, from_state=lambda state: Halt())
    error = Halt("password")
    later = ValueError("later")
    later.__cause__ = error
    encoded = Codec(vocabulary).encode([error, later], Shelf().put)
    assert "password" not in encoded.payload
    lesser = OURS_ONLY.decode(encoded.payload, Shelf().get).value
    assert isinstance(lesser[0], RecordedError)  # still something to raise
    assert (lesser[0].name, str(lesser[0])) == ("shop:Halt", "shop:Halt")
