import asyncio

import pytest
from pydantic import ValidationError

from infra.mail.addresses import parse_sender
from infra.mail.settings import MailSettings
from infra.mail.smtp import Smtp
from infra.mail.transport import DeferredError, RefusedError
from tests.support.infra.mail_builders import Note, an_outgoing_mail
from tests.support.mail_server import running_mail_server
from tests.support.workers.verification_slice import FROM


def settings(url: str, **more: object) -> MailSettings:
    return MailSettings.model_validate({"smtp_url": url, "mail_from": FROM, **more})


@pytest.mark.parametrize(
    "url",
    [
        "smtp://mail.example.com",
        "smtp://127.0.0.1:2525",
        "smtps://user:p%40ss@mail.example.com:465/",
    ],
)
def test_a_server_is_given_by_its_url(url: str) -> None:
    given = settings(url, environment="development").smtp_url
    assert given
    assert given.get_secret_value() == url


@pytest.mark.parametrize(
    "url",
    [
        "http://mail.example.com",
        "smtp://",
        "smtp://mail.example.com/inbox",
        "smtp://user-alone@mail.example.com",
        "smtp://mail.example.com:99999",
    ],
)
def test_what_is_no_server_is_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        settings(url)


def test_a_password_goes_over_no_open_line_in_production() -> None:
    url = "smtp://user:canary-password@mail.example.com"
    with pytest.raises(ValidationError, match="STARTTLS") as error:
        settings(url)
    assert "canary" not in str(error.value)
    settings(url.replace("smtp:", "smtps:"))
    settings(url, environment="development")
    assert "canary" not in repr(settings(url, smtp_starttls=True))


@pytest.mark.parametrize("sender", ["QNT9 <no-reply@example.com>", "no-reply@example.com"])
def test_a_sender_is_one_address(sender: str) -> None:
    assert parse_sender(sender).addr_spec == "no-reply@example.com"


@pytest.mark.parametrize(
    "sender", ["", "QNT9", "a@example.com, b@example.com", "QNT9 <a@example.com>\r\nBcc: b@x.com"]
)
def test_what_is_no_sender_is_refused(sender: str) -> None:
    with pytest.raises(ValidationError):
        MailSettings.model_validate({"smtp_url": "smtp://mail.example.com", "mail_from": sender})


async def test_a_mail_that_may_not_go_is_not_handed_over() -> None:
    async with running_mail_server() as server:
        note = Note(may_go=False)
        await Smtp(settings(server.url)).deliver(an_outgoing_mail(), note)
        assert note.lines == ["sending"]
        assert not server.taken


async def test_an_address_beyond_ascii_goes_to_a_server_that_takes_it() -> None:
    async with running_mail_server() as server:
        note = Note()
        await Smtp(settings(server.url)).deliver(an_outgoing_mail("dörte@example.com"), note)
        assert note.lines == ["sending", "sent"]
        (taken,) = server.taken
        assert taken.recipient == "dörte@example.com"
        assert "To: dörte@example.com" in taken.content.decode()


async def test_an_address_beyond_ascii_is_refused_where_the_server_cannot_take_it() -> None:
    async with running_mail_server(utf8=False) as server:
        with pytest.raises(RefusedError):
            await Smtp(settings(server.url)).deliver(an_outgoing_mail("dörte@example.com"), Note())


async def test_a_server_that_wants_no_login_from_us_is_a_fault_to_fix_not_the_mails() -> None:
    async with running_mail_server() as server:
        url = server.url.replace("//", "//user:password@")
        with pytest.raises(DeferredError):
            await Smtp(settings(url, environment="development")).deliver(an_outgoing_mail(), Note())


async def test_a_sender_that_is_refused_waits_for_an_operator() -> None:
    async with running_mail_server() as server:
        server.at_sender.append("550 5.7.1 not in that name")
        with pytest.raises(DeferredError, match=r"^550 5\.7\.1$") as error:
            await Smtp(settings(server.url)).deliver(an_outgoing_mail(), Note())
        assert error.value.ours


