"""Mails: drafted once, rendered as often as needed, always the same mail."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import jinja2

from contracts.personal import PersonalKey
from infra.mail.addresses import on_the_wire, parse_sender
from infra.mail.transport import OutgoingMail
from infra.security.mailed_tokens import token_hash
from workers.notifications.rules import (
    ADDRESS_WANTED,
    EMAIL_CHANGE,
    EMAIL_CHANGE_ASKED,
    EMAIL_CHANGED,
    ERASED,
    LINKS,
    PASSWORD_CHANGED,
    RESET,
    SIGNED_IN,
    SIGNUP_REPEATED,
    TOKEN_REUSED,
    VERIFY,
    greeted_name,
    mailed_token,
)

_FOLDER = Path(__file__).parent / "templates"
_POLICY = policy.SMTP.clone(cte_type="7bit")


@dataclass(frozen=True, slots=True)
class Template:
    """`<name>.v<version>.txt` and `.html`. A version that was ever mailed stays as it is."""

    version: int
    subject: str
    page: str | None = None
    """Where the link leads, if there is one."""


TEMPLATES = {
    VERIFY: (
        Template(1, "Confirm your e-mail address", page="verify"),
        Template(2, "Confirm your e-mail address", page="verify"),
    ),
    RESET: (Template(1, "Set a new password", page="reset"),),
    EMAIL_CHANGE: (Template(1, "Confirm your new e-mail address", page="verify"),),
    SIGNUP_REPEATED: (Template(1, "Somebody tried to sign up with your address"),),
    ADDRESS_WANTED: (Template(1, "Somebody asked for your address"),),
    PASSWORD_CHANGED: (Template(1, "Your password was changed"),),
    EMAIL_CHANGE_ASKED: (Template(1, "Another address was asked for"),),
    EMAIL_CHANGED: (
        Template(1, "Your e-mail address was changed"),
        Template(2, "Your e-mail address was changed", page="undo"),
    ),
    SIGNED_IN: (Template(1, "A new sign-in to your account"),),
    TOKEN_REUSED: (Template(1, "A session of yours was ended"),),
    ERASED: (Template(1, "Your account was erased"),),
}
"""Every version of every mail, oldest first; new mails get the last."""


class UnknownTemplateError(Exception):
    """A mail of a version that this release does not know."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A mail before it is queued."""

    id: UUID
    user_id: UUID
    template: str
    template_version: int
    message_id: str
    parameters: str
    on_request: bool
    token_hash: bytes | None = field(repr=False)
    lifetime: timedelta | None = None
    to: str = field(default="", repr=False)
    address: str | None = field(default=None, repr=False)
    """`to` under the person's key, for a link that needs to know where it was mailed."""
    session_id: UUID | None = None
    """The session that asked for the link."""
    due_at: datetime | None = None
    """From when on it may be sent; None for at once."""
    cause_id: UUID | None = None
    """The event that calls for it."""
    traceparent: str | None = None
    """Whose trace its sending belongs to."""


class Messages:
    """Writes in one sender's name, with links into one site."""

    def __init__(self, *, mail_from: str, public_url: str, key: bytes) -> None:
        self._sender = parse_sender(mail_from)
        self._url = public_url.rstrip("/")
        self._key = key
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(_FOLDER),
            autoescape=jinja2.select_autoescape(["html"]),
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )

    def draft(
        self,
        template: str,
        mail_id: UUID,
        user_id: UUID,
        key: PersonalKey,
        *,
        to: str,
        name: str | None,
        on_request: bool = False,
        about: Mapping[str, str | None] | None = None,
    ) -> Draft:
        """A new mail of the latest version; who it is for can be read with the person's key.

        `about` is what else it tells: `when` and from which `client` something was done.
        """
        latest = TEMPLATES[template][-1]
        token = mailed_token(self._key, mail_id) if latest.page else None
        return Draft(
            mail_id,
            user_id,
            template,
            latest.version,
            f"<{mail_id}@{self._sender.domain}>",
            key.encrypt({**(about or {}), "to": to, "name": name}),
            on_request,
            token_hash(token) if token else None,
            LINKS[template] if token else None,
            to,
            key.encrypt(to) if token else None,
        )

    def render(
        self,
        template: str,
        version: int,
        *,
        mail_id: UUID,
        message_id: str,
        created_at: datetime,
        parameters: dict[str, Any],
    ) -> OutgoingMail:
        """The same bytes for the same row. Raises `UnknownTemplateError`."""
        form = next((t for t in TEMPLATES.get(template, ()) if t.version == version), None)
        if form is None:
            raise UnknownTemplateError(f"{template} version {version}")
        recipient = on_the_wire(parameters["to"])
        displayed: dict[str, Any] = {
            "name": greeted_name(parameters.get("name")),
            "when": parameters.get("when"),
            "client": parameters.get("client"),
            "site": self._url,
        }
        if form.page:
            displayed["link"] = f"{self._url}/{form.page}?token={mailed_token(self._key, mail_id)}"
        mail = EmailMessage(policy=_POLICY)
        mail["Message-ID"] = message_id
        mail["Date"] = format_datetime(created_at)
        mail["From"] = str(self._sender)
        mail["To"] = recipient
        mail["Subject"] = form.subject
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(self._text(f"{template}.v{version}.txt", displayed))
        mail.add_alternative(self._text(f"{template}.v{version}.html", displayed), subtype="html")
        mail.set_boundary(f"=_{mail_id.hex}")
        return OutgoingMail(mail_id, template, self._sender.addr_spec, recipient, mail)

    def _text(self, name: str, displayed: dict[str, Any]) -> str:
        return self._templates.get_template(name).render(displayed)
