"""Text from people: what is changed before it is checked and stored, and why.

The canonical form is made once, and everything that is demanded of a text is demanded of that form.
Making it again changes nothing, so that a text that one process accepted is valid for the next.
Everything that is not named here passes as it was typed (docs/text.md). Pure.
"""

import re
import unicodedata

_BIDIRECTIONAL = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
"""Bidi_Control of Unicode: they can make a text look like another one."""
_WITHOUT_MEANING = "\u206a-\u206f\ufeff\ufff9-\ufffb"
"""Deprecated format characters, the byte order mark, interlinear annotations."""
_SURROGATES = "\ud800-\udfff"
_TAGS = "\U000e0001\U000e0020-\U000e007f"
_LINE = re.compile(f"[\x00-\x1f\x7f-\x9f{_BIDIRECTIONAL}{_WITHOUT_MEANING}{_SURROGATES}]")
_LINES = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f{_BIDIRECTIONAL}{_WITHOUT_MEANING}{_SURROGATES}]")
_TAG = re.compile(f"(\U0001f3f4[\U000e0020-\U000e007e]+\U000e007f)|[{_TAGS}]")
"""Tags are kept where they are a part of a flag (UTS 51); elsewhere they are hidden text."""
_LINE_BREAK = re.compile("\r\n?|[\x85\u2028\u2029]")
_MARKUP = re.compile(r"<[A-Za-z/!?][^>]*>")
"""What an HTML parser reads as a tag. A comparison, `P/E < 10 and yield > 3`, is none."""

_UNSEEN = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Letters, marks and symbols that show nothing: fillers, the blank braille pattern."""


def canonical_line(value: str) -> str:
    """A text of one line: without what `docs/text.md` names, in NFC, without blanks around it."""
    if value.isascii() and value.isprintable():
        return value.strip()
    return _canonical(_LINE, value)


def canonical_lines(value: str) -> str:
    """The same of a text that may have several lines, each ended by a line feed, and tabs."""
    if value.isascii() and value.isprintable():
        return value.strip()
    return _canonical(_LINES, _LINE_BREAK.sub("\n", value))


def canonical_words(value: str) -> str:
    """The same of words: one blank between two, whatever stood there."""
    return " ".join(canonical_line(" ".join(value.split())).split())


def _canonical(removed: re.Pattern[str], value: str) -> str:
    text = _TAG.sub(r"\1", removed.sub("", value))
    return unicodedata.normalize("NFC", text).strip()


def without_markup(value: str) -> str:
    """The same text. Raises `ValueError` for one with an HTML tag."""
    if _MARKUP.search(value):
        raise ValueError("must not contain markup")
    return value


def with_something_to_see(value: str) -> str:
    """The same text. Raises `ValueError` for one that shows nothing."""
    if not any(map(_is_seen, value)):
        raise ValueError("must not be blank")
    return value


def folded(value: str) -> str:
    """The form under which words are compared and cached. It is never shown or stored.

    It may be three times as long as the text.
    """
    return unicodedata.normalize("NFC", value.upper())


def _is_seen(character: str) -> bool:
    if character.isascii():
        return character.isprintable() and character != " "
    if character in _UNSEEN:
        return False
    category = unicodedata.category(character)
    # A mark shows something with the letter before it; the prepended signs of Arabic show a number.
    return (
        category[0] not in "MZC" or (category == "Cf" and _is_sign(character)) or category == "Co"
    )


def _is_sign(character: str) -> bool:
    """Prepended_Concatenation_Mark of Unicode."""
    code = ord(character)
    return 0x600 <= code <= 0x605 or code in {0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD}
