"""Whose a mail is: leases, and senders whose database was away."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import pytest
from pydantic import SecretStr

from infra.mail.settings import MailSettings
from infra.mail.smtp import Smtp
from infra.mail.transport import DeliveryRecord, Mailer, OutgoingMail
from infra.postgres.pool import Pool, open_pool
from infra.runtime.settings import PostgresSettings
from tests.support.mail_server import MailServer
from tests.support.postgres import Database
from tests.support.tcp_proxy import TcpProxy, running_proxy
from tests.support.users import ADA
from tests.support.waiting import until
from tests.support.workers.mail_sending import all_are, sent_again, until_status
from tests.support.workers.verification_slice import FROM, StartSender, VerificationSlice
from workers.notifications import mail_queue
from workers.notifications import sender as loop
from workers.notifications.mail_queue import Claimed

BOB = "bob@example.com"
LEASE = timedelta(seconds=20)
FOR_GOOD = 3600.0
NOTICED = 3
"""Connections that fail: a client may make two for one question, with TLS and without."""


@dataclass(frozen=True)
class Far:
    """A sender's way to the database, apart from everybody else's."""

    proxy: TcpProxy
    pool: Pool


@dataclass
class Interrupted:
    """Something happens between the first claim and its mail's way to the server."""

    mailer: Mailer
    event: Callable[[], Awaitable[object]]
    happened: bool = False

    async def deliver(self, outgoing: OutgoingMail, journal: DeliveryRecord) -> None:
        if not self.happened:
            self.happened = True
            await self.event()
        await self.mailer.deliver(outgoing, journal)


@asynccontextmanager
async def far_from(database: Database) -> AsyncIterator[Far]:
    async with running_proxy(database.dsn("qnt9_verification")) as proxy:
        settings = PostgresSettings(postgres_dsn=SecretStr(proxy.url))
        async with open_pool(settings, instance="test-far") as pool:
            yield Far(proxy, pool)


@pytest.fixture
async def ways(deps: VerificationSlice) -> AsyncIterator[tuple[Far, Far]]:
    """For two senders."""
    async with far_from(deps.database) as one, far_from(deps.database) as other:
        yield one, other


async def test_a_mail_whose_sender_died_comes_again_when_its_lease_has_ended(
    deps: VerificationSlice,
    server: MailServer,
    start_sender: StartSender,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loop, "SETTLE_SECONDS", 0.1)
    before = sent_again()
    user_id, _ = await deps.signed_up()
    await deps.database.execute(
        """
        UPDATE mails
           SET status = 'sending', attempts = 1, leased_until = now() + interval '300 ms'
        """
    )
    await start_sender()
    await until_status(deps, user_id, "sent")
    (mail,) = await deps.mails(user_id)
    assert mail["attempts"] == 2
    assert sent_again() == before + 1


async def test_a_lease_is_renewed_while_the_server_takes_its_time(
    deps: VerificationSlice, server: MailServer, start_sender: StartSender
) -> None:
    server.open.clear()
    user_id, _ = await deps.signed_up()
    await start_sender(lease=timedelta(seconds=1))
    await until(lambda: server.asked == 1)
    (first,) = await deps.mails(user_id)

    async def renewed() -> bool:
        (now,) = await deps.mails(user_id)
        return bool(now["leased_until"] - first["leased_until"] > timedelta(seconds=1))

    await until(renewed)
    assert server.asked == 1
    server.open.set()
    await until_status(deps, user_id, "sent")


async def test_what_was_taken_but_cannot_be_recorded_is_not_sent_again_meanwhile(
    deps: VerificationSlice, server: MailServer, start_sender: StartSender
) -> None:
    await deps.database.execute(
        """
        REVOKE UPDATE ON mails FROM qnt9_verification;
        GRANT UPDATE (status, attempts, next_attempt_at, leased_until, last_error)
           ON mails TO qnt9_verification
        """
    )
    user_id, _ = await deps.signed_up()
    await start_sender()
    await until(lambda: len(server.taken) == 1)
    await deps.database.execute("UPDATE mails SET leased_until = now() - interval '1 s'")
    bob, _ = await deps.signed_up("bob@example.com")
    await until(lambda: len(server.taken) == 2)
    await deps.database.execute("GRANT UPDATE ON mails TO qnt9_verification")
    await until_status(deps, user_id, "sent")
    await until_status(deps, bob, "sent")
    assert sorted(taken.recipient for taken in server.taken) == [ADA, "bob@example.com"]


