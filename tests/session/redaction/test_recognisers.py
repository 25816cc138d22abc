"""What is taken for an e-mail address, a telephone number, the number of a card; and what is not."""

from __future__ import annotations

import html
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from realtape.schema.errors import UsageError
from realtape.session.redaction.cards import find_cards, is_card, passes_luhn
from realtape.session.redaction.emails import find_emails
from realtape.session.redaction.finding import Finder
from realtape.session.redaction.phones import find_phones
from realtape.session.redaction.stand_ins import StandIns
from realtape.session.redaction.views import Cell


def emails(text: str) -> list[str]:
    return [text[start:end] for start, end in find_emails(text)]


def cards(text: str) -> list[str]:
    return [text[start:end] for start, end in find_cards(text)]


def phones(text: str, key: str = "") -> set[str]:
    return {text[start:end] for start, end in find_phones(text, key)}


def found(text: str, **options: object) -> list[tuple[str, str]]:
    return [(match.kind, match.value) for match in Finder(**options).find(Cell(text, print))]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "address",
    [
        "ada@example.org",
        "Ada.Lovelace+news@mail.example.co.uk",
        "o'neil@example.ie",
        "ADA@EXAMPLE.ORG",
        "Ada@Example.Com",
        "a@b.co",
        "müller@bücher.de",
        "иван@пример.рф",
        "info@xn--bcher-kva.example",
        "x_1-2@sub-domain.example.travel",
    ],
)
@pytest.mark.parametrize(
    "text", ["{}", "Write to {}.", "<{}>, please", "mailto:{}?subject=1", '"{}"', "我的邮箱是{}，谢谢"]
)
def test_an_address_is_found_as_it_is(address: str, text: str) -> None:
    assert emails(text.format(address)) == [address]


def test_a_sentence_that_goes_on_is_no_part_of_an_address() -> None:
    assert emails("Is it ada@example.org.Then I write.") == ["ada@example.org"]
    assert emails("email=ada@example.org&to=bob@example.org") == ["ada@example.org", "bob@example.org"]


@pytest.mark.parametrize(
    "text",
    [
        "@ada",
        "ada @ example",
        "npm install a@1.2.3",
        "ada@localhost is up",
        "half past @ noon",
        "a@b or not",
        "ada at example dot org",
    ],
)
def test_what_is_no_address_stays(text: str) -> None:
    assert emails(text) == []


@pytest.mark.parametrize("cut", range(4, 15))
def test_an_address_that_was_cut_short_is_one(cut: int) -> None:
    assert emails(f"I wrote to {'ada@example.org'[:cut]}") == ["ada@example.org"[:cut]]


@pytest.mark.parametrize(
    "number",
    [
        "4111111111111111",
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "4111, 1111, 1111, 1111",
        "4111\n1111\n1111\n1111",
        "4111,\r\n1111,\r\n1111,\r\n1111",
        "41 11, 1111, 1111, 11 11",
        "4111.1111/1111.1111",
        "4.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1",
        "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
        "5555555555554444",
        "2223 0031 2200 3222",
        "378282246310005",
        "3782 822463 10005",
        "30569309025904",
        "3530111333300000",
        "6011000990139424",
        "6200 0000 0000 0005",
        "6759649826438453",
        "4222222222222",
    ],
)
@pytest.mark.parametrize(
    "text", ["{}", "My card is {}, it ends in 12/27.", '{{"card": {}}}', "It is {} 12/27 123"]
)
def test_a_card_is_found_however_it_is_grouped(number: str, text: str) -> None:
    assert cards(text.format(number)) == [number]


@pytest.mark.parametrize(
    "text",
    [
        "4111111111111112",  # a wrong check digit
        "1234567812345670",  # nobody's range
        "1785214055000",  # milliseconds
        "1785214055000000000",
        "41111111111111111111111",  # too long
        "DE89 3704 0044 0532 0130 00",
        "Order 4111-1111",
        "trains at 4:11, 11:11, 11:11, 11:11, 1:1",  # whose digits would be one
        "4.1.11\n11.11.11\n11.11.11\n1.1",
        "41.11, 11.11, 11.11, 11.11",
        "0.4111111111111111111111",
        "01a202e1-9b22-7474-8f9a-4f78ab22a78d",
    ],
)
def test_what_is_no_card_stays(text: str) -> None:
    assert cards(text) == []


