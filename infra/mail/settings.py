"""Which way mail leaves, and in whose name it is written."""

from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    AnyHttpUrl,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from infra.mail.addresses import parse_sender
from infra.runtime.settings import ProcessSettings
from infra.runtime.tls import CaFile

PORTS = {"smtp": 25, "smtps": 465}
_NEEDED_BY = {"smtp_url": "smtp", "sendgrid_key": "sendgrid"}

Seconds = Annotated[float, Field(gt=0, le=50)]


def _one_sender(value: str) -> str:
    parse_sender(value)
    return value


def _server(value: SecretStr) -> SecretStr:
    url = urlsplit(value.get_secret_value())
    if url.scheme not in PORTS or not url.hostname or url.path not in ("", "/"):
        raise ValueError("must be smtp://[user:password@]host[:port] or smtps://…")
    if (url.username is None) != (url.password is None):
        raise ValueError("needs both a user and a password, or neither")
    _ = url.port  # raises for what is no port
    return value


def _one_word(value: SecretStr) -> SecretStr:
    """It becomes part of a header."""
    key = value.get_secret_value()
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ValueError("must be one word of ASCII characters")
    return value


def _base(url: AnyHttpUrl) -> AnyHttpUrl:
    if url.query or url.fragment or url.username or url.password:
        raise ValueError("must be an address without query, fragment or user")
    return url


class MailSettings(ProcessSettings):
    """Which way mail leaves, and in whose name it is written."""

    mail_from: Annotated[str, AfterValidator(_one_sender)]
    mail_transport: Literal["smtp", "sendgrid"] = "smtp"
    smtp_url: Annotated[SecretStr, AfterValidator(_server)] | None = Field(
        default=None, validate_default=True
    )
    smtp_starttls: bool = False
    smtp_ca_file: CaFile | None = None
    smtp_seconds: Seconds = 20.0
    sendgrid_key: Annotated[SecretStr, AfterValidator(_one_word)] | None = Field(
        default=None, validate_default=True
    )
    sendgrid_url: Annotated[AnyHttpUrl, AfterValidator(_base)] = AnyHttpUrl(
        "https://api.sendgrid.com"
    )
    sendgrid_seconds: Seconds = 20.0

    @field_validator(*_NEEDED_BY)
    @classmethod
    def _is_there(cls, value: SecretStr | None, given: ValidationInfo) -> SecretStr | None:
        needed = _NEEDED_BY[given.field_name or ""] == given.data.get("mail_transport")
        if needed and (value is None or not value.get_secret_value()):
            raise ValueError("is missing")
        return value

    @field_validator("smtp_ca_file")
    @classmethod
    def _has_use(cls, file: Path | None, given: ValidationInfo) -> Path | None:
        url = given.data.get("smtp_url")
        in_clear = url and urlsplit(url.get_secret_value()).scheme != "smtps"
        if file and in_clear and not given.data.get("smtp_starttls"):
            raise ValueError("needs smtps:// in QNT9_SMTP_URL, or QNT9_SMTP_STARTTLS=true")
        return file

    @model_validator(mode="after")
    def _no_password_in_clear(self) -> Self:
        url = urlsplit(self.smtp_url.get_secret_value() if self.smtp_url else "")
        secured = url.scheme == "smtps" or self.smtp_starttls
        if url.password and not secured and self.environment != "development":
            raise ValueError("QNT9_SMTP_URL: a password needs smtps:// or QNT9_SMTP_STARTTLS=true")
        return self
