import hashlib
import time
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from contracts.ids import derived_uuid7, time_of, uuid7, uuid8


def test_version_7_is_what_the_rfc_says_and_sorts_by_time() -> None:
    before = time.time_ns() // 1_000_000
    ids = [uuid7() for _ in range(1_000)]
    after = time.time_ns() // 1_000_000
    assert all(each.version == 7 and each.variant == "specified in RFC 4122" for each in ids)
    assert all(before <= each.int >> 80 <= after for each in ids)
    assert len(set(ids)) == 1_000


@given(st.binary(min_size=16, max_size=64))
def test_version_8_is_the_same_for_the_same_bytes(digest: bytes) -> None:
    made = uuid8(digest)
    assert made == uuid8(digest)
    assert (made.version, made.variant) == (8, "specified in RFC 4122")


def test_version_8_differs_for_other_bytes() -> None:
    digests = [hashlib.sha256(bytes([n])).digest() for n in range(200)]
    assert len({uuid8(digest) for digest in digests}) == 200


@given(st.datetimes(datetime(1970, 1, 1), datetime(2999, 1, 1)), st.lists(st.text(), max_size=4))  # noqa: DTZ001
def test_derived_id_is_the_same_for_the_same_time_and_parts(at: datetime, parts: list[str]) -> None:
    at = at.replace(tzinfo=UTC)
    made = derived_uuid7(at, *parts)
    assert made == derived_uuid7(at, *parts)
    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    assert timedelta(0) <= at - time_of(made) < timedelta(milliseconds=1)


def test_derived_id_differs_for_other_parts_and_other_borders_between_them() -> None:
    at = datetime(2026, 11, 29, tzinfo=UTC)
    parts = [("a", "b"), ("ab",), ("", "ab"), ("ab", ""), ("a", "b", 0), ("a", "b", 1), ()]
    assert len({derived_uuid7(at, *each) for each in parts}) == len(parts)
    assert len({derived_uuid7(at, n) for n in range(2_000)}) == 2_000
