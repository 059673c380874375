"""The sender against a real server that refuses, defers, drops or is away."""

import asyncio
from typing import Any

import pytest

from contracts.events import UserMailFailed
from tests.support.mail_server import DROP, MailServer
from tests.support.outbox import events, written_events
from tests.support.users import ADA
from tests.support.waiting import until
from tests.support.workers.mail_sending import all_are, sent_again, tried, until_status
from tests.support.workers.verification_slice import QUICK, StartSender, VerificationSlice
from workers.notifications import sender as loop
from workers.notifications.rules import Retry


async def test_a_queued_mail_is_sent_once_with_its_link(
    deps: VerificationSlice, server: MailServer, start_sender: StartSender
) -> None:
    user_id, token = await deps.signed_up()
    await start_sender()
    await until_status(deps, user_id, "sent")
    (taken,) = server.taken
    assert taken.recipient == ADA
    assert f"https://qnt9.example.com/verify?token={token}" in taken.part("plain").splitlines()
    (mail,) = await deps.mails(user_id)
    assert taken.mail["Message-ID"] == mail["message_id"]
    assert mail["sent_at"]
    assert (mail["attempts"], mail["last_error"], mail["leased_until"]) == (1, None, None)
    assert (await deps.redeem(token))["code"] == "proof-required"


async def test_queueing_a_mail_wakes_it_long_before_the_clock(
    deps: VerificationSlice, server: MailServer, start_sender: StartSender
) -> None:
    await start_sender(poll=60)
    user_id, _ = await deps.signed_up()
    await until_status(deps, user_id, "sent")


async def test_mails_of_another_process_are_found_by_the_clock(
    deps: VerificationSlice, server: MailServer, start_sender: StartSender
) -> None:
    before = deps.parts
    await start_sender()
    deps.parts = before
    user_id, _ = await deps.signed_up()
    await until_status(deps, user_id, "sent")


async def test_many_mails_and_two_senders_send_each_once(
    deps: VerificationSlice, server: MailServer, start_sender: StartSender
) -> None:
    for n in range(30):
        await deps.signed_up(f"user-{n}@example.com")
    await start_sender()
    await start_sender()
    await until(lambda: len(server.taken) >= 30, seconds=30)
    await until(lambda: all_are(deps, "sent"))
    assert len({taken.recipient for taken in server.taken}) == len(server.taken) == 30


async def test_a_recipient_refused_for_good_fails_at_once_with_an_event(
    deps: VerificationSlice, server: MailServer, start_sender: StartSender
) -> None:
    server.at_recipient.append(f"550 5.1.1 <{ADA}> is nobody here")
    user_id, _ = await deps.signed_up()
    await start_sender()
    await until_status(deps, user_id, "failed")
    (mail,) = await deps.mails(user_id)
    assert (mail["attempts"], mail["last_error"]) == (1, "550 5.1.1")
    (written,) = await written_events(deps.database)
    assert written.event == UserMailFailed(
        user_id=user_id, mail_id=str(mail["id"]), template="verify"
    )
    assert written.about == str(user_id)
    assert not server.taken


async def test_content_refused_for_good_fails_at_once(
    deps: VerificationSlice, server: MailServer, start_sender: StartSender
) -> None:
    server.at_content.append("554 5.7.1 No")
    user_id, _ = await deps.signed_up()
    await start_sender()
    await until_status(deps, user_id, "failed")
    assert len(await events(deps.database)) == 1


async def test_a_relay_that_no_longer_knows_us_ends_no_mail_and_an_operator_is_called(
    deps: VerificationSlice,
    server: MailServer,
    start_sender: StartSender,
    capsys: pytest.CaptureFixture[str],
) -> None:
    server.at_recipient += [f"554 5.7.1 <{ADA}>: Relay access denied"] * 3
    user_id, _ = await deps.signed_up()
    await start_sender()
    await until_status(deps, user_id, "sent")
    (mail,) = await deps.mails(user_id)
    assert mail["attempts"] == 4
    assert "".join(capsys.readouterr()).count("mail_needs_an_operator") == 1
    assert not await events(deps.database)


async def test_what_is_deferred_is_tried_again_until_it_is_taken(
    deps: VerificationSlice, server: MailServer, start_sender: StartSender
) -> None:
    before = sent_again()
    server.at_recipient += ["450 4.2.1 Greylisted", "421 4.3.2 Closing"]
    server.at_content.append("451 4.3.0 Later")
    user_id, _ = await deps.signed_up()
    await start_sender()
    await until_status(deps, user_id, "sent")
    (mail,) = await deps.mails(user_id)
    assert mail["attempts"] == 4
    assert len(server.taken) == 1
    assert sent_again() == before, "the server had said that it was not taken"
    assert not await events(deps.database)


async def test_mail_waits_for_a_server_that_is_away_and_no_one_is_informed_of_a_failure(
    deps: VerificationSlice, server: MailServer, start_sender: StartSender
) -> None:
    await server.stop()
    sender = await start_sender()
    user_id, _ = await deps.signed_up()
    await until(lambda: tried(deps, 3))
    assert sender.alive
    (mail,) = await deps.mails(user_id)
    assert (mail["status"], mail["last_error"]) == ("queued", "cannot connect")
    await server.start()
    await until_status(deps, user_id, "sent")
    assert len(server.taken) == 1
    assert not await events(deps.database)


