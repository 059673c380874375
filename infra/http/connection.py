"""One HTTP/1.1 connection: one request at a time, whose successor waits unread."""

import asyncio
from typing import Any

import structlog
from starlette.types import ASGIApp
from uvicorn.server import ServerState

from infra.http.bounds import Phase
from infra.http.connections import Connections
from infra.http.cycle import Cycle
from infra.http.reader import Head, RequestReader
from infra.http.refusals import (
    BODY_TIMEOUT,
    HEAD_TIMEOUT,
    OVERLOADED,
    Refusal,
    RefusedError,
    Render,
    refusal_response,
)
from infra.http.scope import Address, address_of, scope_of

log = structlog.get_logger(__name__)


class HttpConnection(asyncio.BufferedProtocol):
    """Between a transport and the application; `Connections` says how long and how much."""

    def __init__(
        self, app: ASGIApp, state: ServerState, connections: Connections, render: Render
    ) -> None:
        self._app = app
        self._state = state
        self._all = connections
        self._render = render
        self._loop = asyncio.get_running_loop()
        self._reader = RequestReader(self, connections.bounds)
        self.transport: asyncio.Transport = None  # type: ignore[assignment]  # until it is made
        self.phase: Phase | None = None
        self.blocked: asyncio.Future[None] | None = None
        self._peer: Address | None = None
        self._server: Address | None = None
        self._key: str | None = None
        self._cycle: Cycle | None = None
        self._is_deaf = False
        """What comes is dropped: the last answer was given."""
        self._is_paused = False
        self._is_lost = False
        self._kept = b""
        """Bytes behind the request that is being answered."""
        self._being_answered = 0
        self._dropped = 0
        self._held = 0

    # What the event loop calls.

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self._peer = address_of(transport.get_extra_info("peername"))
        self._server = address_of(transport.get_extra_info("sockname"))
        self._state.connections.add(self)  # type: ignore[arg-type]  # uvicorn names its own
        self._key, refusal = self._all.admit(self._peer[0] if self._peer else None)
        self._all.move(self, Phase.HEAD)
        if refusal:
            self.refuse(refusal)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  asyncio's signature
        self._is_lost = self._is_deaf = True
        self._state.connections.discard(self)
        self._all.move(self, None)
        self._all.release(self._key)
        self._kept = b""
        self._hold(0)
        self._reader.close()
        if self._cycle and not self._cycle.complete:
            self._cycle.disconnected = True
            self._cycle.wake()
        self.resume_writing()

    def pause_writing(self) -> None:
        self.blocked = self._loop.create_future()
        self._all.stall(self)

    def resume_writing(self) -> None:
        if self.blocked is not None:
            self.blocked.set_result(None)
            self.blocked = None
            self._all.resume(self)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002  asyncio's signature
        return self._all.view

    def buffer_updated(self, nbytes: int) -> None:
        self._read(self._all.buffer, self._all.view, nbytes)

    def shutdown(self) -> None:
        """The server stops: no further request is read here."""
        if self._cycle is None or self._cycle.complete:
            self.transport.close()
        else:
            self._cycle.keep_alive = False

    # What is read.

    def _read(self, raw: bytes | bytearray, view: memoryview, end: int) -> None:
        at = 0
        try:
            while at < end and not self._is_deaf:
                if self._is_answering and self._reader.in_head:
                    self._kept = bytes(view[at:end])
                    self._pause()
                    break
                at = self._reader.read(raw, view, at, end)
        except RefusedError as error:
            self.refuse(error.refusal)
        if not self._is_deaf:
            self._set_phase()
            self._hold(self._reader.bytes + self._being_answered + len(self._kept))

    def _read_kept(self) -> None:
        if self._is_deaf:
            return
        kept, self._kept = self._kept, b""
        self._read(kept, memoryview(kept), len(kept))
        self._resume()

    @property
    def _is_answering(self) -> bool:
        return self._cycle is not None and not self._cycle.complete

    def _set_phase(self) -> None:
        """By what is missing."""
        if not self._reader.in_head:
            wanted: Phase | None = Phase.BODY
        elif self._is_answering:
            wanted = None
        elif self._reader.bytes or self._cycle is None:
            wanted = Phase.HEAD
        else:
            wanted = Phase.IDLE
        if wanted is not self.phase:
            self._all.move(self, wanted)

    def begin(self, head: Head) -> None:
        """Start the application on a request whose head is complete."""
        scope = scope_of(head, client=self._peer, server=self._server, abort=self.transport.abort)
        cycle = Cycle(
            self, scope, keep_alive=head.keep_alive, expects_continue=head.expects_continue
        )
        self._cycle = cycle
        self._dropped = 0
        # Each request runs in a task, so in a context, of its own.
        task = self._loop.create_task(cycle.run(self._app))
        self._state.tasks.add(task)
        task.add_done_callback(self._state.tasks.discard)

    def content(self, piece: bytes) -> None:
        """Hand a piece of the body over; what nobody reads any more is counted and dropped."""
        cycle = self._cycle
        assert cycle is not None
        if cycle.complete:
            self._dropped += len(piece)
            if self._dropped > self._all.bounds.unread_body_bytes:
                self._close_gently()
            return
        cycle.pieces.append(piece)
        cycle.unread += len(piece)
        if cycle.unread > self._all.bounds.unread_body_bytes:
            self._pause()
        cycle.wake()

    def end(self) -> None:
        """Tell the application that the body is complete."""
        cycle = self._cycle
        assert cycle is not None
        cycle.more_body = False
        if not cycle.complete:
            self._being_answered = self._reader.bytes
        cycle.wake()

    # What a cycle calls.

    @property
    def default_headers(self) -> list[tuple[bytes, bytes]]:
        """The header fields that every response has."""
        return self._state.default_headers

    @property
    def drains_body(self) -> bool:
        """Whether what has not come of the body is little enough to be read and dropped."""
        cycle = self._cycle
        if cycle is None or not cycle.more_body:
            return True
        missing = self._reader.missing
        return missing is None or missing <= self._all.bounds.unread_body_bytes

    def body_wanted(self) -> None:
        """Read on: the application waits for more of the body."""
        self._resume()

    def answered(self) -> None:
        """The response is complete: close, or go on with the next request."""
        cycle = self._cycle
        assert cycle is not None
        self._state.total_requests += 1
        self._being_answered = 0
        if not cycle.keep_alive:
            if cycle.more_body or self._kept:
                self._close_gently()
            else:
                self._is_deaf = True
                self.transport.close()
            return
        self._set_phase()
        self._hold(self._reader.bytes + len(self._kept))
        if self._kept:
            self._loop.call_soon(self._read_kept)
        else:
            self._resume()

    def refuse(self, refusal: Refusal) -> None:
        """Answer instead of the application, if nothing was answered yet, and close."""
        if self._is_deaf:
            return
        self._all.refused(refusal)
        cycle = self._cycle
        headers = self._reader.headers
        if cycle and not cycle.complete:
            headers = cycle.scope["headers"]
            cycle.disconnected = True
            cycle.wake()
            if not cycle.uncommitted:
                self.transport.close()
                return
        response = refusal_response(refusal, headers, self._render, self.default_headers)
        is_head = cycle and not cycle.complete and cycle.scope["method"] == "HEAD"
        self.transport.write(response.head if is_head else response.head + response.body)
        self._close_gently()

    # What the table of connections calls.

    def expire(self, phase: Phase) -> None:
        """End a phase that took too long: with 408 where somebody waits for an answer, else cut."""
        match phase:
            case Phase.HEAD if self._reader.bytes:
                self._all.closed("head")
                self.refuse(HEAD_TIMEOUT)
            case Phase.BODY if self._is_answering:
                self._all.closed("body")
                self.refuse(BODY_TIMEOUT)
            case _:
                self._all.closed(phase.value)
                self.transport.abort()

    def relieve(self) -> None:
        """Refuse what is being received, so that its memory is free again."""
        self.refuse(OVERLOADED)
        self._hold(0)

    def cut(self) -> None:
        """Close at once, without an answer."""
        self.transport.abort()

    # The rest.

    @property
    def _is_over(self) -> bool:
        return self._is_lost or self.transport.is_closing()

    def _hold(self, held: int) -> None:
        change, self._held = held - self._held, held
        if change:
            self._all.hold(change)

    def _pause(self) -> None:
        if not (self._is_paused or self._is_over):
            self._is_paused = True
            self.transport.pause_reading()

    def _resume(self) -> None:
        if self._is_paused and not (self._kept or self._is_over):
            self._is_paused = False
            self.transport.resume_reading()

    def _close_gently(self) -> None:
        """A close with bytes unread would be a reset, which may overtake the answer."""
        if self._is_deaf or self._is_over:
            return
        self._is_deaf = True
        self._kept = b""
        self._hold(0)
        self._all.move(self, Phase.LINGER)
        self.transport.write_eof()
        self._resume()
