"""What a command that reads much says of its progress."""

import pytest

from operations.cli import runner
from operations.cli.runner import Progress


@pytest.mark.parametrize(
    ("total", "seen", "displayed"),
    [
        pytest.param(40, 10, "compared 10 of 40 (25 %, ", id="a part"),
        pytest.param(40, 40, "compared 40 of 40 (100 %, ", id="all"),
        pytest.param(40, 41, "compared 41 (", id="more than was expected"),
        pytest.param(0, 12, "compared 12 (", id="more than nothing"),
        pytest.param(0, 0, "compared 0 of 0 (0 %, ", id="nothing of nothing"),
        pytest.param(None, 12, "compared 12 (", id="a total that nobody knows"),
    ],
)
def test_progress_states_a_share_only_of_a_known_total(
    total: int | None,
    seen: int,
    displayed: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(runner, "SAY_EVERY_SECONDS", 0)
    with Progress("compared", total) as progress:
        progress.seen(seen)
    assert capsys.readouterr().err.startswith(displayed)