@given(st.text("0123456789", min_size=12, max_size=18))
def test_exactly_one_check_digit_passes(digits: str) -> None:
    assert sum(passes_luhn(digits + last) for last in "0123456789") == 1
    assert not any(is_card("1" + digits[1:] + last) for last in "0123456789")


@pytest.mark.parametrize(
    "number",
    [
        "+49 151 23456789",
        "+4915123456789",
        "+49 (0)151 2345678",
        "+49-30-1234567",
        "+1 (415) 555-0132",
        "+1 415 555 0132",
        "+14155550132",
        "+44 20 7946 0958",
        "+33 6 12 34 56 78",
        "+34 612 345 678",
        "+39 06 1234 5678",
        "+45 12 34 56 78",
        "+55 11 98765-4321",
        "+91 98765 43210",
        "+86 138 1234 5678",
        "+81 3-1234-5678",
        "+61 2 9876 5432",
        "+27 82 123 4567",
        "+971 50 123 4567",
        "0049 151 23456789",
        "(415) 555-0132",
        "(415)555-0132",
        "415-555-0132",
        "415.555.0132",
        "1-800-555-0199",
        "0151 23456789",
        "015123456789",
        "030/1234567",
        "030 1234 5678",
        "(030) 1234567",
        "020 7946 0958",
        "07700 900123",
        "06 12 34 56 78",
        "06.12.34.56.78",
        "03-1234-5678",
        "044 123 45 67",
        "(11) 98765-4321",
        "(02) 9876 5432",
        "98765 43210",
        "138 1234 5678",
    ],
)
@pytest.mark.parametrize(
    "text", ["{}", "It is {}, thanks.", '{{"to": "{}"}}', "Try {} at 19:00.", "Is it {}?"]
)
def test_a_telephone_number_is_found(number: str, text: str) -> None:
    assert phones(text.format(number)) == {number}


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("You can call me: 555-0132", "555-0132"),
        ("My phone number is 612 345 678.", "612 345 678"),
        ("my number is 4155550132", "4155550132"),
        ("Meine Nummer ist 12 34 56 78", "12 34 56 78"),
        ('{"mobile_no": 4155550132}', "4155550132"),
        ('{"phone": "91234567"}', "91234567"),
        ("tel:4155550132", "4155550132"),
        ("WhatsApp 9123 4567", "9123 4567"),
        ("+44 20 7946 0958 24.12.2024", "+44 20 7946 0958"),
        ("415 555 0132 2 people", "415 555 0132"),
        ("The order is 12345. Call me back: 4155550132", "4155550132"),
    ],
)
def test_a_word_before_it_makes_digits_a_telephone_number(text: str, number: str) -> None:
    assert phones(text) == {number}


def test_so_does_the_key() -> None:
    assert phones("4155550132", "customer phone_number") == {"4155550132"}
    assert phones("4155550132", "quantity") == set()
    assert phones("4155550132", "phone order_number") == set()


@pytest.mark.parametrize(
    "text",
    [
        "at 19:00, 24.12.2024",
        "From 08:00 to 18:30, from 01.02.2024 to 03.04.2025",
        "2024-12-24T19:00:00Z",
        "2024-12-24 19:00",
        "24/12/2024",
        "01-02-2024",
        "It costs 1.234.567,89 €",
        "1,299.00 USD",
        "It is 1 234 567 people",
        "order number 4155550132",
        "order 0612345678 has shipped",
        "Bestellnummer 0151 2345678",
        "Your booking reference is 0045 1234 567",
        "Call me about order 4155550132",
        "call_0612345678",
        "item_0151234567890",
        "event_1785214055",
        "1785214055",
        "1785214055000",
        "0.123456789012",
        "3.14159265358979",
        "duration 00:12:34.567890",
        "192.168.100.200",
        "version 10.12.2024",
        "call us in 2023-2024",
        "dial in on 24.12.2024",
        "the call took 1234567 ms",
        "the phone costs 1 299 000 EUR",
        "open 0900-1700",
        "room 12, floor 3, 4 people, 5 nights",
        "ISBN 978-3-16-148410-0",
        "550e8400-e29b-41d4-a716-446655440000",
        "a1b2c3d4e5f60718293",
        "90210-1234",
        "1600 Pennsylvania Avenue, 20500",
        "12345678901234567890",
        "temperature 0.7, top_p 0.95, max 4096 tokens",
        "gpt-4o-realtime-preview-2024-12-17",
    ],
)
def test_what_is_no_telephone_number_stays(text: str) -> None:
    assert phones(text) == set()


