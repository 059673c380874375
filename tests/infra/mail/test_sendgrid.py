"""The adapter against a stand-in that is as strict as the documentation."""

import pytest

from infra.mail import sendgrid
from infra.mail.sendgrid import SendGrid, open_sendgrid
from infra.mail.settings import MailSettings
from infra.mail.smtp import Smtp
from infra.mail.transport import Mailer, RefusedError
from infra.mail.transport_factory import open_mailer
from tests.support.infra.mail_builders import Note, a_plain_mail, an_outgoing_mail
from tests.support.infra.sendgrid import deferred, settings_for
from tests.support.sendgrid_server import (
    Drip,
    Drop,
    Hang,
    SendGridApi,
)
from tests.support.workers.verification_slice import FROM, MAIL_KEY, PUBLIC_URL
from workers.notifications.mail_templates import Messages


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


async def test_nothing_is_noted_while_no_one_can_have_it(api: SendGridApi, mailer: Mailer) -> None:
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
    monkeypatch.setattr(sendgrid, "READ_SECONDS", 0.1)
    api.script.append(Hang())
    note = Note()
    await mailer.deliver(an_outgoing_mail(), note)
    assert note.lines == ["sending", "sent"]
