"""All of Unicode that can matter to a text: each character alone, doubled, many, and in company."""

import unicodedata
from collections.abc import Iterator

from hypothesis import strategies as st

from tests.support.sizes import size

_DENSE = (
    range(0x3400),
    range(0xA000, 0xAC00),
    range(0xD7B0, 0xE010),
    range(0xF8F0, 0x10000),
    range(0x10000, 0x12000),
    range(0x13000, 0x13460),
    range(0x16A00, 0x17000),
    range(0x1B000, 0x20000),
    range(0xE0000, 0xE0200),
)
"""Where characters differ; between are ideographs and syllables, of which some stand for all."""
_SPARSE = range(0x3400, 0x110000, 997)

_ALL = sorted({chr(code) for codes in (*_DENSE, _SPARSE) for code in codes})


def _is_special(character: str) -> bool:
    """Whether it is likely to be treated in a way of its own."""
    return character < "\u0250" or unicodedata.category(character) in {"Cf", "Zs", "Zl", "Zp"}


CHARACTERS = [c for n, c in enumerate(_ALL) if n % size(29, 1) == 0 or _is_special(c)]
CATEGORIES = {unicodedata.category(character) for character in CHARACTERS}


def texts_with(character: str, *, most: int) -> Iterator[str]:
    """Texts in which a character can make trouble: at both ends, in between, as many as may be."""
    yield character
    yield f"a{character}"
    yield f"{character}a"
    yield f"a {character} b"
    yield f"e\u0323{character}\u0302"
    yield f"\U0001f3f4{character}\U000e007f"
    yield character * most
    yield f"{character}\u0323" * (most // 2)


WORST = st.text(
    st.one_of(
        st.sampled_from("\ufb2c\u09df\u00df\u0130\u0149\u0390\u1e9e\u03c2\u0345\u200b\u200d\ufeff"),
        st.sampled_from("\u0300\u0323\u0302\u1161\u11a8\U000e0067\U0001f3f4\u202e<>&/ \t\n\0"),
        st.characters(codec="utf-8"),
    ),
    max_size=300,
)
"""What grows, shrinks, joins, hides or turns, among all that UTF-8 can carry."""
