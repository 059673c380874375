import pytest

from infra.kafka.consumer_groups import Committed
from operations.lag import Lag, expected_places, lag_of


@pytest.mark.parametrize(
    ("committed", "behind"),
    [(Committed(7), 3), (Committed(10), 0), (None, 8), (Committed(1), 8), (Committed(12), 0)],
    ids=["behind", "level", "never committed", "behind what is kept", "ahead"],
)
def test_lag_is_what_is_there_to_be_read(committed: Committed | None, behind: int) -> None:
    at = lag_of("a group", ("a.topic", 3), committed, (2, 10), {"a group": 1})
    offset = committed.offset if committed else None
    assert at == Lag("a group", "a.topic", 3, offset, 10, behind, 1)


def test_a_consumer_is_expected_on_its_topics_and_on_what_is_redriven_to_it() -> None:
    places = expected_places({"watchlist.commands": 6, "watchlist.commands.watchlist.redrive": 1})
    assert len(places["qnt9.watchlist"]) == 7
    assert places["qnt9.signup"] == []
