"""What the SendGrid adapter makes of failures, limits and refusals."""

import logging
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from infra.mail.transport import Mailer, RefusedError
from tests.support.infra.mail_builders import Note, a_plain_mail, an_outgoing_mail
from tests.support.infra.sendgrid import deferred, settings_for
from tests.support.sendgrid_server import (
    KEY,
    Answer,
    Drop,
    SendGridApi,
    an_error,
)


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


async def test_a_key_that_is_wrong_is_a_fault_to_fix_not_the_mails(
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
async def test_what_an_operator_can_fix_waits(
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


async def test_neither_key_nor_address_is_reported_to_anyone(
    api: SendGridApi, mailer: Mailer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await mailer.deliver(an_outgoing_mail(), Note())
    api.script += [an_error(401, "ada@example.com"), Drop()]
    for _ in range(2):
        error, _ = await deferred(mailer)
        assert KEY not in repr(error)
        assert error.__cause__ is None
    reported = caplog.text + repr(mailer) + repr(settings_for(api.url)) + repr(an_outgoing_mail())
    assert KEY not in reported
    assert "ada@example.com" not in reported
