"""`kill -9` of each process in turn under load: what was acknowledged has one effect, no more."""

from pathlib import Path

import pytest

from tests.support.chaos.faults import Drain, Kill
from tests.support.chaos.ledger import Kind, Verdict
from tests.support.chaos.run import PROCESSES, Run
from tests.support.chaos.source_mutation import WITHOUT_INBOX, mutated
from tests.support.evidence import Evidence
from tests.support.sizes import size
from tests.support.stack import PORT_BASE, Stack, running_stack

KILLS_OF_EACH = size(1, 25)
COMMANDS = size(200, 100_000)
COMMANDS_WITHOUT_INBOX = 100
KILLED = PROCESSES * KILLS_OF_EACH
HALFWAY = len(PROCESSES) // 2
DRAINED = KILLED[HALFWAY:] + KILLED[:HALFWAY]
"""Each process is drained when the one opposite is killed."""
OVERLAPPING = 3


@pytest.mark.prove
@pytest.mark.timeout(size(300, 4_500))
async def test_kills(stack: Stack, evidence: Evidence) -> None:
    """Every acknowledged command has one effect, one event, one row of the log."""
    run = Run(
        stack,
        COMMANDS,
        [Kill(name) for name in KILLED],
        [Drain(name) for name in DRAINED],
        overlapping=OVERLAPPING,
    )
    await run.play()
    assert run.violations == []
    assert not run.misfires
    assert run.checks > len(KILLED)
    assert len(run.ledger.entries) >= COMMANDS
    assert run.ledger.count(Verdict.OK) > COMMANDS / 2
    assert all(run.ledger.of(kind) for kind in Kind)
    evidence.record(
        "Kills",
        "Each process killed in turn under load, and another one drained at the same time; after "
        "each of these rounds the invariants are checked, and of everything once more in the end.",
        run.figures() | {"kills of each": KILLS_OF_EACH},
    )


@pytest.mark.stack
async def test_without_the_inbox_the_same_checks_fail(tmp_path: Path) -> None:
    source = mutated(tmp_path / "source", WITHOUT_INBOX)
    base = PORT_BASE + 500
    with running_stack(tmp_path / "data", port_base=base, source=source) as stack:
        run = Run(stack, COMMANDS_WITHOUT_INBOX)
        await run.play()
    found = run.violations
    assert [each for each in found if each.startswith("I2: SIGN_UP") and "2 effects" in each], found
