"""The adapter against a stand-in that is as strict as the documentation."""

import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from infra.mail import sendgrid
from infra.mail.sendgrid import SendGrid, open_sendgrid
from infra.mail.settings import MailSettings
from infra.mail.smtp import Smtp
from infra.mail.transport import DeferredError, Mailer, RefusedError
from infra.mail.transport_factory import open_mailer
from tests.support.infra.mail_builders import Note, a_plain_mail, an_outgoing_mail
from tests.support.sendgrid_server import (
    KEY,
    Answer,
    Drip,
    Drop,
    Hang,
    SendGridApi,
    an_error,
    running_sendgrid,
)
from tests.support.workers.verification_slice import FROM, MAIL_KEY, PUBLIC_URL
from workers.notifications.mail_templates import Messages

SECONDS = 5.0


def settings_for(url: str, **more: object) -> MailSettings:
    given = {"mail_from": FROM, "mail_transport": "sendgrid", "sendgrid_key": KEY}
    given |= {"environment": "development", "sendgrid_url": url}
    return MailSettings.model_validate(given | more)


@pytest.fixture
async def api() -> AsyncIterator[SendGridApi]:
    async with running_sendgrid() as running:
        yield running


@pytest.fixture
async def mailer(api: SendGridApi) -> AsyncIterator[Mailer]:
    settings = settings_for(api.url, sendgrid_seconds=SECONDS)
    async with open_mailer(settings) as opened:
        yield opened


async def deferred(mailer: Mailer) -> tuple[DeferredError, Note]:
    note = Note()
    with pytest.raises(DeferredError) as raised:
        await mailer.deliver(an_outgoing_mail(), note)
    return raised.value, note


async def test_the_settings_say_which_way_mail_leaves(api: SendGridApi) -> None:
    async with open_mailer(settings_for(api.url)) as mailer:
        assert isinstance(mailer, SendGrid)
    by_smtp = {"mail_from": FROM, "smtp_url": "smtps://mail.example.com"}
    async with open_mailer(MailSettings.model_validate(by_smtp)) as mailer:
        assert isinstance(mailer, Smtp)


async def test_a_mail_is_posted_as_the_documentation_has_it(
    api: SendGridApi, mailer: Mailer
) -> None:
    outgoing, note = an_outgoing_mail(name="Ada"), Note()
    await mailer.deliver(outgoing, note)
    assert note.lines == ["sending", "sent"]
    (sent,), (head,) = api.taken, api.heads
    assert head["accept"] == "application/json"
    assert head["content-length"] == str(len(api.bodies[0]))
    assert "transfer-encoding" not in head
    plain, html = (part.get_content() for part in outgoing.content.iter_parts())
    assert sent.model_dump(by_alias=True) == {
        "personalizations": [{"to": [{"email": "ada@example.com", "name": None}]}],
        "from": {"email": "no-reply@example.com", "name": "QNT9"},
        "subject": "Confirm your e-mail address",
        "content": [
            {"type": "text/plain", "value": plain},
            {"type": "text/html", "value": html},
        ],
        "headers": {
            "Message-ID": outgoing.content["Message-ID"],
            "Auto-Submitted": "auto-generated",
        },
        "categories": ["verify"],
        "custom_args": {"mail_id": str(outgoing.id)},
        "tracking_settings": {
            "click_tracking": {"enable": False, "enable_text": False},
            "open_tracking": {"enable": False},
            "subscription_tracking": {"enable": False},
            "ganalytics": {"enable": False},
        },
    }
    assert "https://qnt9.example.com/verify?token=" in sent.part("plain")


async def test_names_and_addresses_beyond_ascii_go_as_they_are(
    api: SendGridApi, mailer: Mailer
) -> None:
    mail_from = '"Börse, Zürich" <no-reply@example.com>'
    writer = Messages(mail_from=mail_from, public_url=PUBLIC_URL, key=MAIL_KEY)
    await mailer.deliver(
        an_outgoing_mail("dörte@bücher.example", name="Dörte 🦉", by=writer), Note()
    )
    (sent,) = api.taken
    assert sent.recipient == "dörte@bücher.example"
    assert sent.from_.name == '"Börse, Zürich"', "in quotes, lest it be read as two"
    assert '"Dörte 🦉"' in sent.part("plain")
    assert "Dörte 🦉" in sent.part("html")


