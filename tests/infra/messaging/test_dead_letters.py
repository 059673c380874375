"""What a dead letter holds. How they are written is tested with a broker, in tests/e2e."""

from datetime import UTC, datetime, timedelta
from typing import Any

from contracts.commands import AddToWatchlist
from contracts.topics import MIB, WATCHLIST, WATCHLIST_COMMANDS
from infra.messaging.batch_progress import Failure
from infra.messaging.dead_letters import PREFIX, draft_of, read_from
from tests.support.message_builders import ARecord, a_record

ORDER = AddToWatchlist(symbol="AAPL")
REDRIVE = WATCHLIST_COMMANDS.redrive(WATCHLIST)


def dead_letter_of(record: Any, failure: Failure) -> ARecord:
    key, value, headers = draft_of(WATCHLIST, record, failure)
    return ARecord(value, headers, WATCHLIST_COMMANDS.dead_letters(WATCHLIST), key)


def about(dead_letter: ARecord) -> dict[str, str]:
    return {
        name.removeprefix(PREFIX): (value or b"").decode()
        for name, value in dead_letter.headers
        if name.startswith(PREFIX)
    }


def test_a_dead_letter_is_the_record_with_its_story() -> None:
    record = a_record(ORDER)
    record.headers = [*record.headers, ("odd", None), ("binary", b"\xff")]
    began = datetime.now(UTC) - timedelta(seconds=5)
    dead_letter = dead_letter_of(record, Failure("it broke", "handler", 3, began))
    assert (dead_letter.key, dead_letter.value) == (record.key, record.value)
    assert dead_letter.headers[: len(record.headers)] == record.headers
    story = about(dead_letter)
    assert story["reason"] == "it broke"
    assert story["attempts"] == "3"
    assert story["topic"] == "watchlist.commands"
    assert story["offset"] == str(record.offset)
    assert story["first_failure"] == began.isoformat()
    assert read_from(dead_letter) == (record.topic, record.partition, record.offset)


def redriven(dead_letter: ARecord) -> ARecord:
    return ARecord(dead_letter.value, dead_letter.headers, REDRIVE, dead_letter.key)


def test_a_dead_letter_that_fails_again_keeps_its_origin_attempts_and_first_failure() -> None:
    record = a_record(ORDER)
    began = datetime.now(UTC) - timedelta(days=1)
    first = dead_letter_of(record, Failure("it broke", "handler", 3, began))
    copy = redriven(first)
    second = dead_letter_of(copy, Failure("still broken", "handler", 3))
    third = dead_letter_of(redriven(second), Failure("and again", "unreadable"))
    story = about(third)
    assert story["reason"] == "and again"
    assert story["attempts"] == "7"
    assert story["redrives"] == "2"
    assert story["first_failure"] == began.isoformat()
    assert (story["topic"], story["offset"]) == (record.topic, str(record.offset))
    assert read_from(second) == (REDRIVE, copy.partition, copy.offset)


def test_a_record_of_a_producer_cannot_claim_a_history() -> None:
    record = a_record(ORDER)
    record.headers = [*record.headers, (f"{PREFIX}offset", b"7"), (f"{PREFIX}attempts", b"9")]
    story = about(dead_letter_of(record, Failure("it broke", "handler")))
    assert (story["offset"], story["attempts"]) == (str(record.offset), "1")


def test_what_is_too_big_once_uncompressed_is_cut_and_says_so() -> None:
    record = a_record(ORDER)
    record.value = b"x" * (6 * MIB)
    dead_letter = dead_letter_of(record, Failure("too big", "unreadable"))
    assert dead_letter.value == b"x" * MIB
    assert about(dead_letter)["cut_from_bytes"] == str(6 * MIB)


def test_a_dead_letter_that_says_nothing_of_its_place_is_of_none() -> None:
    dead_letter = a_record(ORDER)
    assert read_from(dead_letter) is None
    dead_letter.headers = [*dead_letter.headers, (f"{PREFIX}redriven_as", b"nonsense")]
    assert read_from(dead_letter) is None
