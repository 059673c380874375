import pytest

from infra.kafka.producer import Outgoing
from tests.support.message_builders import NOW
from workers.relay.rules import SHARDS, Held, Row, fair_share, to_release, to_try


@pytest.mark.parametrize(("relays", "share"), [(0, 8), (1, 8), (2, 4), (3, 3), (8, 1), (20, 1)])
def test_a_fair_share_lets_all_relays_own_everything_together(relays: int, share: int) -> None:
    assert fair_share(relays) == share
    assert share * max(relays, 1) >= len(SHARDS)


def test_what_is_over_the_share_is_given_up() -> None:
    assert to_release([7, 1, 0], 2) == [7]
    assert to_release([1, 0], 2) == []


def test_nothing_is_tried_for_beyond_the_share() -> None:
    assert to_try([0, 1, 2, 3], 4) == []
    assert to_try([0, 1, 2], 4) == [3, 4, 5, 6, 7]


def test_a_key_is_held_for_its_time_only() -> None:
    held = Held(seconds=5)
    held.hold([Row(1, NOW, "users.events", Outgoing(b"anna", b"{}", []))], now=100)
    assert held.keys(now=104) == ["anna"]
    assert held.keys(now=105) == []
