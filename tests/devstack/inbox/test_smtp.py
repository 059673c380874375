from email.message import EmailMessage
from pathlib import Path

import aiosmtplib
import pytest

from devstack.inbox.mailbox import Mailbox
from devstack.inbox.message import Delivery
from tests.support.devstack.inbox_client import Inbox, a_mail, running_inbox


async def test_a_mail_is_shown_with_its_parts(inbox: Inbox) -> None:
    mail = a_mail(
        subject="Grüße", text="Link: https://example.com/verify?token=a-b_c", html="<p>ö</p>"
    )
    await inbox.receive(mail)
    (displayed,) = await inbox.messages()
    assert displayed.pop("id")
    assert displayed.pop("date").endswith("Z")
    assert displayed == {
        "message_id": mail["Message-ID"],
        "to": "ada@example.com",
        "subject": "Grüße",
        "text": "Link: https://example.com/verify?token=a-b_c\n",
        "html": "<p>ö</p>\n",
    }


async def test_the_recipient_is_who_it_was_delivered_to_whatever_the_headers_say(
    inbox: Inbox,
) -> None:
    mail = a_mail(to="somebody@example.com")
    mail["Delivered-To"] = "forged@example.com"
    await inbox.receive(mail, "eve@example.com", "bob@example.com")
    assert [m["to"] for m in await inbox.messages()] == ["eve@example.com, bob@example.com"]
    assert await inbox.messages(to="forged@example.com") == []
    assert len(await inbox.messages(to="BOB@example.com")) == 1


async def test_an_address_and_headers_beyond_ascii_are_kept(inbox: Inbox) -> None:
    content = "To: dörte@exämple.com\r\nSubject: Größe\r\n\r\nstraße\r\n".encode()
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=inbox.smtp_port, start_tls=False) as smtp:
        await smtp.ehlo()
        assert smtp.supports_extension("smtputf8")
        assert smtp.supports_extension("8bitmime")
        await smtp.mail(
            "no-reply@example.com", options=["SMTPUTF8", "BODY=8BITMIME"], encoding="utf-8"
        )
        await smtp.rcpt("dörte@exämple.com", encoding="utf-8")
        await smtp.data(content)
    (displayed,) = await inbox.messages(to="dörte@exämple.com")
    assert (displayed["to"], displayed["subject"]) == ("dörte@exämple.com", "Größe")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no headers at all",
        b"Content-Type: text/plain; charset=x-unknown\r\n\r\n\xff\xfe",
        b"Content-Type: multipart/mixed; boundary=never\r\n\r\n--other\r\n",
        b"From: =?utf-8?q?=ZZ?= <@@>, <\r\nTo: ,,;<\r\nMessage-ID: <<>\r\nDate: never\r\n\r\nx",
        b"Content-Transfer-Encoding: base64\r\nContent-Type: text/html\r\n\r\n!!!",
    ],
)
async def test_a_malformed_mail_is_kept_and_shown_all_the_same(
    inbox: Inbox, content: bytes
) -> None:
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=inbox.smtp_port, start_tls=False) as smtp:
        await smtp.sendmail("a@example.com", "b@example.com", content)
    (displayed,) = await inbox.messages()
    assert displayed["to"] == "b@example.com"
    assert (await inbox.http.get(f"/messages/{displayed['id']}")).status_code == 200


async def test_what_was_accepted_is_there_after_a_restart(tmp_path: Path) -> None:
    async with running_inbox(tmp_path) as first:
        await first.receive(a_mail(subject="one"))
        await first.receive(a_mail(subject="two"))
        before = await first.messages()
    async with running_inbox(tmp_path) as second:
        assert await second.messages() == before
        await second.receive(a_mail(subject="three"))
        assert [m["subject"] for m in await second.messages()] == ["three", "two", "one"]


async def test_a_mail_that_cannot_be_kept_is_refused_for_now(inbox: Inbox) -> None:
    inbox.folder.rmdir()
    with pytest.raises(aiosmtplib.SMTPDataError) as refusal:
        await inbox.receive(a_mail())
    assert refusal.value.code == 452
    inbox.folder.mkdir()
    await inbox.receive(a_mail())
    assert len(await inbox.messages()) == 1


def test_the_mail_is_on_the_disk_before_it_is_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr("os.fsync", synced.append)
    Mailbox(tmp_path).keep(Delivery("a@example.com", ("b@example.com",)), bytes(EmailMessage()))
    assert len(synced) == 2, "the file and its folder"


def test_what_a_crash_left_half_written_was_never_accepted_and_goes(tmp_path: Path) -> None:
    (tmp_path / "0000000000000001.part").write_bytes(b"half a ma")
    assert Mailbox(tmp_path).messages() == []
    assert list(tmp_path.iterdir()) == []
