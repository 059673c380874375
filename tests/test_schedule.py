"""The order and the sequences of a test run."""

import pytest

from tests.support.schedule import (
    FIRST_LANE,
    NO_SYSTEM,
    OWN_LANE,
    OWN_SYSTEM,
    SECOND_LANE,
    SECOND_SYSTEM,
    SLOW,
    lane_of,
    order_of,
    scope_of,
)
from tests.support.stack import ROOT

SHARED, OTHER_SHARED = "tests/e2e/test_journey.py::test_x", "tests/chaos/test_hangs.py::test_hangs"
OWN, UNIT = f"{OWN_SYSTEM[0]}::test_x[a::b]", "tests/workers/relay/test_rules.py::test_x"


@pytest.mark.parametrize("listed", [*SECOND_SYSTEM, *OWN_SYSTEM, *SLOW])
def test_listed_test_exists(listed: str) -> None:
    path, _, name = listed.partition("::")
    assert (ROOT / path).exists()
    assert not name or f"def {name}" in (ROOT / path).read_text("utf-8")


def test_tests_of_a_shared_system_are_one_sequence_and_others_one_for_each_file() -> None:
    assert [lane_of(each) for each in (SHARED, OTHER_SHARED, OWN, UNIT)] == [
        FIRST_LANE,
        SECOND_LANE,
        OWN_LANE,
        NO_SYSTEM,
    ]
    assert scope_of(SHARED) == FIRST_LANE
    assert scope_of(OWN) == OWN_SYSTEM[0]
    assert scope_of(UNIT) == "tests/workers/relay/test_rules.py"


def test_shared_systems_are_first_and_the_kill_of_everything_is_last_of_its_system() -> None:
    last = "tests/e2e/test_everything_killed.py::test_x"
    ordered = [SHARED, OTHER_SHARED, last, OWN, f"{SLOW[0]}test_load.py::test_x", UNIT]
    shuffled = [ordered[n] for n in (4, 2, 5, 0, 3, 1)]
    assert sorted(shuffled, key=order_of) == ordered
