"""What is once known as a secret is found in whatever carries it, and nothing of it is left."""

import base64
import json
import threading
import uuid
from typing import Any, cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from realtape.schema import Codec, Described
from realtape.schema.codec import REDACTED, Secrets
from realtape.schema.codec.secrets import MIN_SECRET_LENGTH, forms_of
from support.examples import VOCABULARY, Note, Place, Point, Shelf
from support.strategies import keys, texts, values

CODEC = Codec(VOCABULARY)
# With a sign that no name of a field, a tag or a zone has: those are in everybody's source.
secrets_drawn = st.text(st.characters(), min_size=MIN_SECRET_LENGTH, max_size=12).map(lambda text: text + "~")


def knowing(*texts: str) -> Secrets:
    secrets = Secrets()
    secrets.add(texts)
    return secrets


def scrubbed(value: Any, secrets: Secrets) -> tuple[str, Any, bool]:
    """Payload, value read back, and whether something was taken out."""
    shelf = Shelf()
    encoded = CODEC.encode(value, lambda data: shelf.put(secrets.scrub_bytes(data)), secrets)
    back = CODEC.decode(encoded.payload, shelf.get).value
    return encoded.payload, back, encoded.redacted


def forms(secret: str) -> list[str]:
    """What a secret looks like in a payload, which is JSON, and in JSON within it."""
    inner = [secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]]
    return [form for text in inner for form in (text, json.dumps(text)[1:-1])]


@given(secrets_drawn, texts, texts, values())
@example('quo"te\\s', "", "", None)
@example("caf\u00e9-caf\u00e9", "\ud800", "", "\ud800")  # for which a payload could be escaped as a whole
@example("\ud83d\ude00secret", "", "", None)
@example("secret\ud83d", "", "\ude00", None)
@example("line\nfeed\x00", "", "", None)
@example("😀😀😀😀😀😀", "", "", None)
def test_a_secret_is_found_wherever_it_stands(secret: str, before: str, after: str, beside: Any):
    text = before + secret + after
    frame = json.dumps({"key": text})
    secrets = knowing(secret)
    error = ValueError(text)
    error.add_note(text)
    note = Note.model_validate({"text": text, "extra": [text]})
    places = [text, {text: text}, (text, {text}), {1: text}, Point(text), Place(text), note, error, frame]
    value = [*places, json.dumps(frame), beside]
    payload, back, redacted = scrubbed(value, secrets)
    assert redacted
    if secret not in REDACTED:
        assert not any(secret in leaf for leaf in leaves_of(json.loads(payload)))
        assert not any(secrets.spans(leaf) for leaf in leaves_of(json.loads(payload)))
        assert not any(form in payload for form in forms(secret) if len(form) > len(secret))
        assert secret not in back[0]


def leaves_of(tree: Any) -> list[str]:
    """All texts of a tree; those that were kept in parts joined again."""
    if isinstance(tree, str):
        return [tree]
    if isinstance(tree, list):
        return [leaf for item in cast("list[Any]", tree) for leaf in leaves_of(item)]
    if isinstance(tree, dict):
        facts = cast("dict[str, Any]", tree)
        if facts.get("$") == "py:str":
            return ["".join(facts["parts"])]
        return [leaf for item in (*facts, *facts.values()) for leaf in leaves_of(item)]
    return []


@given(values(), secrets_drawn)
def test_what_holds_no_secret_is_left_as_it_is(value: Any, secret: str):
    plain = CODEC.encode(value, Shelf().put)
    leaves = leaves_of(json.loads(plain.payload))
    if any(form in leaf for leaf in leaves for form in forms_of(secret)) or any(map(Secrets().spans, leaves)):
        return
    encoded = CODEC.encode(value, Shelf().put, knowing(secret))
    assert encoded == plain


def test_a_secret_that_is_kept_in_parts_is_found():
    secret = "secret \ud83d\ude00"
    payload, back, redacted = scrubbed([secret], knowing(secret))
    assert (payload, back, redacted) == (f'["{REDACTED}"]', [REDACTED], True)


