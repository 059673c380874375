"""The same source with one safeguard taken out: a suite that still passes proves nothing."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.support.stack import ROOT

PACKAGES = ("contracts", "devstack", "gateway", "infra", "operations", "web", "workers")


@dataclass(frozen=True)
class Cut:
    """What stands in a file, and what stands there instead."""

    file: str
    before: str
    after: str


WITHOUT_INBOX = (
    Cut("infra/messaging/batch_processor.py", "if message_id in known:", "if False:"),
    Cut(
        "infra/messaging/message_rows.py",
        """if row["settled"] != len(settled):""",
        "if False:",
    ),
)


def mutated(folder: Path, cuts: tuple[Cut, ...]) -> Path:
    """A copy of the source, cut. Fails when there is nothing to cut."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package)
    for cut in cuts:
        path = folder / cut.file
        text = path.read_text("utf-8")
        assert text.count(cut.before) == 1, f"{cut.file} has no single {cut.before!r} any more"
        path.write_text(text.replace(cut.before, cut.after), "utf-8")
    return folder


GIVES_UP_A_PART = (
    Cut(
        "devstack/supervisor/process.py",
        'except Exception as error:\n            log.exception("process_not_started"',
        'except KeyError as error:\n            log.exception("process_not_started"',
    ),
)
LOG_LINES_THAT_RAISE = (
    Cut(
        "infra/observability/log_output.py",
        "except (OSError, ValueError):\n            whole",
        "except KeyError:\n            whole",
    ),
    Cut(
        "infra/observability/log_output.py",
        "except Exception:  # noqa: BLE001  # a line",
        "except KeyError:  # a line",
    ),
)
RAISES_IN_THE_BATCH = (
    Cut(
        "infra/messaging/batch_processor.py",
        "# raised again when the rest is written\n            held = error",
        "# raised again when the rest is written\n            raise",
    ),
)
DEAD_LETTERS_WITHOUT_THEIR_OFFSET = (
    Cut(
        "infra/kafka/transactional_producer.py",
        """await self._producer.send_offsets_to_transaction(
                    {TopicPartition(*place): (offset, note)}, self._group
                )""",
        "assert place, (TopicPartition, offset, note)",
    ),
)
ONE_KEY_CANCELS_THE_OTHERS = (
    Cut(
        "infra/messaging/batch_processor.py",
        "        met = await asyncio.gather(*works, return_exceptions=True)\n",
        "        async with asyncio.TaskGroup() as tasks:\n"
        "            begun = [tasks.create_task(work) for work in works]\n"
        "        met = [task.exception() for task in begun]\n",
    ),
)
REFUSED_INPUT_IS_POISON = (
    Cut(
        "infra/messaging/sealed_data.py",
        'raise RefusedInputError("the content',
        'raise PoisonError("the content',
    ),
)
SET_ASIDE_IS_UNKNOWN = (
    Cut(
        "infra/messaging/transaction.py",
        "if await restored_database.unknown_messages(conn, self._consumer, [last]):",
        "if True:",
    ),
)
LEASES_WITHOUT_END = (
    Cut("workers/relay/store.py", "WHERE expires_at <= clock_timestamp()", "WHERE false"),
)
HUNG_SERVERS_NOT_REMEMBERED = (
    Cut(
        "infra/resilience/dependency_monitor.py",
        "        self._is_away(error)\n        self._suspected.set()",
        "        self._suspected.set()",
    ),
)
