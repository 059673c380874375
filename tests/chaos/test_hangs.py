"""Each process and each server hung for a while under load: nothing is lost or repeated."""

import math

import pytest

from tests.support.chaos.faults import Hang
from tests.support.chaos.ledger import Verdict
from tests.support.chaos.run import PROCESSES, Run
from tests.support.evidence import Evidence
from tests.support.sizes import size
from tests.support.stack import Stack

PARTS = size(("relay", "postgres"), (*PROCESSES, "postgres", "kafka", "valkey", "inbox"))
SECONDS = size(4, 60)
COMMANDS = size(60, 2_000)
PAUSE = size(0.1, 1)
MAX_SECONDS_UNTIL_NAMED = 15
"""Until `qnt9 status` names what hangs; asked for only where it hangs for longer."""


@pytest.mark.prove
@pytest.mark.timeout(size(300, 1_800))
async def test_hangs(stack: Stack, evidence: Evidence) -> None:
    hangs = [Hang(part, SECONDS) for part in PARTS]
    run = Run(stack, COMMANDS, hangs, pause=PAUSE)
    await run.play()
    assert run.violations == []
    assert not run.misfires
    assert run.checks > len(PARTS)
    assert run.ledger.count(Verdict.OK) > COMMANDS / 2
    named_after = {hang.name: hang.named_after or math.inf for hang in hangs}
    slowest = max(named_after, key=lambda name: named_after[name])
    if SECONDS > MAX_SECONDS_UNTIL_NAMED:
        assert named_after[slowest] < MAX_SECONDS_UNTIL_NAMED, named_after
    evidence.record(
        "Hangs",
        "SIGSTOP and SIGCONT of each process and each server in turn under load; after each the "
        "invariants are checked, and of everything once more in the end.",
        run.figures()
        | {
            "hung": ", ".join(PARTS),
            "seconds each stood still": SECONDS,
            "seconds until `qnt9 status` named it, at most": f"{named_after[slowest]:.1f} "
            f"({slowest})",
        },
    )
