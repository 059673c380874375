"""Whether there is a container engine, and whether it has or gets the images of compose.yaml."""

import subprocess

import yaml

from tests.support.stack import ROOT

ANSWER_SECONDS = 30
PULL_SECONDS = 300


def images() -> dict[str, str]:
    """By service; the same names and versions as in compose.yaml."""
    loaded = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
    return {name: loaded["services"][name]["image"] for name in ("kafka", "postgres", "redis")}


def why_not() -> str | None:
    """Why nothing can run in containers here, in words for the summary of a run."""
    if fault := _docker("info"):
        return f"DID NOT RUN: no container engine answers here ({fault})"
    for name in images().values():
        if _docker("image", "inspect", name) and (fault := _docker("pull", "--quiet", name)):
            return f"DID NOT RUN: the engine cannot get {name} ({fault})"
    return None


def _docker(*arguments: str) -> str | None:
    """What went wrong, or None."""
    seconds = PULL_SECONDS if arguments[0] == "pull" else ANSWER_SECONDS
    try:
        done = subprocess.run(
            ["docker", *arguments], capture_output=True, text=True, timeout=seconds, check=False
        )
    except FileNotFoundError:
        return "there is no docker"
    except subprocess.TimeoutExpired:
        return f"nothing within {seconds} s"
    if not done.returncode:
        return None
    return (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