async def test_a_sender_that_is_put_off_calls_no_one() -> None:
    async with running_mail_server() as server:
        server.at_sender.append("451 4.3.0 later")
        with pytest.raises(DeferredError, match=r"^451 4\.3\.0$") as error:
            await Smtp(settings(server.url)).deliver(an_outgoing_mail(), Note())
        assert not error.value.ours


@pytest.mark.parametrize(
    ("greeting", "reason", "ours"),
    [
        ("554 5.7.1 192.0.2.7 is blocked", "554 5.7.1", True),
        ("421 4.3.2 Too busy", "421 4.3.2", False),
    ],
)
async def test_a_server_that_does_not_let_us_in_for_good_waits_for_an_operator(
    greeting: str, reason: str, *, ours: bool
) -> None:
    async def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"{greeting}\r\n".encode())
        writer.close()

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        url = f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with pytest.raises(DeferredError) as error:
            await Smtp(settings(url)).deliver(an_outgoing_mail(), Note())
    assert (str(error.value), error.value.ours) == (reason, ours)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("554 5.7.1 <ada@example.com>: Relay access denied", "554 5.7.1"),
        ("553 5.7.1 <no-reply@example.com>: Sender address rejected: not yours", "553 5.7.1"),
        ("554 5.7.1 Service unavailable; Client host [192.0.2.7] blocked", "554 5.7.1"),
        ("550 5.7.26 Unauthenticated", "550 5.7.26"),
        ("550 5.1.8 <no-reply@example.com>: Sender address rejected", "550 5.1.8"),
        ("504 5.5.2 <host>: Helo command rejected: need a full name", "504 5.5.2"),
        ("553 that domain is not in my list of allowed hosts (#5.7.1)", "553 5.7.1"),
        ("530 Authentication required", "530"),
        ("535 Authentication failed", "535"),
        ("554 Transaction failed", "554"),
    ],
)
async def test_what_is_wrong_with_us_ends_no_mail_though_the_server_waits_for_the_recipient(
    answer: str, reason: str
) -> None:
    async with running_mail_server() as server:
        server.at_recipient.append(answer)
        note = Note()
        with pytest.raises(DeferredError) as error:
            await Smtp(settings(server.url)).deliver(an_outgoing_mail(), note)
        assert (str(error.value), error.value.ours) == (reason, True)
        assert not error.value.perhaps_taken
        assert not note.lines


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("550 5.1.1 <ada@example.com> is nobody here", "550 5.1.1"),
        ("501 5.1.3 Bad recipient address syntax", "501 5.1.3"),
        ("550 5.2.1 Mailbox disabled", "550 5.2.1"),
        ("554 5.2.2 Mailbox full", "554 5.2.2"),
        ("550 5.5.0 Mailbox unavailable", "550 5.5.0"),
        ("550 No such user", "550"),
        ("553 Mailbox name not allowed", "553"),
        ("556 5.1.10 Its domain takes no mail", "556 5.1.10"),
    ],
)
async def test_what_is_wrong_with_the_recipient_ends_the_mail(answer: str, reason: str) -> None:
    async with running_mail_server() as server:
        server.at_recipient.append(answer)
        with pytest.raises(RefusedError) as error:
            await Smtp(settings(server.url)).deliver(an_outgoing_mail(), Note())
        assert str(error.value) == reason


async def test_a_recipient_who_is_put_off_calls_no_one() -> None:
    async with running_mail_server() as server:
        server.at_recipient.append("450 4.7.1 Greylisted")
        with pytest.raises(DeferredError, match=r"^450 4\.7\.1$") as error:
            await Smtp(settings(server.url)).deliver(an_outgoing_mail(), Note())
        assert not error.value.ours


async def test_without_the_tls_that_was_asked_for_nothing_is_sent() -> None:
    async with running_mail_server() as server:
        with pytest.raises(DeferredError):
            await Smtp(settings(server.url, smtp_starttls=True)).deliver(an_outgoing_mail(), Note())
        assert not server.taken
