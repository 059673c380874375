"""What one mail says, read from the bytes it came in."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage

_FOR = "Delivered-To: "
_END_OF_STAMP = b"\r\nReceived: by the development inbox\r\n"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Delivery:
    """Who a mail was really for: the SMTP envelope, which the mail's own headers may contradict."""

    sender: str
    recipients: tuple[str, ...]

    def stamped_on(self, content: bytes) -> bytes:
        """The content under trace headers, so that one file tells all."""
        lines = [
            f"Return-Path: <{_one_line(self.sender)}>",
            *(f"{_FOR}{_one_line(recipient)}" for recipient in self.recipients),
        ]
        return "\r\n".join(lines).encode() + _END_OF_STAMP + content


@dataclass(frozen=True, slots=True)
class Message:
    id: str
    message_id: str
    sender: str
    recipients: tuple[str, ...]
    subject: str
    received_at: datetime
    text: str
    html: str

    @property
    def to(self) -> str:
        return ", ".join(self.recipients)

    def as_json(self) -> dict[str, str]:
        return {
            "id": self.id,
            "message_id": self.message_id,
            "to": self.to,
            "subject": self.subject,
            "date": self.received_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "text": self.text,
            "html": self.html,
        }


def parse(id_: str, stored: bytes) -> Message:
    """Any bytes make a message: what cannot be read in them is empty."""
    mail = message_from_bytes(stored, policy=policy.SMTPUTF8)
    assert isinstance(mail, EmailMessage)
    return Message(
        id=id_,
        message_id=_header(mail, "Message-ID"),
        sender=_header(mail, "From") or _header(mail, "Return-Path").strip("<>"),
        recipients=recipients_of(stored),
        subject=_header(mail, "Subject"),
        received_at=received_at(id_),
        text=_body(mail, "plain"),
        html=_body(mail, "html"),
    )


def received_at(id_: str) -> datetime:
    """Ids are nanoseconds since the epoch, in hexadecimal."""
    return datetime.fromtimestamp(int(id_, 16) / 1e9, UTC)


def recipients_of(stored: bytes) -> tuple[str, ...]:
    """From our own stamp alone: what the sender writes below it proves nothing."""
    stamp, _, _ = stored.partition(_END_OF_STAMP)
    lines = stamp.decode("utf-8", "replace").split("\r\n")
    return tuple(line.removeprefix(_FOR) for line in lines if line.startswith(_FOR))


def _header(mail: EmailMessage, name: str) -> str:
    try:
        return str(mail.get(name, "")).strip()
    except (ValueError, LookupError, IndexError, AttributeError, TypeError):
        return ""  # the standard library's parser still trips over some malformed headers


def _body(mail: EmailMessage, subtype: str) -> str:
    part = mail.get_body(preferencelist=(subtype,))
    if part is None:
        return ""
    try:
        content = str(part.get_content())
    except LookupError:  # a charset nobody knows
        payload = part.get_payload(decode=True)
        content = payload.decode("utf-8", "replace") if isinstance(payload, bytes) else ""
    return content.replace("\r\n", "\n")


def _one_line(value: str) -> str:
    return _CONTROL.sub("", value)
