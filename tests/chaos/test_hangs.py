"""Each process and each server hung for a while under load: nothing is lost or repeated."""

import pytest

from tests.chaos.faults import Hang
from tests.chaos.ledger import Verdict
from tests.chaos.run import PROCESSES, Run
from tests.evidence import Evidence
from tests.sizes import size
from tests.stack import Stack

PARTS = size(("relay", "postgres"), (*PROCESSES, "postgres", "kafka", "valkey", "inbox"))
SECONDS = size(4, 60)
COMMANDS = size(60, 2_000)
PAUSE = size(0.1, 1)


@pytest.mark.prove
@pytest.mark.timeout(size(300, 2_400))
async def test_hangs(stack: Stack, evidence: Evidence) -> None:
    run = Run(stack, COMMANDS, [Hang(part, SECONDS) for part in PARTS], pause=PAUSE)
    await run.play()
    assert run.violations == []
    assert not run.misfires
    assert run.checks > len(PARTS)
    assert run.ledger.count(Verdict.OK) > COMMANDS / 2
    evidence.record(
        "Hangs",
        "SIGSTOP and SIGCONT of each process and each server in turn under load; after each the "
        "invariants are checked, and of everything once more in the end.",
        run.figures() | {"hung": ", ".join(PARTS), "seconds each stood still": SECONDS},
    )
