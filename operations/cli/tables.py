"""Tables and lines for people: as wide as the terminal at most, and no word is broken.

Where nobody reads along (a pipe, a file) lines are as long as they are, unless COLUMNS says how
wide they may be.
"""

import os
import re
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence

GAP = "  "
MIN_WIDTH = 20
_WORDS = re.compile(r"\S+")


def output_width() -> int | None:
    """Columns of the terminal, or what COLUMNS says; None where lines may be of any length."""
    said = os.environ.get("COLUMNS", "")
    if (said.isdecimal() and int(said)) or (sys.stdout is not None and sys.stdout.isatty()):
        return max(shutil.get_terminal_size().columns, MIN_WIDTH)
    return None


def wrapped(text: str, indent: str = "    ", width: int | None = None) -> str:
    """Lines broken between words; what follows on the next one is indented."""
    width = width or output_width()
    if width is None:
        return text
    return "\n".join(
        line
        for each in text.splitlines() or [""]
        for line in _lines(each, width, _leading(each) + indent)
    )


def table(rows: Sequence[tuple[str, ...]], *, right: frozenset[int] = frozenset()) -> str:
    """Columns as wide as they must be; the first row is the heading.

    Where they are wider than the output, cells are wrapped between their words, the widest first.
    Where even their longest words do not fit beside each other, a row becomes a few lines.
    """
    width = output_width()
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    if width is not None and _total(widths) > width:
        least = [max(_longest_word(row[n]) for row in rows) for n in range(len(rows[0]))]
        if _total(least) > width:
            return _stacked(rows, width)
        widths = _narrowed(widths, least, width)
    return "\n".join(line for row in rows for line in _row(row, widths, right))


def _row(row: tuple[str, ...], widths: Sequence[int], right: frozenset[int]) -> Iterable[str]:
    cells = [_lines(text, width) for text, width in zip(row, widths, strict=True)]
    for number in range(max(map(len, cells))):
        yield GAP.join(
            _justified(cell[number] if number < len(cell) else "", width, n in right)
            for n, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ).rstrip()


def _justified(text: str, width: int, right: bool) -> str:
    return text.rjust(width) if right else text.ljust(width)


def _stacked(rows: Sequence[tuple[str, ...]], width: int) -> str:
    heading, *others = rows
    lines: list[str] = []
    for row in others:
        for number, (name, text) in enumerate(zip(heading, row, strict=True)):
            if text:
                line = f"{'' if number == 0 else GAP}{name.lower()} {text}"
                lines += _lines(line, width, GAP * 3)
    return "\n".join(lines)


def _narrowed(widths: list[int], least: list[int], width: int) -> list[int]:
    widths = list(widths)
    while _total(widths) > width:
        spare = [w - at_least for w, at_least in zip(widths, least, strict=True)]
        widest = max(range(len(widths)), key=lambda n: (spare[n] > 0, widths[n]))
        widths[widest] -= 1
    return widths


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + len(GAP) * (len(widths) - 1)


def _longest_word(text: str) -> int:
    return max((len(word) for word in _WORDS.findall(text)), default=0)


def _leading(text: str) -> str:
    return text[: len(text) - len(text.lstrip())]


def _lines(text: str, width: int, indent: str = "") -> list[str]:
    if len(text) <= width:
        return [text]
    return textwrap.wrap(
        text,
        width,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
        replace_whitespace=False,
    ) or [""]
