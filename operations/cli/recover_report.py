"""What `qnt9 recover` has found, for people and for scripts."""

from typing import Any

from operations.cli.tables import table
from operations.recovery.loss import KafkaLoss
from operations.recovery.survey import Gap, Survey

LOST_FOR_GOOD = (
    "cannot be had again: commands that were waiting in a part of Kafka that is lost, whatever "
    "their clients were told (send them again with the same Idempotency-Key), and checkpoints "
    "on audit.checkpoints (those that you kept elsewhere still prove the log)"
)


def displayed(found: Survey) -> str:
    """What the database has lost."""
    if found.is_current:
        return "the database knows everything that was read from Kafka"
    rows = [("GROUP", "TOPIC", "FROM", "BEFORE", "LOST")]
    lines = []
    for consumer, gaps in found.groups.items():
        rows += [_row(consumer.group, gap) for gap in gaps]
        lines += [
            f"{consumer.group}: {'/'.join(map(str, gap.place))} begins at {gap.begin}; what was "
            "lost before that is no longer in Kafka and cannot be had again"
            for gap in gaps
            if gap.cut
        ]
    rows += [_row("(events published)", gap) for gap in found.events]
    return "\n".join([table(rows, right=frozenset({2, 3, 4})), *lines])


def _row(group: str, gap: Gap) -> tuple[str, str, str, str, str]:
    place = "/".join(map(str, gap.place))
    return group, place, str(gap.point), str(gap.until), str(gap.lost)


def displayed_loss(loss: KafkaLoss) -> str:
    """What Kafka has lost, and what of it cannot be had again."""
    if loss.is_none:
        return "Kafka has every event that the audit log has"
    rows = [("TOPIC", "LOST BY KAFKA", "IN THE LOG", "GONE")]
    for each in loss.partitions:
        gone = each.changed + each.removed
        place = "/".join(map(str, each.place))
        rows.append((place, str(each.kept + gone), str(each.kept), str(gone)))
    if loss.unrecorded:
        rows.append(("(outbox)", str(loss.unrecorded), str(loss.unrecorded), "0"))
    return "\n".join([table(rows, right=frozenset({1, 2, 3})), *_cannot_be_had(loss)])


def _cannot_be_had(loss: KafkaLoss) -> list[str]:
    lines = [LOST_FOR_GOOD]
    changed = sum(each.changed for each in loss.partitions)
    removed = sum(each.removed for each in loss.partitions)
    if changed:
        lines.append(
            f"cannot be had again: {changed} events whose rows are not as they were recorded; "
            "`qnt9 audit verify` names them"
        )
    if removed:
        lines.append(f"cannot be had again: {removed} events whose rows were removed from the log")
    if loss.parked:
        lines.append(
            f"{loss.parked} commands wait as dead letters; those whose dead letter is lost stay "
            "pending: `qnt9 dlq list` shows what is left"
        )
    return lines


def loss_facts(loss: KafkaLoss) -> dict[str, Any]:
    """For scripts."""
    return {
        "kafka": {
            "current": loss.is_none,
            "unrecorded": loss.unrecorded,
            "parked": loss.parked,
            "partitions": [
                {
                    "topic": each.place[0],
                    "partition": each.place[1],
                    "refillable": each.kept,
                    "changed": each.changed,
                    "removed": each.removed,
                }
                for each in loss.partitions
            ],
        }
    }
