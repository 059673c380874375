import hashlib
import time

from hypothesis import given
from hypothesis import strategies as st

from contracts.ids import uuid7, uuid8


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
