"""`kill -9` of each process in turn under load: what was acknowledged has one effect, no more."""

from collections import Counter
from pathlib import Path

import pytest

from tests.chaos.invariants import violations
from tests.chaos.ledger import Kind, Verdict
from tests.chaos.mutation import WITHOUT_INBOX, mutated
from tests.chaos.run import PROCESSES, Run
from tests.sizes import size
from tests.stack import PORT_BASE, Stack, running_stack

KILLS_OF_EACH = size(1, 25)
COMMANDS = size(500, 100_000)
COMMANDS_WITHOUT_INBOX = 100


@pytest.mark.prove
@pytest.mark.timeout(size(300, 1_800))
async def test_every_acknowledged_command_has_one_effect_whatever_is_killed(stack: Stack) -> None:
    run = Run(stack, COMMANDS, PROCESSES * KILLS_OF_EACH)
    await run.play()
    assert not run.misfires()
    assert Counter(kill.name for kill in run.kills) == dict.fromkeys(PROCESSES, KILLS_OF_EACH)
    assert len(run.ledger.entries) >= COMMANDS
    assert run.ledger.count(Verdict.OK) > COMMANDS / 2
    assert all(run.ledger.of(kind) for kind in Kind)
    assert await violations(stack, run.ledger) == []


async def test_without_the_inbox_the_same_checks_fail(tmp_path: Path) -> None:
    source = mutated(tmp_path / "source", WITHOUT_INBOX)
    base = PORT_BASE + 500
    with running_stack(tmp_path / "data", port_base=base, source=source) as stack:
        run = Run(stack, COMMANDS_WITHOUT_INBOX)
        await run.play()
        found = await violations(stack, run.ledger)
    assert [each for each in found if each.startswith("I2: SIGN_UP") and "2 effects" in each], found