def test_what_is_behind_escapes_is_found() -> None:
    assert found(r'{"to": "ada\u0040example.org"}') == [("email", "ada@example.org")]
    assert found(r'{"to": "{\"to\": \"ada\\u0040example.org\"}"}') == [("email", "ada@example.org")]
    assert found("https://example.org/?to=ada%40example.org&tel=%2B14155550132") == [
        ("email", "ada@example.org"),
        ("phone", "+14155550132"),
    ]
    assert found(r"030\/1234567") == [("phone", "030/1234567")]
    assert found("Hello\\n4111 1111 1111 1111") == [("card", "4111 1111 1111 1111")]


def test_own_patterns_and_words_are_found_and_the_longest_value_wins() -> None:
    assert found(
        "Order AB-123 of ada lovelace", extra={"order": r"AB-\d+"}, words=["Ada Lovelace", "Ada"]
    ) == [
        ("word", "ada lovelace"),
        ("order", "AB-123"),
    ]
    assert found("ada@example.org, Ada", words=["Ada"]) == [("email", "ada@example.org"), ("word", "Ada")]
    assert found("ada@example.org", words=["mail ada@example.org"]) == [("email", "ada@example.org")]
    assert found("ada@example.org and +14155550132", kinds=["phone"]) == [("phone", "+14155550132")]


def test_what_is_to_stay_stays_in_any_spelling_but_no_credential() -> None:
    keep = ["+49 30 1234567", "Service@Example.org", "sk-live-0123456789abcdef0123456789"]
    text = "call +49 (30) 123 45 67 or +14155550132, write service@example.org or ada@example.org"
    assert found(text, keep=keep[:2]) == [("email", "ada@example.org"), ("phone", "+14155550132")]
    assert found("service@example.org", keep=keep, words=["service@example.org"]) != []
    assert [kind for kind, _ in found(f"Authorization: Bearer {keep[2]}", keep=keep)] == ["credential"]


@pytest.mark.parametrize(
    "options",
    [
        {"kinds": ["name"]},
        {"extra": {"order": "("}},
        {"extra": {"order": "[0-9]*"}},
        {"extra": {"email": "x"}},
        {"extra": {"a b": "x"}},
        {"words": [" "]},
    ],
)
def test_what_cannot_be_sought_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        Finder(**options)  # type: ignore[arg-type]


@given(st.text("+0123456789 ()-./@a.:,\\%u4", max_size=60))
def test_matches_never_overlap(text: str) -> None:
    places = sorted(
        (match.start, match.end) for match in Finder().find(Cell(text, print)) if match.view.text == text
    )
    for (_, end), (start, _) in pairwise(places):
        assert end <= start


# --- spellings: what looks alike is alike ----------------------------------------------------------------

SPACES = ["\u00a0", "\u2009", "\u2007", "\u202f", "\u3000", "\u2002", "\u2800", "\u3164", "   ", "\t"]
DASHES = ["-", "\u2010", "\u2011", "\u2012", "\u2013", "\u2014", "\u2212", "\uff0d", " - ", " \u2014 "]
OTHER_DASHES = ["\u2043", "\u2796", "\u30fc", "\uff70"]
UNSEEN = ["\u200b", "\u200d", "\u2060", "\ufeff", "\u00ad", "\u200e", "\u202a", "\u034f", "\ufe0f"]
OTHERS = ["\n", "\r\n", "/", ".", "...", " , ", "\u00b7", "\u30fb", ", ", " ... ", "\u2026", "~", "*", "'"]
OTHER_SCRIPTS = ["\u060c ", "\u3001", "\uff0c", "\u2044", "\u2215", "\uff65"]
WIDE, ARABIC, DEVANAGARI = ("\uff10", "\u0660", "\u0966")


