import pytest
from pydantic import TypeAdapter, ValidationError

from contracts.values import DisplayName, Note, SearchText, Symbol

SYMBOL, NOTE, NAME = TypeAdapter(Symbol), TypeAdapter(Note), TypeAdapter(DisplayName)
SEARCH = TypeAdapter(SearchText)


@pytest.mark.parametrize(
    ("given", "symbol"),
    [("aapl", "AAPL"), (" sap.de ", "SAP.DE"), ("^GDAXI", "^GDAXI"), ("EURUSD=X", "EURUSD=X")],
)
def test_symbols_fold_to_capitals(given: str, symbol: str) -> None:
    assert SYMBOL.validate_python(given) == symbol


@pytest.mark.parametrize("given", ["", " ", "A B", "-A", "A" * 33, "ÄPFEL", "A\nB", "A\0", 7, None])
def test_what_is_no_symbol_is_refused(given: object) -> None:
    with pytest.raises(ValidationError):
        SYMBOL.validate_python(given)


def test_text_is_normalised_and_rid_of_control_characters() -> None:
    assert NOTE.validate_python(" a\u0308\u202e\x07 b ") == "ä b"


@pytest.mark.parametrize("text", [NOTE, NAME], ids=["note", "name"])
def test_nothing_turns_the_direction_of_text(text: TypeAdapter[str]) -> None:
    for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C):
        assert text.validate_python(f"abc{chr(code)}def") == "abcdef"


def test_no_control_character_is_kept() -> None:
    for code in (*range(0x20), *range(0x7F, 0xA0)):
        assert NAME.validate_python(f"abc{chr(code)}def") == "abcdef"


@pytest.mark.parametrize("given", ["<b>", "x <script>alert(1)</script>"])
def test_markup_is_refused(given: str) -> None:
    with pytest.raises(ValidationError):
        NOTE.validate_python(given)


def test_a_comparison_is_no_markup() -> None:
    assert (
        NOTE.validate_python("buy when > 100, sell when < 90") == "buy when > 100, sell when < 90"
    )


@pytest.mark.parametrize("given", ["", "   ", "\u200b", "x" * 81])
def test_a_name_is_not_blank_and_not_long(given: str) -> None:
    with pytest.raises(ValidationError):
        NAME.validate_python(given)


@pytest.mark.parametrize(
    "given",
    [
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "\U0001f468\u200d\U0001f469\u200d\U0001f467",
        "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
        "\u1781\u17d2\u1798\u17c2\u179a\u200b\u1780\u17b6",
        "\u0600\u0661\u0662",
        "P/E < 10 and yield > 3",
        "I <3 it, sell at 5 > 4",
        "one\ntwo\tthree",
        "soft\u00adhyphen",
        "\uf8ff",
    ],
)
def test_ordinary_text_of_a_note_stays_as_it_was_typed(given: str) -> None:
    assert NOTE.validate_python(given) == given


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("a\r\nb\rc\u2028d", "a\nb\nc\nd"),
        ("a\ufeffb", "ab"),
        ("a\U000e0041\U000e0042", "a"),
        ("e\u0323\u202e\u0302", "\u1ec7"),
    ],
)
def test_note_is_changed_where_the_documentation_says_so(given: str, stored: str) -> None:
    assert NOTE.validate_python(given) == stored


@pytest.mark.parametrize("given", ["e\u0323\u0302" * 280, "\u09df" * 140, "\ufb2c" * 93])
def test_note_is_measured_as_it_is_stored(given: str) -> None:
    assert len(NOTE.validate_python(given)) <= 280


@pytest.mark.parametrize("given", ["\u09df" * 141, "\ufb2c" * 94, "x" * 281])
def test_note_that_is_stored_too_long_is_refused(given: str) -> None:
    with pytest.raises(ValidationError):
        NOTE.validate_python(given)


@pytest.mark.parametrize("given", ["\u200b\u200d", "\u3164", "\u2800 \u115f", "\u0301", "\ufe0f"])
def test_name_that_shows_nothing_is_refused(given: str) -> None:
    with pytest.raises(ValidationError):
        NAME.validate_python(given)


@pytest.mark.parametrize(
    "given", ["M&M.NS", "J&KBANK.NS", "BTC-USD", "^GSPC", "AAPL270115C00250000"]
)
def test_what_a_provider_lists_can_be_a_symbol(given: str) -> None:
    assert SYMBOL.validate_python(given) == given


@pytest.mark.parametrize(
    "given", ["\u017fap", "\u00df", "\u0131bm", "..", ".", "-", "a,b", "a/b", "a%b", "a?b"]
)
def test_what_only_looks_like_a_symbol_is_none(given: str) -> None:
    with pytest.raises(ValidationError):
        SYMBOL.validate_python(given)


def test_search_text_has_one_blank_between_words() -> None:
    assert SEARCH.validate_python(" US\u00a00378331005\t\n ") == "US 0378331005"
