from uuid import UUID

import pytest
from pydantic import ValidationError

from infra.mail import DeferredError, Letter, MailSettings, RefusedError, Smtp, parse_sender
from tests.builders import NOW, a_personal_key
from tests.mailserver import running_mail_server
from tests.workers.verification.conftest import FROM, messages

NOBODY = UUID(int=7)


def settings(url: str, **more: object) -> MailSettings:
    return MailSettings.model_validate({"smtp_url": url, "mail_from": FROM, **more})


class Note:
    """A journal that remembers."""

    def __init__(self, *, may_go: bool = True) -> None:
        self.may_go = may_go
        self.lines: list[str] = []

    async def sending(self) -> bool:
        self.lines.append("sending")
        return self.may_go

    async def sent(self) -> None:
        self.lines.append("sent")


def a_letter(to: str = "ada@example.com") -> Letter:
    key = a_personal_key()
    draft = messages().draft("verify", NOBODY, key, to=to, name=None)
    return messages().render(
        draft.template,
        draft.template_version,
        mail_id=draft.id,
        message_id=draft.message_id,
        created_at=NOW,
        parameters={"to": to, "name": None},
    )


@pytest.mark.parametrize(
    "url",
    [
        "smtp://mail.example.com",
        "smtp://127.0.0.1:2525",
        "smtps://user:p%40ss@mail.example.com:465/",
    ],
)
def test_a_server_is_given_by_its_url(url: str) -> None:
    assert settings(url, environment="development").smtp_url.get_secret_value() == url


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


async def test_without_the_tls_that_was_asked_for_nothing_is_sent() -> None:
    async with running_mail_server() as server:
        with pytest.raises(DeferredError):
            await Smtp(settings(server.url, smtp_starttls=True)).deliver(a_letter(), Note())
        assert not server.taken
