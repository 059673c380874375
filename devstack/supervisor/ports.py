"""Which port each process listens on, counted from `--port-base`."""

import socket
from dataclasses import dataclass

LOOPBACK = "127.0.0.1"
MAX_INSTANCES = 4
"""More would run into the ports of the infrastructure."""

_HEALTH = {
    "gateway": 47,
    "signup": 40,
    "accounts": 41,
    "verification": 42,
    "watchlist": 43,
    "quotes": 44,
    "audit": 45,
    "relay": 46,
}
SCALABLE = tuple(_HEALTH)


@dataclass(frozen=True)
class Ports:
    base: int

    def gateway(self, instance: int = 1) -> int:
        return self.base + instance - 1

    @property
    def web(self) -> int:
        return self.base + 10

    @property
    def web_health(self) -> int:
        return self.base + 48

    @property
    def exchange(self) -> int:
        return self.base + 20

    @property
    def inbox(self) -> int:
        return self.base + 25

    @property
    def smtp(self) -> int:
        return self.base + 26

    @property
    def postgres(self) -> int:
        return self.base + 32

    def health(self, role: str, instance: int = 1) -> int:
        return self.base + _HEALTH[role] + 10 * (instance - 1)

    @property
    def valkey(self) -> int:
        return self.base + 79

    @property
    def kafka(self) -> int:
        return self.base + 92

    @property
    def kafka_controller(self) -> int:
        return self.base + 93


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True
