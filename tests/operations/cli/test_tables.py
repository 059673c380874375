"""Tables and lines at any width: whole words, and nothing lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operations.cli.tables import table, wrapped

WORDS = st.text("abcdefghij-.:/", min_size=1, max_size=30)
CELLS = st.lists(WORDS, max_size=6).map(" ".join)
ROWS = st.integers(1, 5).flatmap(
    lambda columns: st.lists(st.tuples(*[CELLS] * columns), min_size=1, max_size=4)
)


@given(rows=ROWS, width=st.integers(40, 120))
def test_a_table_fits_and_has_every_word_whole(rows: list[tuple[str, ...]], width: int) -> None:
    heading = tuple(f"H{n}" for n in range(len(rows[0])))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(width))
        made = table([heading, *rows])
    assert all(len(line) <= width for line in made.splitlines())
    found = made.split()
    for row in rows:
        for cell in row:
            for word in cell.split():
                assert word in found


@given(text=CELLS, width=st.integers(40, 120))
def test_a_line_is_wrapped_between_words(text: str, width: int) -> None:
    made = wrapped(text, width=width)
    assert all(len(line) <= width for line in made.splitlines())
    assert made.split() == text.split()


def test_in_a_pipe_lines_are_as_long_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    row = ("a" * 100, "b c " * 30)
    assert table([("A", "B"), row]).splitlines()[1] == f"{'a' * 100}  {'b c ' * 30}".rstrip()
