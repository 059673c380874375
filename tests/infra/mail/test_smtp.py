import pytest
from pydantic import ValidationError

from infra.mail.addresses import parse_sender
from infra.mail.port import DeferredError, RefusedError
from infra.mail.settings import MailSettings
from infra.mail.smtp import Smtp
from tests.infra.mail.letters import Note, a_letter
from tests.mailserver import running_mail_server
from tests.workers.verification.conftest import FROM


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
        await Smtp(settings(server.url)).deliver(a_letter(), note)
        assert note.lines == ["sending"]
        assert not server.taken


async def test_an_address_beyond_ascii_goes_to_a_server_that_takes_it() -> None:
    async with running_mail_server() as server:
        note = Note()
        await Smtp(settings(server.url)).deliver(a_letter("dörte@example.com"), note)
        assert note.lines == ["sending", "sent"]
        (taken,) = server.taken
        assert taken.recipient == "dörte@example.com"
        assert "To: dörte@example.com" in taken.content.decode()


async def test_an_address_beyond_ascii_is_refused_where_the_server_cannot_take_it() -> None:
    async with running_mail_server(utf8=False) as server:
        with pytest.raises(RefusedError):
            await Smtp(settings(server.url)).deliver(a_letter("dörte@example.com"), Note())


async def test_a_server_that_wants_no_login_from_us_is_a_fault_to_mend_not_the_mails() -> None:
    async with running_mail_server() as server:
        url = server.url.replace("//", "//user:password@")
        with pytest.raises(DeferredError):
            await Smtp(settings(url, environment="development")).deliver(a_letter(), Note())


async def test_a_sender_that_is_refused_waits_for_an_operator() -> None:
    async with running_mail_server() as server:
        server.at_sender.append("550 5.7.1 not in that name")
        with pytest.raises(DeferredError, match=r"^550 5\.7\.1$") as error:
            await Smtp(settings(server.url)).deliver(a_letter(), Note())
        assert error.value.ours


async def test_without_the_tls_that_was_asked_for_nothing_is_sent() -> None:
    async with running_mail_server() as server:
        with pytest.raises(DeferredError):
            await Smtp(settings(server.url, smtp_starttls=True)).deliver(a_letter(), Note())
        assert not server.taken
