"""On what, and with what, something was measured."""

import platform
import subprocess
import tomllib
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil
from redis.asyncio import Redis

from bench.product import ROOT, Stack
from infra.security.password_hashing import cores

PACKAGES = ("starlette", "fastapi", "uvicorn", "asyncpg", "aiokafka", "faststream", "pydantic")
LOCK = ROOT / "devstack" / "supervisor" / "jgo.lock.toml"
GIB = 1024**3


async def facts(stack: Stack) -> dict[str, str]:
    """For the head of a report."""
    memory = psutil.virtual_memory().total / GIB
    postgres = await stack.system.connection.fetchval("SHOW server_version")
    async with Redis.from_url(stack.status["redis"]["url"]) as redis:
        valkey = (await redis.info("server"))["valkey_version"]
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return {
        "commit": commit(),
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "machine": f"{cores()} cores of {processor()}, {memory:.0f} GiB, {platform.system()}",
        "versions": f"Python {platform.python_version()}, {packages}; Kafka {_kafka()}, "
        f"PostgreSQL {postgres} (fsync on), Valkey {valkey}",
    }


def _kafka() -> str:
    locked = tomllib.loads(LOCK.read_text("utf-8"))["dependencies"]
    return next(str(d["version"]) for d in locked if d["artifactId"] == "kafka-clients")


def commit() -> str:
    """The commit, and whether the tree differs from it."""
    try:
        name = _git("rev-parse", "--short=12", "HEAD")
        return f"{name} with changes" if _git("status", "--porcelain") else name
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _git(*arguments: str) -> str:
    return subprocess.run(
        ("git", *arguments), cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
