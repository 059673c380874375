"""Architecture decision records have one form, and the index lists each of them."""

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "docs" / "adr"
RECORDS = sorted(FOLDER.glob("[0-9]*.md"))
SECTIONS = ["Context", "Decision", "Consequences", "Revisit when"]
MAX_LINES = 40
_STATUS = re.compile(r"^Status: \S.*?\sDate: \d{4}-\d{2}-\d{2}\.$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.name[:4])
def test_record_has_number_status_date_and_sections_within_the_line_limit(record: Path) -> None:
    text = record.read_text(encoding="utf-8")
    assert text.startswith(f"# {int(record.name[:4])}. ")
    assert _STATUS.search(text)
    assert re.findall(r"^## (.*)", text, re.MULTILINE) == SECTIONS
    assert len(text.splitlines()) <= MAX_LINES


def test_numbers_of_records_are_consecutive() -> None:
    assert [int(record.name[:4]) for record in RECORDS] == list(range(1, len(RECORDS) + 1))


def test_index_lists_every_record_with_its_title() -> None:
    index = (FOLDER / "README.md").read_text(encoding="utf-8")
    for record in RECORDS:
        number, _, title = record.read_text(encoding="utf-8").partition("\n")[0].partition(". ")
        assert f"| {number[2:]} | [{title}]({record.name}) |" in index
