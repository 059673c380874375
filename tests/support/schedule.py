"""Which tests run one after the other in one process, with which system, and in which order."""

FIRST_SYSTEM = ("tests/e2e/",)
SECOND_SYSTEM = (
    "tests/chaos/",
    "tests/containers/",
    "tests/e2e/test_everything_killed.py",
    "tests/e2e/test_floods.py",
    "tests/e2e/test_many_streams.py",
    "tests/e2e/test_quote_outage.py",
    "tests/e2e/test_repetitions.py",
    "tests/e2e/test_repetitions_after_crash.py",
)
"""Tests that run against a second system, about half of those that need one that is shared."""
OWN_SYSTEM = (
    "tests/e2e/test_refill.py",
    "tests/e2e/test_tampering.py",
    "tests/e2e/test_limits.py",
    "tests/chaos/test_kills.py::test_without_the_inbox",
    "tests/chaos/test_safeguards.py::test_safeguard_taken_out",
    "tests/e2e/test_wheel.py",
)
"""Tests that start a system or a test run of their own, the longest first: whichever process has
first finished with its shared system runs them."""
SLOW = (
    "tests/bench/",
    "tests/infra/containers/",
    "tests/infra/kafka/test_remade_topic.py",
    "tests/infra/security/tls/test_kafka.py",
    "tests/test_guard.py",
)
"""Tests without a whole system that still take long."""
LAST = "test_everything_killed.py"
"""Of its system: it kills all of it."""
FIRST_LANE, SECOND_LANE, OWN_LANE, NO_SYSTEM = "first system", "second system", "own", "no system"


def lane_of(nodeid: str) -> str:
    """Return with which system a test runs."""
    for lane, prefixes in (
        (OWN_LANE, OWN_SYSTEM),
        (SECOND_LANE, SECOND_SYSTEM),
        (FIRST_LANE, FIRST_SYSTEM),
    ):
        if nodeid.startswith(prefixes):
            return lane
    return NO_SYSTEM


def scope_of(nodeid: str) -> str:
    """Return the sequence of tests that one process runs: of a shared system, or of a file."""
    lane = lane_of(nodeid)
    if lane == OWN_LANE:
        return next(prefix for prefix in OWN_SYSTEM if nodeid.startswith(prefix))
    return nodeid.partition("::")[0] if lane == NO_SYSTEM else lane


def order_of(nodeid: str) -> tuple[int, int, bool]:
    """Return a key that sorts the longest sequences to the front."""
    lanes = (FIRST_LANE, SECOND_LANE, OWN_LANE, NO_SYSTEM)
    own = [n for n, prefix in enumerate(OWN_SYSTEM) if nodeid.startswith(prefix)]
    slow = 0 if nodeid.startswith(SLOW) else 1
    return lanes.index(lane_of(nodeid)), own[0] if own else slow, LAST in nodeid
