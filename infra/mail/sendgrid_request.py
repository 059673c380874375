"""A mail as SendGrid's `POST /v3/mail/send` wants it. Pure.

https://www.twilio.com/docs/sendgrid/api-reference/mail-send
"""

import re
from email.message import EmailMessage
from typing import Any

import orjson

from infra.mail.transport import OutgoingMail, RefusedError

HEADERS = ("Message-ID", "Auto-Submitted")
"""What we say besides what has a field of its own there."""

UNTRACKED = {
    "click_tracking": {"enable": False, "enable_text": False},
    "open_tracking": {"enable": False},
    "subscription_tracking": {"enable": False},
    "ganalytics": {"enable": False},
}
"""An account may have all of them on, and each writes its own links or pictures into a mail."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def body_of(outgoing: OutgoingMail) -> bytes:
    """The same bytes for the same mail. Raises `RefusedError`."""
    mail = outgoing.content
    return orjson.dumps(
        {
            "personalizations": [{"to": [{"email": _line(outgoing.recipient)}]}],
            "from": _sender(outgoing),
            "subject": _line(str(mail["Subject"])),
            "content": [
                {"type": "text/plain", "value": _part(mail, "plain")},
                {"type": "text/html", "value": _part(mail, "html")},
            ],
            "headers": {name: _line(str(mail[name])) for name in HEADERS},
            "categories": [outgoing.kind],
            "custom_args": {"mail_id": str(outgoing.id)},
            "tracking_settings": UNTRACKED,
        }
    )


def _sender(outgoing: OutgoingMail) -> dict[str, Any]:
    name = _line(outgoing.content["From"].addresses[0].display_name)
    if not name:
        return {"email": _line(outgoing.sender)}
    if "," in name or ";" in name:
        name = f'"{name}"'  # as SendGrid asks for, lest it be read as several
    return {"email": _line(outgoing.sender), "name": name}


def _part(mail: EmailMessage, subtype: str) -> str:
    part = mail.get_body(preferencelist=(subtype,))
    if part is None:
        raise RefusedError(f"has no text/{subtype}")
    return str(part.get_content())


def _line(value: str) -> str:
    """A line break here would be another header in the mail that is made of it."""
    if _CONTROL.search(value):
        raise RefusedError("a line break or control character in a header")
    return value