async def test_a_connection_lost_after_the_mail_is_answered_with_the_same_mail(
    deps: VerificationSlice, server: MailServer, start_sender: StartSender
) -> None:
    before = sent_again()
    server.at_content.append(DROP)
    user_id, _ = await deps.signed_up()
    await start_sender()
    await until_status(deps, user_id, "sent")
    first, second = server.taken
    assert first.content == second.content
    assert first.mail["Message-ID"] == second.mail["Message-ID"]
    assert sent_again() == before + 1


async def test_it_is_recorded_as_sending_before_anyone_can_have_it(
    deps: VerificationSlice, server: MailServer, start_sender: StartSender
) -> None:
    server.open.clear()
    user_id, _ = await deps.signed_up()
    await start_sender(poll=60)  # it claims nothing meanwhile
    await until(lambda: server.asked == 1)
    assert await deps.status(user_id) == "sending"
    assert not await transactions(deps), "one is open while the server has the mail"
    pool = await deps.database.pool("qnt9_verification")
    async with pool.acquire() as conn, conn.transaction():
        assert len(await transactions(deps)) == 1, "such a one would be seen"
    server.open.set()
    await until_status(deps, user_id, "sent")


async def test_stopping_finishes_the_mail_in_hand_and_takes_no_other(
    deps: VerificationSlice, server: MailServer, start_sender: StartSender
) -> None:
    server.open.clear()
    ada, _ = await deps.signed_up()
    sender = await start_sender(poll=60)  # it looks for no other meanwhile
    await until(lambda: server.asked == 1)
    stopping = asyncio.create_task(sender.stop())
    bob, _ = await deps.signed_up("bob@example.com")
    server.open.set()
    await stopping
    assert await deps.status(ada) == "sent"
    assert await deps.status(bob) == "queued"
    assert len(server.taken) == 1


async def test_stopping_does_not_wait_for_ever(
    deps: VerificationSlice,
    server: MailServer,
    start_sender: StartSender,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loop, "DRAIN_SECONDS", 0.1)
    server.open.clear()
    user_id, _ = await deps.signed_up()
    sender = await start_sender()
    await until(lambda: server.asked == 1)
    await sender.stop()
    assert await deps.status(user_id) == "sending"
    server.open.set()


async def test_a_person_who_was_erased_gets_no_mail(
    deps: VerificationSlice, server: MailServer, start_sender: StartSender
) -> None:
    user_id, _ = await deps.signed_up()
    await deps.database.execute("DELETE FROM personal_keys")
    await start_sender()
    await until_status(deps, user_id, "cancelled")
    assert not server.taken
    assert not await events(deps.database)


async def test_after_three_days_it_is_given_up_with_an_event(
    deps: VerificationSlice, server: MailServer, start_sender: StartSender
) -> None:
    await server.stop()
    user_id, _ = await deps.signed_up()
    await deps.database.execute("UPDATE mails SET created_at = now() - interval '72 h'")
    await start_sender(retry=Retry(first=QUICK.first, most=QUICK.most))
    await until_status(deps, user_id, "failed")
    (event,) = await events(deps.database)
    assert isinstance(event, UserMailFailed)


async def test_a_version_of_a_later_release_waits_for_that_release(
    deps: VerificationSlice, server: MailServer, start_sender: StartSender
) -> None:
    user_id, _ = await deps.signed_up()
    await deps.database.execute("UPDATE mails SET template_version = 99")
    await start_sender()
    await until(lambda: tried(deps, 2))
    await deps.database.execute("UPDATE mails SET template_version = 1")
    await until_status(deps, user_id, "sent")


async def test_a_server_that_hangs_is_left_in_time(
    deps: VerificationSlice, server: MailServer, start_sender: StartSender
) -> None:
    server.open.clear()
    user_id, _ = await deps.signed_up()
    await start_sender(seconds=0.2)
    await until(lambda: tried(deps, 2))
    server.open.set()
    await until_status(deps, user_id, "sent")


async def test_nothing_it_logs_holds_an_address_or_a_token(
    deps: VerificationSlice,
    server: MailServer,
    start_sender: StartSender,
    capsys: pytest.CaptureFixture[str],
) -> None:
    server.at_recipient += [f"450 4.2.1 <{ADA}> later", f"550 5.1.1 <{ADA}> never"]
    user_id, token = await deps.signed_up()
    await start_sender()
    await until_status(deps, user_id, "failed")
    logged = "".join(capsys.readouterr())
    assert "mail_ended" in logged
    assert ADA not in logged
    assert token not in logged


async def transactions(deps: VerificationSlice) -> list[dict[str, Any]]:
    """Open ones of the role: their locks are seen by everybody, unlike the states of sessions."""
    return await deps.database.fetch(
        """
        SELECT pid FROM pg_locks JOIN pg_stat_activity USING (pid)
         WHERE locktype = 'virtualxid' AND usename = 'qnt9_verification'
           AND datname = current_database()
        """
    )
