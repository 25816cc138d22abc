"""How deep JSON is nested is counted by us: alike on every Python, in small stacks, and below any caller."""

import json
import threading
from collections.abc import Callable
from typing import Any, cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from realtape.schema import Codec, DecodingError, Described, EncodingError, Vocabulary
from realtape.schema.codec import MAX_DEPTH, MAX_NESTING, from_json, require_flatness, require_nesting
from support.examples import Shelf

CODEC = Codec(Vocabulary())
SMALL = 128 << 10
"""The stack of a thread, in bytes: the smallest that a libc gives by default (musl's)."""


class Keyed(dict[Any, Any]):
    """A dictionary of a class that nobody registered."""


LEVELS: list[Callable[[Any], Any]] = [
    lambda value: [value],
    lambda value: (value,),
    lambda value: {"key": value},
    lambda value: {1: value},
    lambda value: {"a surrogate pair's halves: \ud83d\ude00"[:-1] + "\ude00": value},
    lambda value: Keyed({1: value}),
    lambda value: Keyed({"\ud83d" + "\ude00": value}),
    lambda value: frozenset([value]),
    lambda value: ValueError(value),
]


def nesting_of(tree: Any) -> int:
    if isinstance(tree, dict | list):
        inner = cast("Any", tree.values() if isinstance(tree, dict) else tree)
        return 1 + max(map(nesting_of, inner), default=0)
    return 0


def innermost(value: Any) -> Any:
    while not isinstance(value, bytes):
        inner: Any = value.value if isinstance(value, Described) else getattr(value, "args", value)
        value = list(cast("Any", inner.values() if isinstance(inner, dict) else inner))[-1]
    return value


def in_small_stack(work: Callable[[], Any]) -> Any:
    """What the work answers in a thread of a small stack; it would take the process along."""
    answers: list[Any] = []
    before = threading.stack_size(SMALL)
    try:
        thread = threading.Thread(target=lambda: answers.append(work()))
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join()
    (answer,) = answers
    return answer


@pytest.mark.parametrize("level", LEVELS, ids=range(len(LEVELS)))
def test_the_deepest_value_comes_back(level: Callable[[Any], Any]) -> None:
    value: Any = b"innermost"
    for _ in range(MAX_DEPTH - 1):
        value = level(value)
    shelf = Shelf()
    payload = in_small_stack(lambda: CODEC.encode(value, shelf.put)).payload
    assert nesting_of(json.loads(payload)) <= MAX_NESTING
    assert innermost(in_small_stack(lambda: CODEC.decode(payload, shelf.get)).value) == b"innermost"
    with pytest.raises(EncodingError, match=f"deeper than {MAX_DEPTH} levels"):
        CODEC.encode(level(value), shelf.put)


@pytest.mark.parametrize(("begin", "end"), [("[", "]"), ('{"a":', "}"), ('[{"a":"]}\\"",', "}]")])
def test_a_payload_is_read_up_to_the_limit(begin: str, end: str) -> None:
    begin, end = (begin, end) if begin != '[{"a":"]}\\"",' else ('[{"a":"]}\\"","b":', "}]")
    count = MAX_NESTING // len(end)
    deepest = begin * count + "1" + end * count
    assert nesting_of(in_small_stack(lambda: CODEC.decode(deepest, Shelf().get)).value) == MAX_NESTING
    assert in_small_stack(lambda: from_json(deepest)) == json.loads(deepest)
    for deeper in (f"[{deepest}]", begin * 100_000, begin * 100_000 + "1" + end * 100_000):
        with pytest.raises(DecodingError, match=f"nested deeper than {MAX_NESTING} levels"):
            CODEC.decode(deeper, Shelf().get)
        with pytest.raises(ValueError, match=f"nested deeper than {MAX_NESTING} levels"):
            from_json(deeper)


trees = st.recursive(
    st.none() | st.text(st.sampled_from('[]{}"\\a')),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from('[]{}"\\a'), inner, max_size=3)
    ),
)


@given(trees)
@example([[["[[[["]]])
def test_the_nesting_of_a_text_is_that_of_its_tree(tree: Any) -> None:
    text, depth = json.dumps(tree), nesting_of(tree)
    require_nesting(text, depth)
    require_flatness(tree, depth)
    if depth:
        with pytest.raises(ValueError, match=f"deeper than {depth - 1} levels"):
            require_nesting(text, depth - 1)
        with pytest.raises(ValueError, match=f"deeper than {depth - 1} levels"):
            require_flatness(tree, depth - 1)


@given(st.text(st.sampled_from('[]{}"\\a'), max_size=30), st.integers(0, 3))
def test_what_is_no_json_is_refused_and_nothing_more(text: str, nesting: int) -> None:
    try:
        tree = from_json(text, nesting)
    except ValueError:
        return
    assert nesting_of(tree) <= nesting


def test_a_tree_that_holds_itself_is_refused() -> None:
    tree: list[Any] = []
    tree.append({"tree": (tree,)})
    with pytest.raises(ValueError, match=f"nested deeper than {MAX_NESTING} levels"):
        require_flatness(tree)


def test_deep_in_the_callers_stack_it_is_our_error_that_is_raised() -> None:
    """Where nothing is left of the stack, what is within the limit cannot be read either."""
    value: Any = 1
    for _ in range(MAX_DEPTH - 1):
        value = {1: value}
    payload = CODEC.encode(value, Shelf().put).payload
    refused: list[str] = []

    def descend(depth: int) -> None:
        if depth % 20 == 0:
            try:
                CODEC.decode(payload, Shelf().get)
                CODEC.encode(value, Shelf().put)
            except (DecodingError, EncodingError) as error:
                refused.append(str(error))
        descend(depth + 1)

    with pytest.raises(RecursionError):  # of the test itself
        descend(1)
    assert refused
    assert all("what is left of this thread's stack" in error for error in refused)
