"""Each part away for a while under load: what was accepted happens, once, when it is back."""

import pytest

from tests.support.chaos.faults import Outage
from tests.support.chaos.ledger import Verdict
from tests.support.chaos.run import Run
from tests.support.evidence import Evidence
from tests.support.sizes import FULL, size
from tests.support.stack import Stack

PARTS = ("watchlist", "postgres", "valkey", "inbox", "kafka")
SECONDS = size(4, 600)
COMMANDS = size(100, 2_000)
PAUSE = size(0.1, 1)
RUNS = [[part] for part in PARTS] if FULL else [[*PARTS]]
"""Ten minutes each is one proof each; a moment each fits into one."""


@pytest.mark.prove
@pytest.mark.timeout(size(300, 1_800))
@pytest.mark.parametrize("parts", RUNS, ids="-".join)
async def test_outage(stack: Stack, evidence: Evidence, parts: list[str]) -> None:
    run = Run(stack, COMMANDS, [Outage(part, SECONDS) for part in parts], pause=PAUSE)
    await run.play()
    assert run.violations == []
    assert not run.misfires
    assert run.checks > len(parts)
    assert run.ledger.count(Verdict.OK) > COMMANDS / 2
    evidence.record(
        f"Outage of {', '.join(parts)}",
        "Stopped and started under load; then the invariants are checked, once when it is back and "
        "of everything in the end.",
        run.figures() | {"seconds away": SECONDS},
    )
