"""A stand-in for SendGrid's `POST /v3/mail/send`, strict about all that its documentation says.

It takes, refuses, drips or drops as set; its errors repeat the address, as the real ones may.
"""

import asyncio
import json
import re
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

KEY = "SG.a-key-of-tests.wK3_vq9-Tz0aLx"
MAX_BODY_BYTES = 1024 * 1024
RESERVED = re.compile(
    "x-sg-id|x-sg-eid|received|dkim-signature|content-type|content-transfer-encoding"
    "|to|from|subject|reply-to|cc|bcc",
    re.IGNORECASE,
)

Text = Annotated[str, StringConstraints(min_length=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Party(_Strict):
    email: Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+$")]
    name: Annotated[str, StringConstraints(pattern=r'^(?:[^,;\r\n]+|"[^"\r\n]*")$')] | None = None


class Personalization(_Strict):
    to: Annotated[list[Party], Field(min_length=1)]


class Content(_Strict):
    type: Literal["text/plain", "text/html"]
    value: Text


class Switch(_Strict):
    enable: bool


class ClickSwitch(Switch):
    enable_text: bool


class Tracking(_Strict):
    """The account of tests has all of them on, unless a mail says no."""

    click_tracking: ClickSwitch
    open_tracking: Switch
    subscription_tracking: Switch
    ganalytics: Switch


class Sent(_Strict):
    """A mail as it was posted."""

    personalizations: Annotated[list[Personalization], Field(min_length=1, max_length=1_000)]
    from_: Party = Field(alias="from")
    subject: Text
    content: Annotated[list[Content], Field(min_length=1)]
    headers: dict[Text, Text]
    categories: Annotated[list[Text], Field(max_length=10)]
    custom_args: dict[Text, str]
    tracking_settings: Tracking

    @property
    def recipient(self) -> str:
        return self.personalizations[0].to[0].email

    def part(self, subtype: str) -> str:
        (value,) = (each.value for each in self.content if each.type == f"text/{subtype}")
        return value


@dataclass(frozen=True)
class Answer:
    """What it says instead of 202."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    keeps: bool = False
    """It has the mail all the same."""


@dataclass(frozen=True)
class Drop:
    """Gone without a word, with the mail or without it."""

    keeps: bool = False


@dataclass(frozen=True)
class Drip:
    """The head of an answer that never ends."""


@dataclass(frozen=True)
class Hang:
    """It is accepted, in a body that never ends."""


Step = Answer | Drop | Drip | Hang


def an_error(status: int, *fields: str | None) -> Answer:
    errors = [{"message": "ada@example.com is wrong", "field": f, "help": None} for f in fields]
    return Answer(status, body=json.dumps({"errors": errors}).encode())


@dataclass
class SendGridApi:
    """Answers from the script while it lasts, then takes everything that is well formed."""

    script: deque[Step] = field(default_factory=deque)
    key: str = KEY
    taken: list[Sent] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    heads: list[dict[str, str]] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    _server: asyncio.Server | None = None
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server:
            self._server.close()
            for writer in self._open:
                writer.transport.abort()
            await self._server.wait_closed()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open.add(writer)
        try:
            while await self._answer(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._open.discard(writer)
            writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        start, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")[:-2]
        head = {name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)}
        self.heads.append(head)
        body = await reader.readexactly(int(head["content-length"]))
        self.bodies.append(body)
        step = self.script.popleft() if self.script else self._evaluate(start, head, body)
        match step:
            case Answer():
                if step.keeps:
                    self._take(body)
                writer.write(_written(step))
            case Drop():
                if step.keeps:
                    self._take(body)
                return False
            case Hang():
                self._take(body)
                writer.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 1000\r\n\r\n{")
                await reader.read()
            case Drip():
                writer.write(b"HTTP/1.1 202 Accepted\r\nX-Slow: ")
                await reader.read()
        await writer.drain()
        return True

    def _evaluate(self, start: str, head: dict[str, str], body: bytes) -> Answer:
        checks = (
            (404, start == "POST /v3/mail/send HTTP/1.1"),
            (401, head.get("authorization") == f"Bearer {self.key}"),
            (413, len(body) <= MAX_BODY_BYTES),
            (415, head.get("content-type") == "application/json"),
        )
        if wrong := next((status for status, well in checks if not well), None):
            return an_error(wrong, None) if wrong != 413 else Answer(413, body=b"<html>413</html>")
        try:
            mail = Sent.model_validate_json(body)
        except ValidationError as error:
            return an_error(400, *(".".join(map(str, each["loc"])) for each in error.errors()))
        if any(RESERVED.fullmatch(name) for name in mail.headers):
            return an_error(400, "headers")
        return Answer(202, keeps=True)

    def _take(self, body: bytes) -> None:
        self.taken.append(Sent.model_validate_json(body))


def _written(answer: Answer) -> bytes:
    body = answer.body or b""
    headers: dict[str, Any] = {"Content-Length": len(body), **answer.headers}
    lines = [f"HTTP/1.1 {answer.status} Words", *(f"{n}: {v}" for n, v in headers.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


@asynccontextmanager
async def running_sendgrid() -> AsyncIterator[SendGridApi]:
    api = SendGridApi()
    await api.start()
    try:
        yield api
    finally:
        await api.stop()