async def test_a_mail_that_was_cancelled_while_it_was_claimed_does_not_go(
    deps: VerificationSlice,
    server: MailServer,
    start_sender: StartSender,
    capsys: pytest.CaptureFixture[str],
) -> None:
    smtp = Smtp(MailSettings.model_validate({"smtp_url": server.url, "mail_from": FROM}))
    user_id, _ = await deps.signed_up()
    await deps.hours_pass()
    sender = await start_sender(mailer=Interrupted(smtp, deps.ask_again))
    await until(lambda: all_are(deps, "sent", "cancelled"))
    await sender.stop()  # the other one may be on its way yet
    newest, cancelled = await deps.mails(user_id)
    assert (newest["status"], cancelled["status"]) == ("sent", "cancelled")
    assert cancelled["attempts"] == 1
    (taken,) = server.taken
    assert taken.mail["Message-ID"] == newest["message_id"]
    assert "".join(capsys.readouterr()).count("mail_dropped") == 1


async def test_a_mail_is_renewed_by_whose_it_is_also_after_its_lease(
    deps: VerificationSlice,
) -> None:
    mail = await claimed(deps)
    await end_leases(deps)
    await renew(deps, mail)
    assert await leased(deps)


@pytest.mark.parametrize(
    "change",
    [
        "leased_until = now() - interval '1 s', attempts = attempts + 1",
        "leased_until = NULL",
        "leased_until = now() - interval '1 s', status = 'sent'",
    ],
    ids=["another's", "let go", "done"],
)
async def test_a_mail_that_is_its_senders_no_longer_is_not_renewed(
    deps: VerificationSlice, change: str
) -> None:
    mail = await claimed(deps)
    await deps.database.execute(f"UPDATE mails SET {change}")
    await renew(deps, mail)
    assert not await leased(deps)


async def test_a_sender_that_has_just_come_takes_over_no_mail_of_another(
    deps: VerificationSlice, server: MailServer, start_sender: StartSender, ways: tuple[Far, Far]
) -> None:
    first, _ = ways
    ada = await with_a_mail_before_the_server(deps, server, start_sender, first)
    await first.proxy.cut()
    server.open.set()
    await until(lambda: len(server.taken) == 1)
    await end_leases(deps)
    await start_sender()
    bob, _ = await deps.signed_up(BOB)
    await until_status(deps, bob, "sent")
    first.proxy.mend()
    await until_status(deps, ada, "sent")
    assert [taken.recipient for taken in server.taken] == [ADA, BOB]


async def test_a_database_that_was_away_makes_no_second_mail_anyone_who_reaches_it_first(
    deps: VerificationSlice,
    server: MailServer,
    start_sender: StartSender,
    ways: tuple[Far, Far],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second = ways
    monkeypatch.setattr(loop, "SETTLE_SECONDS", 0.0)
    ada = await with_a_mail_before_the_server(deps, server, start_sender, first)
    await start_sender(pool=second.pool)
    await first.proxy.cut()
    await second.proxy.cut()
    monkeypatch.setattr(loop, "SETTLE_SECONDS", FOR_GOOD)
    server.open.set()
    await until(lambda: len(server.taken) == 1)
    await until(lambda: second.proxy.dropped >= NOTICED)
    await end_leases(deps)
    second.proxy.mend()
    bob, _ = await deps.signed_up(BOB)
    await until_status(deps, bob, "sent")
    first.proxy.mend()
    await until_status(deps, ada, "sent")
    assert [taken.recipient for taken in server.taken] == [ADA, BOB]


async def with_a_mail_before_the_server(
    deps: VerificationSlice, server: MailServer, start_sender: StartSender, far: Far
) -> UUID:
    """Whose mail it is: one sender has handed it over, and has not heard of it yet."""
    server.open.clear()
    ada, _ = await deps.signed_up()
    await start_sender(pool=far.pool)
    await until(lambda: server.asked == 1)
    return ada


async def end_leases(deps: VerificationSlice) -> None:
    """As if the time had passed."""
    await deps.database.execute("UPDATE mails SET leased_until = now() - interval '1 s'")


async def claimed(deps: VerificationSlice) -> Claimed:
    await deps.signed_up()
    pool = await deps.database.pool("qnt9_verification")
    async with pool.acquire() as conn:
        (mail,) = await mail_queue.claim(conn, 1, LEASE, [], ended_leases=False)
    return mail


async def renew(deps: VerificationSlice, mail: Claimed) -> None:
    pool = await deps.database.pool("qnt9_verification")
    async with pool.acquire() as conn:
        await mail_queue.renew(conn, LEASE, [mail])


async def leased(deps: VerificationSlice) -> bool:
    return bool(await deps.database.fetch("SELECT FROM mails WHERE leased_until > now()"))
