import re
from email import policy
from email.utils import parsedate_to_datetime
from uuid import UUID

import pytest

from contracts.ids import uuid7
from infra.mail.transport import OutgoingMail
from infra.security.mailed_tokens import token_hash
from tests.support.message_builders import NOW, a_personal_key
from tests.support.users import ADA
from tests.support.workers.verification_slice import MAIL_KEY, messages
from workers.notifications.mail_templates import TEMPLATES, Draft, UnknownTemplateError
from workers.notifications.rules import (
    LINKS,
    RESET,
    SIGNUP_REPEATED,
    VERIFY,
    mailed_token,
    occasion,
)

PERSON = a_personal_key()
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"


def a_draft(template: str = RESET, *, to: str = ADA, name: str | None = "Ada") -> Draft:
    about = occasion(NOW, {"ip": "203.0.113.7", "agent": FIREFOX})
    return messages().draft(template, uuid7(), NOBODY, PERSON, to=to, name=name, about=about)


NOBODY = UUID(int=7)


def rendered(draft: Draft) -> OutgoingMail:
    return messages().render(
        draft.template,
        draft.template_version,
        mail_id=draft.id,
        message_id=draft.message_id,
        created_at=NOW,
        parameters=PERSON.decrypt(draft.parameters),
    )


def part(outgoing: OutgoingMail, subtype: str) -> str:
    body = outgoing.content.get_body(preferencelist=(subtype,))
    assert body
    return str(body.get_content()).replace("\r\n", "\n")


def test_the_link_stands_on_a_line_of_its_own_and_in_the_page() -> None:
    draft = a_draft()
    outgoing = rendered(draft)
    token = mailed_token(MAIL_KEY, draft.id)
    link = f"https://qnt9.example.com/reset?token={token}"
    assert link in part(outgoing, "plain").splitlines()
    assert f'href="{link}"' in part(outgoing, "html")
    assert draft.token_hash == token_hash(token)
    assert "Hello Ada," in part(outgoing, "plain")
    assert "Hello Ada," in part(outgoing, "html")


def test_the_headers_say_who_writes_and_that_no_one_should_answer() -> None:
    draft = a_draft()
    mail = rendered(draft).content
    assert mail["From"] == "QNT9 <no-reply@example.com>"
    assert mail["To"] == ADA
    assert mail["Subject"]
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Message-ID"] == draft.message_id == f"<{draft.id}@example.com>"
    assert parsedate_to_datetime(mail["Date"]) == NOW


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_mail_rendered_again_is_the_same_to_the_byte(template: str) -> None:
    draft = a_draft(template)
    first, second = (rendered(draft).content.as_bytes(policy=policy.SMTP) for _ in range(2))
    assert first == second
    assert first.isascii()
    assert b"\r\n" in first
    assert b"\n" not in first.replace(b"\r\n", b"")
    assert max(map(len, first.split(b"\r\n"))) <= 998


@pytest.mark.parametrize("template", TEMPLATES)
def test_nothing_in_a_mail_is_fetched_from_anyone(template: str) -> None:
    html = part(rendered(a_draft(template)), "html")
    assert "src=" not in html
    assert "url(" not in html
    links = re.findall(r"http\S*?[?\"<]", html)
    assert set(links) <= {
        f"https://qnt9.example.com/{page}?" for page in ("verify", "reset", "undo")
    }
    assert bool(links) == (template in LINKS)


def test_a_repeated_sign_up_is_reported_without_any_token() -> None:
    draft = a_draft(SIGNUP_REPEATED)
    outgoing = rendered(draft)
    assert draft.token_hash is None
    assert "token" not in outgoing.content.as_string()
    assert "tried to sign up" in part(outgoing, "plain")


@pytest.mark.parametrize("subtype", ["plain", "html"])
def test_mail_of_a_sign_up_says_when_and_from_where_and_quotes_the_name(subtype: str) -> None:
    text = part(rendered(a_draft(VERIFY)), subtype)
    assert "03 November 2026, 12:00 UTC" in text
    assert "Firefox on Windows, at 203.0.113.7" in text
    assert any(quoted in text for quoted in ('"Ada"', "“Ada”"))
    assert "Hello," in text
    assert "Mozilla" not in text


def test_no_one_without_a_name_is_greeted_by_one() -> None:
    outgoing = rendered(a_draft(name=None))
    assert part(outgoing, "plain").startswith("Hello,\n")
    assert "Hello,</p>" in part(outgoing, "html")


def test_markup_in_a_name_is_text() -> None:
    outgoing = rendered(a_draft(name='<img src=x onerror="a">'))
    assert "<img" not in part(outgoing, "html")
    assert "&lt;img" in part(outgoing, "html")
    assert "Hello <img" in part(outgoing, "plain")


def test_line_breaks_in_a_name_make_neither_header_nor_line() -> None:
    outgoing = rendered(a_draft(name="Ada\r\nBcc eve\r\n\r\nPay me"))
    assert outgoing.content["Bcc"] is None
    assert part(outgoing, "plain").startswith("Hello Ada Bcc eve Pay me,\n")


def test_text_beyond_ascii_survives() -> None:
    outgoing = rendered(a_draft(name="Zoë 王"))
    assert "Hello Zoë 王," in part(outgoing, "plain")
    assert "Hello Zoë 王," in part(outgoing, "html")


def test_a_domain_beyond_ascii_is_written_for_the_wire() -> None:
    outgoing = rendered(a_draft(to="ada@exämple.com"))
    assert outgoing.recipient == outgoing.content["To"] == "ada@xn--exmple-cua.com"
    assert not outgoing.needs_utf8


def test_an_address_beyond_ascii_needs_a_server_that_takes_it() -> None:
    outgoing = rendered(a_draft(to="dörte@example.com"))
    assert outgoing.needs_utf8
    assert "To: dörte@example.com\r\n" in outgoing.content.as_bytes(policy=policy.SMTPUTF8).decode()


def test_address_and_name_are_not_readable_in_the_row() -> None:
    draft = a_draft(name="Lovelace")
    assert ADA not in draft.parameters
    assert "Lovelace" not in draft.parameters
    assert draft.parameters.startswith("p1.user:")


def test_a_version_that_no_one_knows_is_not_guessed() -> None:
    with pytest.raises(UnknownTemplateError):
        messages().render(
            VERIFY,
            99,
            mail_id=NOBODY,
            message_id="<x@example.com>",
            created_at=NOW,
            parameters={"to": ADA},
        )