def in_digits(zero: str, text: str) -> str:
    return "".join(chr(ord(zero) + int(char)) if char.isdigit() else char for char in text)


@pytest.mark.parametrize(
    "gap", [*SPACES, *DASHES, *OTHER_DASHES, *UNSEEN, *OTHERS, *OTHER_SCRIPTS], ids=ascii
)
@pytest.mark.parametrize("zero", ["0", WIDE, ARABIC, DEVANAGARI], ids=ascii)
def test_a_card_is_found_in_every_spelling(gap: str, zero: str) -> None:
    groups = gap.join(in_digits(zero, group) for group in ("4111", "1111", "1111", "1111"))
    ((kind, value),) = found(f"My card is {groups}; thanks.")
    assert kind == "card"
    assert "".join(char for char in value if char.isdigit()) == "4111111111111111"


@pytest.mark.parametrize("gap", [*SPACES[:-1], *DASHES, *OTHER_DASHES, *UNSEEN], ids=ascii)
@pytest.mark.parametrize(
    "number",
    ["+49{}151{}23451162", "\uff0b49{}151{}23451162", "(+49){}151{}23451162", "+(49){}151{}23451162"],
)
def test_a_telephone_number_is_found_in_every_spelling(gap: str, number: str) -> None:
    ((kind, value),) = found(f"Ring {number.format(gap, gap)} then.")
    assert kind == "phone"
    assert "".join(char for char in value if char.isdigit()) == "4915123451162"


@pytest.mark.parametrize("gap", [*OTHERS, *OTHER_SCRIPTS], ids=ascii)
def test_a_word_or_a_plus_before_it_joins_groups_whatever_stands_between(gap: str) -> None:
    for text in (f"call me at 415{gap}555{gap}0132", f"It is +49{gap}151{gap}2345{gap}1162 today"):
        assert [kind for kind, _ in found(text)] == ["phone"], text


def test_digits_that_are_drawn_as_pictures_are_digits() -> None:
    keys = "".join(f"{digit}\ufe0f\u20e3" for digit in "4111111111111111")
    circles = "".join(chr(0x2775 + int(digit)) for digit in "4111111111111111")
    for written in (keys, circles):
        cell = Cell(f"It is {written}.", print)
        ((_, _),) = found(cell.text)
        assert redacted_text(cell.text).count("8") > 8


@pytest.mark.parametrize(
    "number",
    [
        *("(0049) 151 23451162", "0151 / 2345 4289", "0151 - 2345 - 5459", "0-1-5-1-2-3-4-5-4738"),
        *(
            "11 95399-0988",
            "8-912-345-02-66",
            "8 (912) 345-02-66",
            "+ 49 - (0) 151 - 23455626",
            "Plus49 151 23454765",
        ),
        *(
            "\u260e 4155551193",
            "\U0001f4de 4155551193",
            "tlf 612 34 3233",
            "meu n\u00famero \u00e9 11 99295 2864",
        ),
    ],
    ids=ascii,
)
def test_other_ways_to_write_a_telephone_number(number: str) -> None:
    ((kind, value),) = found(f"Ok, {number}, thanks.")
    assert kind == "phone"
    assert value[-4:] == number[-4:]


@pytest.mark.parametrize(
    "address",
    [
        *(
            "ada (at) example.org",
            "ada[at]example[dot]org",
            "ada((at))example((dot))org",
            "ada (\u00e4t) example.de",
        ),
        *(
            "ada(a)example.org",
            "ada  @  example.org",
            "ada @ example.se",
            "ada@\u0645\u062b\u0627\u0644.\u0625\u062e\u062a\u0628\u0627\u0631",
        ),
        *("ada@example\uff65org", "ada@\u4f8b\u5b50.\u4e2d\u56fd", "ada @\n example .org"),
    ],
    ids=ascii,
)
def test_however_its_signs_are_written_an_address_gets_a_stand_in(address: str) -> None:
    text = f"Write to {address}, please."
    ((kind, _),) = found(text)
    assert kind == "email"
    assert "ada" not in redacted_text(text)
    assert len(redacted_text(text)) == len(text)


