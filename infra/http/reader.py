"""Reads one request after another with llhttp, within bounds, and never beyond the end of one."""

from dataclasses import dataclass
from typing import Protocol

import httptools

from infra.http.bounds import FRAMING_SHARE, Bounds
from infra.http.framing import FRAMING_FIELDS, decoded_path, framing, is_request_line, split_target
from infra.http.refusals import (
    HEAD_TOO_LARGE,
    NOT_HTTP,
    NOT_IMPLEMENTED,
    TARGET_TOO_LONG,
    RefusedError,
    malformed,
)

_END = b"\r\n\r\n"
"""Ends every head, and every chunked body."""
_LINE_OVERHEAD = len(b": \r\n")
_TOO_MUCH_FRAMING = malformed("The chunks of the body have too much around them.")


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a request. `length`: of its content, None when that is chunked."""

    method: str
    version: str
    path: str
    raw_path: bytes
    query: bytes
    headers: list[tuple[bytes, bytes]]
    length: int | None
    expects_continue: bool
    keep_alive: bool


class Handles(Protocol):
    """What becomes of what is read."""

    def begin(self, head: Head) -> None:
        """The head of a request is complete."""

    def content(self, piece: bytes) -> None:
        """A piece of its body came."""

    def end(self) -> None:
        """Its body is complete."""


class RequestReader:
    """Feeds llhttp piece by piece. A trailer is counted and dropped."""

    def __init__(self, handles: Handles, bounds: Bounds) -> None:
        self._handles = handles
        self._bounds = bounds
        self._parser = httptools.HttpRequestParser(self)
        # What follows after "Connection: close" is not read; the answer is still sent.
        self._parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._reset()

    def _reset(self) -> None:
        self.in_head = True
        self.bytes = 0
        """Of the request that is being read, as far as it has come."""
        self.headers: list[tuple[bytes, bytes]] = []
        self._target = b""
        self._framing_fields: list[tuple[bytes, bytes]] = []
        self._length: int | None = 0
        self._content = 0
        self._head_bytes = 0
        self._around_at_content = 0
        self._trailers = 0
        self._tail = b""

    def close(self) -> None:
        """Let go of parser and handler, which hold each other."""
        del self._parser, self._handles

    @property
    def missing(self) -> int | None:
        """How much of the content has not come; None when nobody can say."""
        return None if self._length is None else self._length - self._content

    def read(self, raw: bytes | bytearray, view: memoryview, at: int, end: int) -> int:
        """Parse from `at` on, no further than `end` and than one request; up to where.

        `view` is of `raw`. Raises `RefusedError`, after which nothing more can be read.
        """
        stop = self._boundary(raw, at, end)
        piece = view[at:stop]
        if self.in_head:
            self._read_head(piece)
        else:
            self._read_content(piece)
        if self.bytes and (self.in_head or self._length is None):
            self._tail = (self._tail + bytes(piece[1 - len(_END) :]))[1 - len(_END) :]
        return stop

    def _boundary(self, raw: bytes | bytearray, at: int, end: int) -> int:
        """Up to where no request can end and be followed by another."""
        if not self.in_head and self._length is not None:
            return min(end, at + self._length - self._content)
        if self._tail:
            seam = self._tail + bytes(raw[at : min(end, at + len(_END) - 1)])
            if (found := seam.find(_END)) >= 0:
                return at + found + len(_END) - len(self._tail)
        found = raw.find(_END, at, end)
        return end if found < 0 else found + len(_END)

    def _read_head(self, piece: memoryview) -> None:
        room = self._bounds.head_bytes - self.bytes
        self.bytes += len(piece)
        # What fits is read all the same: it may be at fault in another way.
        self._feed(piece if len(piece) <= room else piece[:room])
        if len(piece) > room:
            raise RefusedError(HEAD_TOO_LARGE)

    def _read_content(self, piece: memoryview) -> None:
        before = self._content
        self.bytes += len(piece)
        self._feed(piece)
        if not self.in_head and self._length is None:
            if self._content > before:
                self._around_at_content = self._around
            elif self._around - self._around_at_content > self._bounds.framing_bytes:
                raise RefusedError(_TOO_MUCH_FRAMING)
            self._check_framing()

    @property
    def _around(self) -> int:
        """Bytes of chunk sizes, extensions and trailers."""
        return self.bytes - self._head_bytes - self._content

    def _check_framing(self) -> None:
        """Raises `RefusedError`."""
        if self._around > self._bounds.framing_bytes + FRAMING_SHARE * self._content:
            raise RefusedError(_TOO_MUCH_FRAMING)

    def _feed(self, piece: memoryview) -> None:
        try:
            self._parser.feed_data(piece)
        except httptools.HttpParserUpgrade:
            pass  # nobody upgrades here: the request is answered as any other
        except httptools.HttpParserInvalidMethodError:
            known = self.in_head and is_request_line(bytes(piece))
            raise RefusedError(NOT_IMPLEMENTED if known else NOT_HTTP) from None
        except httptools.HttpParserError as error:
            if isinstance(error.__context__, RefusedError):
                raise error.__context__ from None
            raise RefusedError(NOT_HTTP) from None

    # What llhttp calls.

    def on_url(self, url: bytes) -> None:
        self._target += url
        if len(self._target) > self._bounds.target_bytes:
            raise RefusedError(TARGET_TOO_LONG)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.in_head:
            self._trailers += len(name) + len(value) + _LINE_OVERHEAD
            if self._trailers > self._bounds.trailer_bytes:
                raise RefusedError(HEAD_TOO_LARGE)
            return
        name, value = name.lower(), value.rstrip(b" \t")
        self.headers.append((name, value))
        if name in FRAMING_FIELDS:
            self._framing_fields.append((name, value))
        elif len(self.headers) > self._bounds.header_lines:
            raise RefusedError(HEAD_TOO_LARGE)

    def on_headers_complete(self) -> None:
        version = self._parser.get_http_version()
        found = framing(version, self._framing_fields)
        method = self._parser.get_method().decode()
        path, query = split_target(method, self._target)
        if found.length != 0 and self._parser.should_upgrade():
            # llhttp would take the content for the other protocol, and then for a request.
            raise RefusedError(malformed("An upgrade cannot have content."))
        self.in_head = False
        self._head_bytes = self.bytes
        self._length = found.length
        self._handles.begin(
            Head(
                method,
                version,
                decoded_path(path),
                path,
                query,
                self.headers,
                found.length,
                found.expects_continue,
                version == "1.1" and self._parser.should_keep_alive(),
            )
        )

    def on_body(self, piece: bytes) -> None:
        self._content += len(piece)
        self._handles.content(piece)

    def on_message_complete(self) -> None:
        if self._length is None:
            self._check_framing()
        self._handles.end()
        self._reset()
