"""The report at the end of a test run."""

from tests.support.run_report import lines, seconds_by_file


def test_seconds_by_file_adds_up_the_phases_of_all_its_tests() -> None:
    durations = [("a.py::test_x", 1.0), ("a.py::test_x[b::c]", 0.5), ("b.py::test_y", 2.0)]
    assert seconds_by_file(durations) == {"a.py": 1.5, "b.py": 2.0}


def test_report_names_the_systems_started_and_the_slowest_file_first() -> None:
    report = [line.strip() for line in lines(2, {"a.py": 1.5, "b.py": 2.0}, {"no system": 3.5})]
    assert report == [
        "systems started: 2",
        "3.5 s  no system",
        "slowest files, of 2:",
        "2.0 s  b.py",
        "1.5 s  a.py",
    ]
