"""A database restored to an older state behind the same Kafka: nothing acknowledged is missing."""

from pathlib import Path

import pytest

from tests.support.chaos.database_restores import Backup, Restore
from tests.support.chaos.faults import Fault
from tests.support.chaos.ledger import Verdict
from tests.support.chaos.run import Run
from tests.support.chaos.source_mutation import Cut, mutated
from tests.support.evidence import Evidence
from tests.support.sizes import FULL, size
from tests.support.stack import PORT_BASE, Stack, running_stack

RESTORES = size(1, 5)
COMMANDS = size(120, 5_000)
COMMANDS_WITHOUT = 150

WITHOUT_DERIVED_IDS = (
    Cut(
        "infra/messaging/transaction.py",
        "self._derived_id(cause, event, about) if cause else event_id or uuid7()",
        "uuid7()",
    ),
    Cut("infra/messaging/message_rows.py", """if row["awaited"]:""", "if False:"),
)
WITHOUT_THE_ORDER = (
    Cut("infra/messaging/message_rows.py", """if row["awaited"]:""", "if False:"),
    Cut(
        "infra/messaging/transaction.py",
        "restored_database.refuse_awaited(self.awaited, tx.settled)",
        "",
    ),
)
MUTATIONS = (WITHOUT_DERIVED_IDS, WITHOUT_THE_ORDER)


def faults(folder: Path, restores: int) -> list[Fault]:
    return [Backup(folder / "backup"), Restore(folder / "backup")] * restores


@pytest.mark.prove
@pytest.mark.timeout(size(300, 1_800))
async def test_restore(stack: Stack, evidence: Evidence, tmp_path: Path) -> None:
    """Every acknowledged command has one effect, one event, one row of the log."""
    run = Run(stack, COMMANDS, faults(tmp_path, RESTORES), pause=0.1)
    await run.play()
    assert run.violations == []
    assert not run.misfires
    assert run.checks > RESTORES
    assert run.ledger.count(Verdict.OK) > COMMANDS / 2
    evidence.record(
        "Restore",
        "A backup under load, work, a restore behind the same Kafka, `qnt9 recover`; then "
        "the invariants are checked, after each restore and of everything once more in the end.",
        run.figures() | {"restores": RESTORES},
    )


@pytest.mark.prove
@pytest.mark.timeout(1_800)
async def test_restore_without_its_safeguards(tmp_path: Path) -> None:
    """At full size each mutation is run, and found; at the small one it can still be made."""
    for number, cuts in enumerate(MUTATIONS):
        folder = tmp_path / str(number)
        source = mutated(folder / "source", cuts)
        if FULL:
            base = PORT_BASE + 500
            with running_stack(folder / "data", port_base=base, source=source) as stack:
                run = Run(stack, COMMANDS_WITHOUT, faults(folder, 1), pause=0.1)
                await run.play()
            assert run.violations, cuts
