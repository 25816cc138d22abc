"""Sentences that quote recordings: what was taken out of these is taken out of them, cut or whole."""

from __future__ import annotations

import pytest
from realtape.session.redaction import replaced
from support.fixtures import draft, sent

MAIL = "jana.novakova@posta.example"
CARD = "4111 1111 1111 1111"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"output: 'to {MAIL}' → 'x'", "output: 'to xxxx.xxxxxxxx@xxxxx.xxxxxxx' → 'x'"),
        ("output: 'to jana.novako…'", "output: 'to …'"),
        ("output: '…vakova@posta.example' → '…'", "output: '…' → '…'"),
        ("output: '…novakova@po…' → 'x'", "output: '……' → 'x'"),
        ("paid with 4111 1111 1…", "paid with …"),
        ("nothing of it… and no more", "nothing of it… and no more"),
    ],
)
def test_of_a_value_nothing_is_left(text: str, told: str) -> None:
    taken = replaced([draft(sent("send_user_input", user_input=f"{MAIL}, {CARD}"))])
    made = taken.quotations.redacted(text)
    shape = "".join("x" if char.isalnum() and "@" in made else char for char in made)
    expected = "".join("x" if char.isalnum() and "@" in told else char for char in told)
    assert shape == expected
    assert not any(piece in made for piece in ("jana", "novak", "posta", "4111"))


def test_it_is_the_stand_in_of_the_recording() -> None:
    taken = replaced([draft(sent("send_user_input", user_input=f"write to {MAIL}"))])
    told = taken.quotations.redacted(MAIL)
    assert told != MAIL
    assert f"write to {told}" in taken.drafts[0].entries[0].payload