def redacted_text(text: str) -> str:
    """With stand-ins in it."""
    cell, stand_ins = Cell(text, print), StandIns()
    matches = Finder().find(cell)
    for match in matches:
        stand_ins.add(match.kind, match.value)
    for match in matches:
        for at, char in stand_ins.replacing(match.kind, match.value):
            match.view.put(match.start + at, char)
    return cell.now


@pytest.mark.parametrize(
    "text",
    [
        *("My number is 415, 555, 0167.", "Call 4-1-5, 5-5-5, 0-1-6-8.", "call me: 415 - 555 - 0169"),
        *("4155550173 is my cell", "4155550173, is my new number", "4155550173 ist meine Nummer"),
        *("\u7535\u8bdd 13812341171", "\u043d\u043e\u043c\u0435\u0440 89123451172"),
    ],
    ids=ascii,
)
def test_words_around_it_make_digits_a_telephone_number(text: str) -> None:
    assert [kind for kind, _ in found(text)] == ["phone"]


@pytest.mark.parametrize(
    "address",
    [
        *("one.lovelace @ example.org", "one@ example.org", "one @example.co.uk", "one@example. org"),
        *("one\uff20example.org", "one@\u200bexample.org", "one&#64;example.org", "one&commat;example.org"),
        *("\u05d0\u05d3\u05d4@example.org", "\uc9c0\uc6b0@example.org", "\u0639\u0644\u064a@example.org"),
        "\uff4f\uff4e\uff45@\uff45xample.org",
    ],
    ids=ascii,
)
def test_an_address_is_found_in_every_spelling(address: str) -> None:
    ((kind, value),) = found(f"Write to {address}, please.")
    assert (kind, value.replace(" ", "").endswith((".org", ".uk"))) == ("email", True)


@pytest.mark.parametrize(
    "text",
    ["Meet me @ home. Then we go.", "We met @ 5. It was late", "1999 - 2003, 2005 - 2009", "R&D @ work"],
)
def test_what_only_looks_a_little_like_it_stays(text: str) -> None:
    assert found(text) == []


@given(st.text("\uff11\u0661\u200b\u2011\u20094@&#;\\u0031% +1a.", max_size=40))
def test_what_looks_otherwise_is_changed_where_it_is_written(text: str) -> None:
    cell = Cell(text, print)
    for match in Finder().find(cell):
        assert match.value
        for at in range(match.start, match.end):
            if match.view.text[at].isdigit():
                match.view.put(at, "5")
    assert len(cell.now) == len(text)


IBANS = ["DE89 3704 0044 0532 0130 00", "GB82WEST12345698765432", "fr14-2004-1010-0505-0001-3M02-606"]


@pytest.mark.parametrize("iban", IBANS)
def test_an_account_is_known_by_its_check_digits(iban: str) -> None:
    for text in (
        iban,
        f"Pay to {iban} today",
        f"({iban}), please",
        f"IBAN: {iban}.",
        f"of AB-1234 the {iban}",
    ):
        assert ("iban", iban) in found(text)
    changed = iban[:-1] + ("7" if iban[-1] != "7" else "8")
    assert "iban" not in dict(found(changed))


@given(
    st.sampled_from(IBANS), st.integers(0, 60), st.sampled_from(["\u00a0", "\u2009", "\u200b", " - ", "."])
)
def test_an_account_is_found_however_it_is_grouped(iban: str, at: int, gap: str) -> None:
    at = 1 + at % (len(iban) - 1)
    assert [kind for kind, _ in found(f"to {iban[:at]}{gap}{iban[at:]} now")] == ["iban"]


@pytest.mark.parametrize(
    "number",
    [
        "RCCMNL83S18D969H",
        "54362315K",
        "X-2482300-W",
        "2 95 10 99 126 111 93",
        "390.533.447-05",
        "536-90-4399",
    ],
)
def test_numbers_of_persons_with_a_strict_form(number: str) -> None:
    assert ("person number", number) in found(f"it is {number}, thank you")
    assert "person number" not in dict(found(f"it is x{number}"))


def test_numbers_by_the_plan_of_a_country() -> None:
    text = "Bestellung 0176 12345678 am 24.12."
    assert found(text) == []
    assert found(text, regions=["de"]) == [("phone", "0176 12345678")]
    with pytest.raises(UsageError, match="'XX' is no country"):
        found(text, regions=["XX"])


