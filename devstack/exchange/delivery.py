"""How an answer goes out: whole, late, in halves, or not at all."""

import asyncio
import socket
import struct
from typing import Any, Final

from starlette.types import Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from devstack.exchange.responses import SOURCE, Answer

_TRANSPORT: Final = "qnt9.transport"
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)

# uvicorn knows no status beyond 599; the blocked client of old got 999.
STATUS_LINE.setdefault(999, b"HTTP/1.1 999 Request denied\r\n")


class ResettableProtocol(HttpToolsProtocol):
    """Hands its transport to the application, which may then tear the connection down."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        extensions: dict[str, dict[object, object]] = {_TRANSPORT: {"transport": self.transport}}
        self.scope["extensions"] = extensions


async def deliver(answer: Answer, send: Send, *, pause_in_body: float = 0) -> None:
    headers = {
        "Content-Type": answer.media_type,
        "Content-Length": str(len(answer.body)),
        **SOURCE,
        **answer.headers,
    }
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": raw})
    half = len(answer.body) // 2 if pause_in_body else 0
    if pause_in_body:
        await send(_body(answer.body[:half], more=True))
        await asyncio.sleep(pause_in_body)
    await send(_body(answer.body[half:], more=False))


async def reset(scope: Scope, receive: Receive) -> None:
    """With lingering off, closing sends RST: the client sees "connection reset by peer"."""
    transport: Any = scope["extensions"][_TRANSPORT]["transport"]
    connection: socket.socket = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass


def _body(part: bytes, *, more: bool) -> Message:
    return {"type": "http.response.body", "body": part, "more_body": more}
