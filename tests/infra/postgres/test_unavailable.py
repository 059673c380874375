"""Which errors of the database are nobody's fault: a message is never set aside for them."""

import asyncpg
import pytest

from infra.messaging.call_result import DOWN
from infra.postgres.pool import UNAVAILABLE

OF_THE_SERVER = {
    "08006": "the connection failed",
    "25006": "it is a standby",
    "53100": "its disk is full",
    "53200": "it is out of memory",
    "53300": "it has too many connections",
    "57P01": "it shuts down",
    "57P02": "another session crashed",
    "57P03": "it starts",
    "58000": "its system failed",
    "58030": "it cannot read or write a file",
    "58P01": "a file is missing",
}
OF_A_MESSAGE = {"22001": "a text is too long", "23505": "a key exists", "42703": "no such column"}


def error_of(sqlstate: str) -> asyncpg.PostgresError:
    error: asyncpg.PostgresError = asyncpg.PostgresError.new(
        {"C": sqlstate, "M": "reason", "S": "ERROR", "V": "ERROR"}
    )
    return error


@pytest.mark.parametrize("sqlstate", OF_THE_SERVER)
def test_error_of_the_server_is_tried_again(sqlstate: str) -> None:
    assert isinstance(error_of(sqlstate), UNAVAILABLE)
    assert isinstance(error_of(sqlstate), DOWN)


@pytest.mark.parametrize("sqlstate", OF_A_MESSAGE)
def test_error_of_a_message_is_not(sqlstate: str) -> None:
    assert not isinstance(error_of(sqlstate), DOWN)
