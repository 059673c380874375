"""Both slices run in one process, and are tested with the same parts."""

from tests.workers.verification.conftest import deps, server, start_sender

__all__ = ["deps", "server", "start_sender"]