async def test_a_sender_without_a_name_has_none(api: SendGridApi, mailer: Mailer) -> None:
    await mailer.deliver(a_plain_mail(From="no-reply@example.com"), Note())
    assert '"from":{"email":"no-reply@example.com"}' in api.bodies[0].decode()


async def test_no_line_break_leaves_in_a_field(api: SendGridApi, mailer: Mailer) -> None:
    outgoing = a_plain_mail()
    object.__setattr__(outgoing, "recipient", "ada@example.com\r\nBcc: eve@example.com")
    note = Note()
    with pytest.raises(RefusedError, match="line break") as refused:
        await mailer.deliver(outgoing, note)
    assert "@" not in str(refused.value)
    assert not note.lines
    assert not api.heads


async def test_the_same_mail_is_the_same_request_and_connections_serve_again(
    api: SendGridApi, mailer: Mailer
) -> None:
    outgoing = an_outgoing_mail()
    for _ in range(3):
        await mailer.deliver(outgoing, Note())
    assert len(set(api.bodies)) == 1
    assert api.connections == 1


async def test_a_mail_that_may_not_go_is_not_handed_over(api: SendGridApi, mailer: Mailer) -> None:
    note = Note(may_go=False)
    await mailer.deliver(an_outgoing_mail(), note)
    assert note.lines == ["sending"]
    assert not api.taken
    await mailer.deliver(an_outgoing_mail(), Note())
    assert len(api.taken) == 1


async def test_nothing_is_noted_while_nobody_can_have_it(api: SendGridApi, mailer: Mailer) -> None:
    await api.stop()
    error, note = await deferred(mailer)
    assert (str(error), error.perhaps_taken, error.ours) == ("cannot connect", False, False)
    assert not note.lines


@pytest.mark.parametrize("keeps", [True, False])
async def test_a_connection_lost_after_the_mail_leaves_it_open_whether_it_was_taken(
    api: SendGridApi, mailer: Mailer, keeps: bool
) -> None:
    api.script.append(Drop(keeps=keeps))
    error, note = await deferred(mailer)
    assert error.perhaps_taken
    assert note.lines == ["sending"]


async def test_an_answer_that_does_not_begin_is_left_in_time(
    api: SendGridApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.script += [Drip(), Drip()]
    async with open_sendgrid(settings_for(api.url, sendgrid_seconds=0.1)) as mailer:
        error, _ = await deferred(mailer)
        assert (str(error), error.perhaps_taken) == ("timeout", True)
    monkeypatch.setattr(sendgrid, "DELIVERY_SECONDS", 0.1)
    async with open_sendgrid(settings_for(api.url)) as mailer:
        error, _ = await deferred(mailer)
        assert (str(error), error.perhaps_taken) == ("timeout", True)


async def test_what_is_accepted_is_sent_however_the_answer_ends(
    api: SendGridApi, mailer: Mailer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sendgrid, "TOLD_SECONDS", 0.1)
    api.script.append(Hang())
    note = Note()
    await mailer.deliver(an_outgoing_mail(), note)
    assert note.lines == ["sending", "sent"]


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_what_fails_there_is_tried_later(
    api: SendGridApi, mailer: Mailer, status: int
) -> None:
    api.script.append(Answer(status, body=b"<html>ada@example.com"))
    error, _ = await deferred(mailer)
    assert str(error) == str(status)
    assert not error.ours
    assert error.wait_seconds is None
    assert error.perhaps_taken == (status != 503)


def in_a_minute() -> datetime:
    return datetime.now(UTC) + timedelta(seconds=60)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("form", ["seconds", "date"])
async def test_it_is_left_alone_for_as_long_as_it_asks(
    api: SendGridApi, mailer: Mailer, status: int, form: str
) -> None:
    value = "60" if form == "seconds" else format_datetime(in_a_minute(), usegmt=True)
    api.script.append(Answer(status, {"Retry-After": value}))
    error, _ = await deferred(mailer)
    assert not error.perhaps_taken
    assert error.wait_seconds == pytest.approx(60, abs=3)


async def test_a_limit_says_when_its_period_ends(api: SendGridApi, mailer: Mailer) -> None:
    reset = str(int(in_a_minute().timestamp()))
    api.script.append(Answer(429, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}))
    error, _ = await deferred(mailer)
    assert error.wait_seconds == pytest.approx(60, abs=3)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-RateLimit-Reset": "1392815263"},
        {"X-RateLimit-Reset": "soon"},
        {"Retry-After": "-1"},
        {"Retry-After": "0"},
    ],
    ids=str,
)
async def test_a_limit_that_says_nothing_of_use_is_waited_for_as_any_failure(
    api: SendGridApi, mailer: Mailer, headers: dict[str, str]
) -> None:
    api.script.append(Answer(429, headers))
    error, _ = await deferred(mailer)
    assert (str(error), error.wait_seconds, error.ours) == ("429", None, False)