def test_a_secret_that_begins_with_another_leaves_no_rest():
    for order in (["sk-abc", "sk-abc-def"], ["sk-abc-def", "sk-abc"]):
        secrets = Secrets()
        for secret in order:
            secrets.add([secret])
        assert secrets.scrub("sk-abc-def sk-abc sk-abc-d") == f"{REDACTED} {REDACTED} {REDACTED}-d"
        assert secrets.scrub_bytes(b"sk-abc-def sk-abc!") == b"********** ******!"


def test_one_that_contains_another_leaves_no_rest():
    secrets = knowing("secret", "my-secret-key")
    assert secrets.scrub("my-secret-key, secret") == f"{REDACTED}, {REDACTED}"


def test_a_secret_that_stands_in_the_replacement_is_replaced_once():
    secrets = knowing("redacted", "sk-abcdef")
    assert secrets.scrub("sk-abcdef redacted") == f"{REDACTED} {REDACTED}"


def test_what_is_no_secret():
    secrets = knowing("short", "", "longer")
    assert secrets.scrub("short longer") == f"short {REDACTED}"
    assert not Secrets().within({"$": "py:str"})
    assert Secrets().scrub("anything") == "anything"
    assert Secrets().scrub_bytes(b"anything") == b"anything"


def test_one_text_is_taken_for_one_secret():
    secrets = Secrets()
    secrets.add("sk-abcdef")  # not for its characters
    assert secrets.scrub("sk-abcdef") == REDACTED


@given(st.binary(max_size=20), st.binary(max_size=20), secrets_drawn)
def test_bytes_keep_their_length(before: bytes, after: bytes, secret: str):
    data = before + secret.encode("utf-8", "surrogatepass") + after
    found = knowing(secret).scrub_bytes(data)
    assert len(found) == len(data)
    assert secret.encode("utf-8", "surrogatepass") not in found
    assert knowing("another secret").scrub_bytes(data) in (data, found)


def test_a_secret_in_bytes_is_gone_from_all_that_carries_them():
    secrets = knowing("sk-abcdef")
    data = b"audio sk-abcdef audio, long enough to be taken for audio"[:54]
    value = {"delta": base64.b64encode(data).decode(), "data": [data, bytearray(data), memoryview(data)]}
    _, back, _ = scrubbed(value, secrets)
    assert base64.b64decode(back["delta"]) == bytes(back["data"][1]) == data.replace(b"sk-abcdef", b"*" * 9)


@pytest.mark.parametrize("key", ["key sk-abcdef", "$sk-abcdef", "sk-abcdef"])
def test_a_secret_in_a_key_takes_no_entry_with_it(key: str):
    secrets = knowing("sk-abcdef", "sk-ghijkl")
    value = {key: 1, key.replace("sk-abcdef", "sk-ghijkl"): 2, "other": 3}
    payload, back, redacted = scrubbed(value, secrets)
    assert redacted
    assert list(back.values()) == [1, 2, 3]
    assert "sk-" not in payload


@given(st.dictionaries(keys | secrets_drawn, st.integers(), min_size=1), st.data())
def test_no_entry_is_lost(value: dict[str, int], data: st.DataObject):
    known = data.draw(st.lists(st.sampled_from(list(value)), unique=True))
    _, back, _ = scrubbed(value, knowing(*known))
    if isinstance(back, Described):  # where a key is `$`, and others have become the same
        back = dict(enumerate(item for _, item in back.value))
    assert list(back.values()) == list(value.values())


def test_the_fields_of_a_class_are_in_its_source_and_stay():
    _, back, redacted = scrubbed(Note(text="the audio text"), knowing("audio text", "about!", "number"))
    assert redacted
    assert back == Note(text=f"the {REDACTED}")


def test_what_can_no_longer_be_read_is_described():
    number = uuid.uuid4()
    _, back, _ = scrubbed({"id": number}, knowing(str(number)))
    assert back["id"].value == {"text": REDACTED}


def test_secrets_that_many_threads_add_are_all_known():
    secrets = Secrets()
    texts = [[f"secret-{thread}-{number}" for number in range(50)] for thread in range(4)]

    def add(mine: list[str]) -> None:
        for text in mine:
            secrets.add([text])

    threads = [threading.Thread(target=add, args=(mine,)) for mine in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for text in (text for mine in texts for text in mine):
        assert secrets.scrub(text) == REDACTED
