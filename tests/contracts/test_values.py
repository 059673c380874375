import pytest
from pydantic import TypeAdapter, ValidationError

from contracts.values import DisplayName, Note, Symbol

SYMBOL, NOTE, NAME = TypeAdapter(Symbol), TypeAdapter(Note), TypeAdapter(DisplayName)


@pytest.mark.parametrize(
    ("given", "symbol"),
    [("aapl", "AAPL"), (" sap.de ", "SAP.DE"), ("^GDAXI", "^GDAXI"), ("EURUSD=X", "EURUSD=X")],
)
def test_symbols_fold_to_capitals(given: str, symbol: str) -> None:
    assert SYMBOL.validate_python(given) == symbol


@pytest.mark.parametrize("given", ["", " ", "A B", "-A", "A" * 21, "ÄPFEL", "A\nB", "A\0", 7, None])
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
