"""The sender with SendGrid's API for its way out: it knows no difference."""

from collections.abc import AsyncIterator

import pytest

from contracts.events import UserMailFailed
from infra.mail.settings import MailSettings
from infra.mail.transport import Mailer
from infra.mail.transport_factory import open_mailer
from tests.support.outbox import events
from tests.support.sendgrid_server import KEY, Answer, Drop, SendGridApi, an_error, running_sendgrid
from tests.support.users import ADA
from tests.support.waiting import until
from tests.support.workers.mail_sending import sent_again, tried, until_status
from tests.support.workers.verification_slice import FROM, StartSender, VerificationSlice


@pytest.fixture
async def api() -> AsyncIterator[SendGridApi]:
    async with running_sendgrid() as running:
        yield running


@pytest.fixture
async def mailer(api: SendGridApi) -> AsyncIterator[Mailer]:
    given = {"mail_from": FROM, "mail_transport": "sendgrid", "sendgrid_key": KEY}
    given |= {"environment": "development", "sendgrid_url": api.url}
    async with open_mailer(MailSettings.model_validate(given)) as opened:
        yield opened


async def test_a_queued_mail_is_sent_once_with_its_link(
    deps: VerificationSlice, api: SendGridApi, mailer: Mailer, start_sender: StartSender
) -> None:
    user_id, token = await deps.signed_up()
    await start_sender(mailer=mailer)
    await until_status(deps, user_id, "sent")
    (sent,) = api.taken
    (mail,) = await deps.mails(user_id)
    assert sent.recipient == ADA
    assert sent.headers["Message-ID"] == mail["message_id"]
    assert sent.custom_args == {"mail_id": str(mail["id"])}
    assert f"https://qnt9.example.com/verify?token={token}" in sent.part("plain").splitlines()
    assert (await deps.redeem(token))["code"] == "proof-required"


async def test_mail_waits_while_the_api_is_away_and_leaves_once_it_is_back(
    deps: VerificationSlice, api: SendGridApi, mailer: Mailer, start_sender: StartSender
) -> None:
    before = sent_again()
    await api.stop()
    sender = await start_sender(mailer=mailer)
    user_id, _ = await deps.signed_up()
    await until(lambda: tried(deps, 3))
    (mail,) = await deps.mails(user_id)
    assert (mail["status"], mail["last_error"]) == ("queued", "cannot connect")
    assert sender.delivery_health.describe()["deferred_because"] == "cannot connect"
    api.script += [Answer(503), Answer(429), Answer(503)]
    await api.start()
    await until_status(deps, user_id, "sent")
    assert len(api.taken) == 1
    assert sent_again() == before, "it was said each time that it was not taken"
    await until(lambda: sender.delivery_health.describe()["deferred_because"] is None)
    assert not await events(deps.database)


async def test_a_connection_lost_after_the_mail_is_answered_with_the_same_mail(
    deps: VerificationSlice, api: SendGridApi, mailer: Mailer, start_sender: StartSender
) -> None:
    before = sent_again()
    api.script.append(Drop(keeps=True))
    user_id, _ = await deps.signed_up()
    await start_sender(mailer=mailer)
    await until_status(deps, user_id, "sent")
    assert len(api.taken) == 2
    assert api.bodies[0] == api.bodies[1]
    assert sent_again() == before + 1


async def test_a_wrong_key_ends_no_mail_and_is_reported_until_it_is_right(
    deps: VerificationSlice,
    api: SendGridApi,
    mailer: Mailer,
    start_sender: StartSender,
    capsys: pytest.CaptureFixture[str],
) -> None:
    api.key = "another"
    sender = await start_sender(mailer=mailer)
    user_id, token = await deps.signed_up()
    await until(lambda: tried(deps, 3))
    reported = {"deferred_because": "401", "needs_an_operator": True}
    assert sender.delivery_health.describe() == reported
    api.key = KEY
    await until_status(deps, user_id, "sent")
    logged = "".join(capsys.readouterr())
    assert logged.count("mail_needs_an_operator") == 1
    assert not {each for each in (KEY, ADA, token) if each in logged}
    assert not await events(deps.database)


async def test_other_mails_wait_too_while_it_asks_to_be_left_alone(
    deps: VerificationSlice, api: SendGridApi, mailer: Mailer, start_sender: StartSender
) -> None:
    api.script.append(Answer(429, {"Retry-After": "1"}))
    sender = await start_sender(mailer=mailer)
    ada, _ = await deps.signed_up()
    await until(lambda: sender.delivery_health.held)
    bob, _ = await deps.signed_up("bob@example.com")
    looks = 0
    while (status := await deps.status(bob), sender.delivery_health.held)[1]:
        looks += 1
        assert len(api.heads) == 1, "asked again too early"
        assert status == "queued"
    assert looks
    await until_status(deps, ada, "sent")
    await until_status(deps, bob, "sent")


async def test_a_recipient_refused_for_good_fails_at_once_with_an_event(
    deps: VerificationSlice, api: SendGridApi, mailer: Mailer, start_sender: StartSender
) -> None:
    api.script.append(an_error(400, "personalizations.0.to.0.email"))
    user_id, _ = await deps.signed_up()
    await start_sender(mailer=mailer)
    await until_status(deps, user_id, "failed")
    (mail,) = await deps.mails(user_id)
    assert mail["last_error"] == "400 personalizations.0.to.0.email"
    (event,) = await events(deps.database)
    assert isinstance(event, UserMailFailed)
