"""Methods, targets and framing of requests as bytes, with the status that each is answered."""

from infra.http.bounds import Bounds

BOUNDS = Bounds()
_LINES = BOUNDS.header_lines
_LONG = b"a" * (BOUNDS.target_bytes + 1)


def raw(
    *lines: bytes,
    method: bytes = b"GET",
    target: bytes = b"/",
    version: bytes = b"HTTP/1.1",
    host: bytes | None = b"Host: a",
    body: bytes = b"",
) -> bytes:
    head = [b"%b %b %b" % (method, target, version), *([host] if host is not None else []), *lines]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


def post(*lines: bytes, body: bytes = b"") -> bytes:
    return raw(*lines, method=b"POST", body=body)


def host(value: bytes) -> bytes:
    return raw(host=b"Host:" + value)


def length(value: bytes, body: bytes = b"ab") -> bytes:
    return post(b"Content-Length:" + value, body=body)


def chunked(coding: bytes = b"chunked", body: bytes = b"2\r\nab\r\n0\r\n\r\n") -> bytes:
    return post(b"Transfer-Encoding:" + coding, body=body)


OF_CONNECTIONS: dict[str, list[tuple[bytes, int]]] = {
    "method": [
        *(
            (raw(method=m), 200)
            for m in (b"GET", b"HEAD", b"PUT", b"DELETE", b"PATCH", b"PROPFIND")
        ),
        *((raw(method=m), 501) for m in (b"FOO", b"get", b"CONNECT")),
        *((raw(method=m), 400) for m in (b"", b"G ET", b"G\xc3\x89T", b"GE(T")),
    ],
    "request target": [
        *((raw(target=t), 200) for t in (b"/", b"/a?b=c&d", b"/%C3%A9", b"/a//b", b"/?")),
        (raw(target=b"http://other/a?b"), 200),
        (raw(target=b"HTTP://other"), 200),
        (raw(method=b"OPTIONS", target=b"*"), 200),
        (raw(target=b"/" + b"a" * (BOUNDS.target_bytes - 1)), 200),
        *((raw(target=t), 400) for t in (b"*", b"a", b"/%zz", b"/%", b"/%ff", b"/a#b", b"/\xff")),
        *((raw(target=t), 400) for t in (b"ftp://a/b", b"http://", b"/a b", b"/a\tb", b"/\0")),
        *((raw(target=t), 414) for t in (b"/" + _LONG, b"/?" + _LONG, b"/" + b"a" * 40_000)),
    ],
    "version": [
        (raw(version=b"HTTP/1.0"), 200),
        *((raw(version=v), 505) for v in (b"HTTP/2.0", b"HTTP/0.9")),
        *((raw(version=v), 400) for v in (b"HTTP/1.2", b"HTTP/1", b"http/1.1", b"HTTPS/1.1", b"")),
    ],
    "Host": [
        *(
            (host(v), 200)
            for v in (b"a", b" a:80 ", b"a:", b"192.0.2.1:1", b"[::1]:8000", b"[::1]")
        ),
        *((host(v), 200) for v in (b"a%41.b", b"xn--fa-hia.de", b"a_b", b"[v1.a:b]")),
        (raw(host=None, version=b"HTTP/1.0"), 200),
        (raw(host=None), 400),
        (raw(b"Host: a"), 400),
        (raw(b"Host: b", version=b"HTTP/1.0"), 400),
        *((host(v), 400) for v in (b"", b" ", b"a b", b"a/b", b"a@b", b"a:x", b"a:65536", b"a:-1")),
        *((host(v), 400) for v in (b"[::1", b"[zz]", b"::1", b"a%4", b"a?b", b"\xc3\xa9", b"a\\b")),
    ],
    "Content-Length": [
        *((length(v), 200) for v in (b"2", b" 2 ", b"002")),
        (length(b"0", b""), 200),
        *((length(v), 400) for v in (b"", b"-2", b"+2", b"2,2", b"2, 3", b"0x2", b"2.0", b"2 2")),
        *((length(v), 400) for v in (b"\xb2", b"9" * 30, b"9" * 5_000)),
        (post(b"Content-Length: 2", b"Content-Length: 2", body=b"ab"), 400),
        (post(b"Content-Length: 2", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"), 400),
    ],
    "Transfer-Encoding": [
        *((chunked(c), 200) for c in (b"chunked", b" Chunked ", b"CHUNKED")),
        *((chunked(c), 501) for c in (b"gzip, chunked", b"gzip,deflate , chunked")),
        *((chunked(c), 400) for c in (b"", b"gzip", b"identity", b"chunked, gzip", b"xchunked")),
        *(
            (chunked(c), 400)
            for c in (b"chunked, chunked", b"chunked;q=1", b"\x0bchunked", b'"chunked"')
        ),
        (post(b"Transfer-Encoding: gzip", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"), 501),
        (raw(b"Transfer-Encoding: chunked", version=b"HTTP/1.0", body=b"0\r\n\r\n"), 400),
    ],
    "chunk": [
        *(
            (chunked(body=b), 200)
            for b in (b"0\r\n\r\n", b"02\r\nab\r\n0\r\n\r\n", b"0;a=b\r\n\r\n")
        ),
        (chunked(body=b"1\r\na\r\n" * 5_000 + b"0\r\n\r\n"), 200),
        (chunked(body=b"2;" + b"a" * 2 * BOUNDS.framing_bytes + b"\r\nab\r\n0\r\n\r\n"), 400),
        *((chunked(body=b), 400) for b in (b"x\r\n\r\n", b"-1\r\n\r\n", b"2\r\nabc\r\n0\r\n\r\n")),
        *((chunked(body=b), 400) for b in (b"2\nab\n0\n\n", b"0x2\r\nab\r\n", b"f" * 17 + b"\r\n")),
    ],
    "trailers": [
        (chunked(body=b"0\r\nX-A: b\r\n\r\n"), 200),
        (chunked(body=b"0\r\n" + b"X-A: b\r\n" * 2_000 + b"\r\n"), 431),
        (chunked(body=b"0\r\nX A: b\r\n\r\n"), 400),
    ],
    "Expect": [
        (post(b"Expect: 100-continue", b"Content-Length: 0"), 200),
        (post(b"Expect: 100-Continue", b"Content-Length: 0"), 200),
        (raw(b"Expect: x", version=b"HTTP/1.0"), 200),
        (post(b"Expect: 200-ok", b"Content-Length: 0"), 417),
        (post(b"Expect: 100-continue, x", b"Content-Length: 0"), 417),
    ],
    "Upgrade": [
        (raw(b"Connection: Upgrade", b"Upgrade: websocket"), 200),
        (raw(b"Upgrade: h2c"), 200),
        (post(b"Connection: Upgrade", b"Upgrade: h2c", b"Content-Length: 2", body=b"ab"), 400),
    ],
    "field line": [
        *((raw(line), 200) for line in (b"X:", b"X: \t a \t", b"X: \xe9", b"!#$%&'*+-.^_`|~0: a")),
        *((raw(line), 400) for line in (b"X : a", b"X", b": a", b" X: a", b"X\xe9: a", b"X(: a")),
        *((raw(line), 400) for line in (b"X: a\0", b"X: a\rY: b", b"X: a\nY: b", b"X: \x01")),
        *((raw(line), 400) for line in (b"X: a\r\n folded", b"X: \x7f")),
    ],
    "head": [
        (raw(*[b"X: y"] * (_LINES - 1)), 200),
        (raw(*[b"X: y"] * _LINES), 431),
        (raw(b"X: " + b"a" * (BOUNDS.head_bytes - 100)), 200),
        *((raw(b"X: " + b"a" * n), 431) for n in (BOUNDS.head_bytes, 40_000, 100_000)),
        (b"\r\n\r\n" + raw(), 200),
        (b"\r\n" * BOUNDS.head_bytes, 431),
    ],
}
"""What is sent over a connection, and the status of the answer."""