@pytest.mark.parametrize(
    ("word", "spellings"),
    [
        (
            "Ada Lovelace",
            [
                *(
                    "ADA  LOVELACE",
                    "Ada\nLovelace",
                    "Ada\u200bLovelace",
                    "A\u200bda Love\u00adlace",
                    "AdaLovelace",
                ),
                *(
                    "Ada, Lovelace",
                    "ada_lovelace",
                    "Ada.Lovelace",
                    "Ada-Lovelace",
                    "Ada&nbsp;Lovelace",
                    "Ada+Lovelace",
                ),
                *(
                    "\uff21\uff44\uff41 Lovelace",
                    "\U0001d400\U0001d41d\U0001d41a Lovelace",
                    "Ada\\u00a0Lovelace",
                ),
            ],
        ),
        ("Jos\u00e9", ["JOSE\u0301", "Jose\u0301", "Jos&eacute;", "Jos&#233;", "Jos&#xE9;", "Jos\\u00e9"]),
        ("Jose\u0301", ["Jos\u00e9", "JOS\u00c9"]),
        ("Strau\u00df", ["STRAUSS", "strauss", "STRAU\u1e9e"]),
        ("O'Brien", ["O\u2019Brien", "O\u02bcbrien", "O&#39;Brien", "OBRIEN"]),
        ("Anne-Marie", ["Anne\u2011Marie", "Anne \u2013 Marie", "Anne Marie", "AnneMarie"]),
        ("\u0130pek", ["i\u0307pek", "\u0130PEK"]),
        ("\u5c71\u7530", ["\u5c71 \u7530", "\u2f2d\u7530"]),
        ("\uac00\ub098", ["\u1100\u1161\u1102\u1161"]),
    ],
    ids=ascii,
)
def test_a_word_of_ones_own_is_found_in_every_spelling(word: str, spellings: list[str]) -> None:
    for spelling in (word, *spellings):
        assert [kind for kind, _ in found(f"It is {spelling}, she said", words=[word])] == ["word"], spelling
    assert found("It is Adam Love, she said", words=[word]) == []


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        *(
            ("card", "4111_1111_1111_1111"),
            ("card", "4111|1111|1111|1111"),
            ("card", "(4111) 1111 1111 1111"),
        ),
        *(("card", "4111&nbsp;1111&#160;1111&#xa0;1111"), ("card", "4111+1111+1111+1111")),
        ("card", "\U0001d7d2\U0001d7cf\U0001d7cf\U0001d7cf 1111 1111 1111"),
        *(("phone", "+49[151]23456789"), ("phone", "+49;151;23456789"), ("phone", "+49 151, 234, 567, 89")),
        *(
            ("phone", "00 49 151 234 567 89"),
            ("phone", "plus 49 151 23456789"),
            ("phone", "+49_151_23456789"),
        ),
        *(("phone", "&#43;49 151 23456789"), ("phone", "wa.me/4915123456789")),
        *(
            ("email", "ada [at] example.org"),
            ("email", "ada(at)example(dot)org"),
            ("email", "ada@\nexample.org"),
        ),
        *(("email", "ada\ufe6bexample.org"), ("email", "ada@\u4f8b\u3048.jp")),
    ],
    ids=ascii,
)
def test_other_signs_hide_nothing(kind: str, text: str) -> None:
    ((is_kind, value),) = found(f"It is {text} then.")
    assert is_kind == kind
    assert value.strip("()").endswith(text[-2:].strip("()")), "to its end"


@pytest.mark.parametrize("gap", [", ", "/", "\t", " ... ", " - ", "|"])
def test_an_account_is_found_whatever_stands_between_its_groups(gap: str) -> None:
    ((kind, _),) = found("It is " + gap.join(("DE89", "3704", "0044", "0532", "0130", "00")) + ".")
    assert kind == "iban"


def test_an_entity_is_overwritten_whole() -> None:
    written = list[str]()
    cell = Cell("Jos&eacute; and &#74;os\u00e9", written.append)
    finder = Finder(words=["Jos\u00e9"])
    for match in finder.find(cell):
        for at in range(match.start, match.end):
            match.view.put(at, "q")
    cell.write()
    (text,) = written
    assert len(text) == len(cell.text)
    assert html.unescape(text) == "qqqq and Qqqq"
