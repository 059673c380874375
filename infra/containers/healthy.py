"""The health check of a container: `python -m infra.containers.healthy [live|ready|startup]`.

Exit code 0 when the process inside says so. Images have no curl, and this runs every few seconds:
it imports next to nothing.
"""

import os
import socket
import sys

SECONDS = 3


def problem(path: str, port: int) -> str | None:
    """What is wrong, or None."""
    try:
        with socket.create_connection(("127.0.0.1", port), SECONDS) as client:
            client.sendall(f"GET /health/{path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
            with client.makefile("rb") as answer:
                status = answer.readline()
                text = answer.read()
    except OSError as error:
        return error.strerror or str(error)
    if status.split()[1:2] == [b"200"]:
        return None
    return text.rpartition(b"\r\n\r\n")[2].decode(errors="replace") or "no answer"


def main() -> int:
    """Return 0 when this container answers the health check in its argument, else 1."""
    path = sys.argv[1] if len(sys.argv) > 1 else "live"
    found = problem(path, int(os.environ.get("QNT9_HEALTH_PORT", "8080")))
    if found:
        sys.stdout.write(f"{found}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