async def test_a_key_that_is_wrong_is_a_fault_to_mend_not_the_mails(
    api: SendGridApi, mailer: Mailer
) -> None:
    api.key = "another"
    error, _ = await deferred(mailer)
    assert (str(error), error.ours, error.perhaps_taken) == ("401", True, False)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (an_error(403, None), "403"),
        (an_error(400, "from"), "400 from"),
        (an_error(400, "from.email", "subject"), "400 from.email subject"),
        (Answer(301, {"Location": "https://eve.example.com/"}), "301"),
        (Answer(404), "404"),
        (Answer(406), "406"),
        (Answer(200, body=b"{}"), "200"),
    ],
    ids=str,
)
async def test_what_an_operator_can_mend_waits(
    api: SendGridApi, mailer: Mailer, answer: Answer, reason: str
) -> None:
    api.script.append(answer)
    error, note = await deferred(mailer)
    assert (str(error), error.ours) == (reason, True)
    assert error.perhaps_taken == (answer.status == 200)
    assert note.lines == ["sending"]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (an_error(400, "personalizations.0.to.0.email"), "400 personalizations.0.to.0.email"),
        (an_error(400, None), "400"),
        (an_error(400, "ada@example.com", "ada.example.com", "subject"), "400 subject"),
        (an_error(400, *["subject"] * 9), "400 subject"),
        (Answer(400, body=b"<html>ada@example.com"), "400"),
        (Answer(400, body=b"[" * 70_000), "400"),
        (Answer(400, body=b'{"errors": {"field": "x"}}'), "400"),
        (Answer(413, body=b"<html>413 Request Entity Too Large"), "413"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_mail_that_is_refused_is_refused_for_good_and_says_no_address(
    api: SendGridApi, mailer: Mailer, answer: Answer, reason: str
) -> None:
    api.script.append(answer)
    with pytest.raises(RefusedError) as refused:
        await mailer.deliver(an_outgoing_mail(), Note())
    assert str(refused.value) == reason


async def test_an_address_that_it_does_not_take_is_refused(
    api: SendGridApi, mailer: Mailer
) -> None:
    outgoing = a_plain_mail()
    object.__setattr__(outgoing, "recipient", "nobody")
    with pytest.raises(RefusedError, match=r"^400 personalizations\.0\.to\.0\.email$"):
        await mailer.deliver(outgoing, Note())


async def test_what_is_too_large_is_refused(api: SendGridApi, mailer: Mailer) -> None:
    outgoing = a_plain_mail(Subject="x" * 2**20)
    with pytest.raises(RefusedError, match=r"^413$"):
        await mailer.deliver(outgoing, Note())


async def test_neither_key_nor_address_is_told_to_anybody(
    api: SendGridApi, mailer: Mailer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await mailer.deliver(an_outgoing_mail(), Note())
    api.script += [an_error(401, "ada@example.com"), Drop()]
    for _ in range(2):
        error, _ = await deferred(mailer)
        assert KEY not in repr(error)
        assert error.__cause__ is None
    told = caplog.text + repr(mailer) + repr(settings_for(api.url)) + repr(an_outgoing_mail())
    assert KEY not in told
    assert "ada@example.com" not in told
