from dataclasses import replace

from infra.kafka.consumer_groups import Committed
from operations.broker import Range
from operations.replay.request import ReplayRequest, Run

A_WISH = ReplayRequest("users.events", "2h", "now", to_topic="trial")


def a_run() -> Run:
    return Run.of([Range(0, 10, 20), Range(1, 5, 5), Range(2, 0, 7)])


def test_a_run_is_read_back_from_the_offsets_as_it_was_kept() -> None:
    run = a_run().moved(0, 15, 4).moved(2, 7, 7)
    assert Run.from_offsets(run.to_offsets("users.events")) == run


def test_what_is_left_begins_where_the_broker_had_acknowledged_everything() -> None:
    run = a_run().moved(0, 15, 4)
    assert run.left == [Range(0, 15, 20), Range(1, 5, 5), Range(2, 0, 7)]
    assert run.records_sent == 4


def test_offsets_of_someone_else_are_no_run() -> None:
    others = {("users.events", 0): Committed(10), ("users.events", 1): Committed(5, "a note")}
    assert Run.from_offsets(others) is None
    assert Run.from_offsets({}) is None


def test_offsets_of_two_runs_are_no_run() -> None:
    mixed = a_run().to_offsets("users.events") | {
        ("users.events", 1): a_run().to_offsets("users.events")["users.events", 1]
    }
    assert Run.from_offsets(mixed) is None


def test_the_ends_are_where_a_group_stops_reading() -> None:
    ends = a_run().ends("users.events")
    assert {place[1]: at.offset for place, at in ends.items()} == {0: 20, 1: 5, 2: 7}


def test_the_same_words_are_the_same_replay_and_others_another() -> None:
    same = ReplayRequest("users.events", "2h", "now", to_topic="trial")
    assert same.progress_group == A_WISH.progress_group
    for other in (
        replace(A_WISH, begin="3h"),
        replace(A_WISH, only_key="a key"),
        replace(A_WISH, to_topic=None, to_group="trial"),
        replace(A_WISH, partitions=(1,)),
    ):
        assert other.progress_group != A_WISH.progress_group
