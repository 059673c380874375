"""What a group may have handled without committing it belongs to a recovery as well."""

from collections.abc import Iterable
from typing import Any

import pytest

from contracts.topics import SIGNIN, SIGNIN_COMMANDS, WATCHLIST, WATCHLIST_COMMANDS, Consumer
from infra.messaging.consumer_policy import MAX_COMMANDS, Policy
from operations.lag import consumers
from operations.recovery.apply import merge
from operations.recovery.survey import Gap, Survey
from workers.accounts import consumer as accounts
from workers.signup import consumer as signup
from workers.verification import consumer as verification
from workers.watchlist import consumer as watchlist

WATCHLIST_0, SIGNIN_0 = (WATCHLIST_COMMANDS.name, 0), (SIGNIN_COMMANDS.name, 0)


def a_survey(*gaps: Gap, **in_hand: tuple[int, int]) -> Survey:
    places = {WATCHLIST: WATCHLIST_0, SIGNIN: SIGNIN_0}
    return Survey(
        groups={WATCHLIST: list(gaps)} if gaps else {},
        in_hand={
            consumer: {place: in_hand[consumer.name]}
            for consumer, place in places.items()
            if consumer.name in in_hand
        },
    )


def gap(point: int, until: int) -> Gap:
    return Gap(WATCHLIST_0, 0, point, until, lost=1, cut=False)


def test_recovery_ends_behind_what_a_group_had_in_hand() -> None:
    """Also of a group that has lost nothing that it had committed."""
    points: dict[str, Any] = {}
    merge(points, a_survey(gap(3, 7), watchlist=(7, 9), signin=(4, 6)))
    assert points == {
        WATCHLIST.group: {WATCHLIST_COMMANDS.name: {"0": (3, 9)}},
        SIGNIN.group: {SIGNIN_COMMANDS.name: {"0": (4, 6)}},
    }


def test_group_that_had_nothing_in_hand_is_not_waited_for() -> None:
    points: dict[str, Any] = {}
    merge(points, a_survey(gap(3, 7), watchlist=(7, 7), signin=(4, 4)))
    assert points == {WATCHLIST.group: {WATCHLIST_COMMANDS.name: {"0": (3, 7)}}}


def test_second_survey_widens_what_the_first_has_found() -> None:
    points: dict[str, Any] = {WATCHLIST.group: {WATCHLIST_COMMANDS.name: {"0": [2, 8]}}}
    merge(points, a_survey(gap(3, 7), watchlist=(7, 9)))
    assert points == {WATCHLIST.group: {WATCHLIST_COMMANDS.name: {"0": (2, 9)}}}


def test_nothing_is_waited_for_when_nothing_was_lost() -> None:
    points: dict[str, Any] = {}
    merge(points, a_survey(watchlist=(7, 9), signin=(4, 6)))
    assert points == {}


def policies() -> list[Policy]:
    modules = (accounts, signup, verification, watchlist)
    return [
        each for module in modules for each in vars(module).values() if isinstance(each, Policy)
    ]


@pytest.mark.parametrize("policy", policies())
def test_no_consumer_with_an_inbox_takes_more_at_once(policy: Policy) -> None:
    assert policy.max_records <= MAX_COMMANDS


def test_every_consumer_with_an_inbox_is_among_them() -> None:
    def principals(of: Iterable[Consumer]) -> set[str]:
        return {consumer.principal for consumer in of if consumer.inbox}

    assert principals(consumers()) == {"accounts", "signup", "verification", "watchlist"}
