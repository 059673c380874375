"""What never becomes a request: bytes that are no HTTP, and heads without end."""

from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from contracts.ids import uuid7
from gateway.incoming import ABORT
from gateway.problems import PROBLEM_JSON, ProblemError

HEAD_BYTES = 32 * 1024


class BoundedProtocol(HttpToolsProtocol):
    """Bounds the head, which uvicorn does not; answers a problem where uvicorn answers text.

    Whoever answers may cut the connection of a client that takes nothing any more.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head_bytes = 0
        self._in_head = True

    def data_received(self, data: bytes) -> None:
        self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > HEAD_BYTES and not self.transport.is_closing():
            self._refuse(ProblemError("head-too-large", f"At most {HEAD_BYTES} bytes."))

    def on_message_begin(self) -> None:
        super().on_message_begin()
        scope: Any = self.scope
        scope["extensions"] = {ABORT: self.transport.abort}
        self._in_head = True

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._head_bytes = 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._in_head = True
        self._head_bytes = 0

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  uvicorn's signature
        self._refuse(ProblemError("malformed-request", "This is not HTTP/1.1."))

    def _refuse(self, error: ProblemError) -> None:
        request_id = str(uuid7())
        body = error.body(request_id)
        head = (
            f"content-type: {PROBLEM_JSON}\r\n"
            f"content-length: {len(body)}\r\n"
            f"x-request-id: {request_id}\r\n"
            "x-content-type-options: nosniff\r\n"
            "cache-control: no-store\r\n"
            "connection: close\r\n\r\n"
        )
        self.transport.write(STATUS_LINE[error.problem.status] + head.encode() + body)
        self.transport.close()
