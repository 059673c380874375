"""`qnt9 audit verify` on the running system: whole under load and kills, and not after a hand's
work on the table.
"""

import asyncio
import json
from pathlib import Path
from typing import Any

from contracts.topics import AUDIT_CHECKPOINTS
from infra.messaging.record_reader import headers_as_text
from tests.support.e2e.audit_changes import changed
from tests.support.e2e.outages import stopped
from tests.support.stack import Stack
from tests.support.waiting import eventually


async def checkpoints(stack: Stack) -> list[dict[str, Any]]:
    return [json.loads(record.value) for record in await stack.records(AUDIT_CHECKPOINTS.name)]


async def verified(stack: Stack, *options: str) -> tuple[int, dict[str, Any]]:
    done = await asyncio.to_thread(stack.run, "audit", "verify", "--json", *options)
    return done.returncode, json.loads(done.stdout)


async def test_the_log_is_whole_while_it_grows_and_after_its_worker_is_killed(
    stack: Stack, tmp_path: Path
) -> None:
    user = await stack.verified_user()
    async with stack.http(headers=user.headers) as http:

        async def changes() -> None:
            for number in range(60):
                body = {"note": str(number)}
                assert (await http.put("/api/v1/watchlist/AAPL", json=body)).is_success

        writing = asyncio.create_task(changes())
        await asyncio.to_thread(stack.kill, "audit")
        code, report = await verified(stack)
        assert (code, report["faults"]) == (0, [])
        await writing
    async with stopped(stack, "audit"):
        code, report = await verified(stack)
        assert (code, report["whole"]) == (0, True)
        assert report["newest_checkpoint"]["entries"] == report["entries"]
    kept = tmp_path / "kept.jws"
    kept.write_text(await asyncio.to_thread(stack.qnt9, "audit", "checkpoint"), "utf-8")
    async with changed(stack) as event_id:
        code, report = await verified(stack, "--checkpoints", str(kept))
        assert (code, report["whole"]) == (1, False)
        assert [fault for fault in report["faults"] if event_id in fault]
    code, report = await verified(stack, "--checkpoints", str(kept))
    assert (code, report["faults"]) == (0, [])


async def test_a_checkpoint_that_no_one_signed_is_named(stack: Stack, tmp_path: Path) -> None:
    forged = tmp_path / "forged.jws"
    forged.write_text("not.a.checkpoint\n", "utf-8")
    code, report = await verified(stack, "--checkpoints", str(forged))
    assert code == 1
    assert report["faults"] == ["checkpoint 1: no checkpoint: DecodeError"]


async def test_checkpoints_are_events_with_an_envelope(stack: Stack) -> None:
    async def made() -> list[Any]:
        return await stack.records(AUDIT_CHECKPOINTS.name)

    await stack.verified_user()
    await stack.restart("audit")
    record = (await eventually(made, seconds=60, what="a checkpoint"))[-1]
    headers = headers_as_text(record)
    assert headers["ce_type"] == "qnt9.audit.checkpointed.v1"
    assert json.loads(record.value).keys() == {"client", "root", "entries", "signed"}


async def test_rows_that_were_taken_out_come_back_from_the_topics(stack: Stack) -> None:
    user = await stack.verified_user()
    async with stack.http(headers=user.headers) as http:
        for symbol in ("AAPL", "MSFT", "SAP.DE"):
            assert (await http.put(f"/api/v1/watchlist/{symbol}", json={})).is_success
    refused = await asyncio.to_thread(stack.run, "rebuild", "audit")
    assert refused.returncode == 1
    assert "is at work" in refused.stderr
    async with stopped(stack, "audit"):
        async with stack.postgres() as conn:
            gone = await conn.fetch(
                """
                DELETE FROM audit_log
                 WHERE event_id IN (SELECT event_id FROM audit_log WHERE action LIKE 'watchlist.%'
                                     ORDER BY created_at DESC LIMIT 3)
                RETURNING event_id, ip_address
                """
            )
            code, report = await verified(stack)
            assert code == 1
            missing = {f"event {row['event_id']}, is not in the log" for row in gone}
            assert any(each in fault for each in missing for fault in report["faults"])
        counted = await asyncio.to_thread(stack.qnt9, "rebuild", "audit", "--dry-run")
        assert "nothing was changed" in counted
        done = await asyncio.to_thread(stack.qnt9, "rebuild", "audit", "--reason", "rows gone")
        assert int(counted.split()[0]) == int(done.split()[0]) >= len(gone)

    async def whole() -> bool:
        code, report = await verified(stack)
        return code == 0 and bool(report["whole"])

    await eventually(whole, seconds=60, what="a log that is whole again")
    async with stack.postgres() as conn:
        back = await conn.fetch(
            "SELECT event_id, ip_address FROM audit_log WHERE event_id = ANY($1)",
            [row["event_id"] for row in gone],
        )
        assert {tuple(row) for row in back} == {tuple(row) for row in gone}
        why = "SELECT count(*) FROM audit_log WHERE details ->> 'reason' = 'rows gone'"
        assert await conn.fetchval(why)
