"""A mail as the slice writes it, and who notes what became of it."""

from email.message import EmailMessage
from uuid import UUID

from contracts.ids import uuid7
from infra.mail.transport import OutgoingMail
from tests.support.message_builders import NOW, a_personal_key
from tests.support.workers.verification_slice import FROM, messages
from workers.notifications.mail_templates import Messages

NOBODY = UUID(int=7)


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


def an_outgoing_mail(
    to: str = "ada@example.com", *, name: str | None = None, by: Messages | None = None
) -> OutgoingMail:
    by = by or messages()
    draft = by.draft("verify", uuid7(), NOBODY, a_personal_key(), to=to, name=name)
    return by.render(
        draft.template,
        draft.template_version,
        mail_id=draft.id,
        message_id=draft.message_id,
        created_at=NOW,
        parameters={"to": to, "name": name},
    )


def a_plain_mail(**changed: str) -> OutgoingMail:
    """With headers that the slice would not write."""
    mail = EmailMessage()
    headers = {"From": FROM, "Message-ID": "<1@example.com>", "Auto-Submitted": "auto-generated"}
    for header, value in (headers | {"Subject": "Hello"} | changed).items():
        mail[header] = value
    mail.set_content("Hello")
    mail.add_alternative("<p>Hello</p>", subtype="html")
    return OutgoingMail(NOBODY, "verify", "no-reply@example.com", "ada@example.com", mail)
