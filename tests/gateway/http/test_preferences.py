"""`Prefer` and `Idempotency-Key`, as clients write them."""

import pytest

from gateway.http.preferences import Preference, idempotency_key, preference
from gateway.problems import ProblemError


@pytest.mark.parametrize(
    ("header", "preferred"),
    [
        (None, Preference(5.0)),
        ("", Preference(5.0)),
        ("return=minimal", Preference(5.0)),
        ("wait=soon", Preference(5.0)),
        ("wait=-1", Preference(5.0)),
        ("respond-async", Preference(0.0, "respond-async")),
        ("Respond-Async; foo=bar", Preference(0.0, "respond-async")),
        ("wait=0", Preference(0.0, "wait=0")),
        ("wait=3", Preference(3.0, "wait=3")),
        ('WAIT = "3"', Preference(3.0, "wait=3")),
        ("wait=100", Preference(20.0, "wait=20")),
        (f"wait={'9' * 500}", Preference(20.0, "wait=20")),
        ("handling=lenient, wait=3; foo", Preference(3.0, "wait=3")),
        ("wait=3, wait=9", Preference(3.0, "wait=3")),
        ("respond-async, wait=10", Preference(10.0, "wait=10")),
    ],
)
def test_a_wish_is_granted_as_far_as_it_can_be(header: str | None, preferred: Preference) -> None:
    assert preference(header, default=5.0, most=20.0) == preferred


@pytest.mark.parametrize(
    ("header", "key"),
    [
        (None, None),
        ("a", "a"),
        ("8e03978e-40d5-43dd-bc93-6894a57f9324", "8e03978e-40d5-43dd-bc93-6894a57f9324"),
        ('"a key"', "a key"),
        (" bare ", "bare"),
        ("k" * 255, "k" * 255),
    ],
)
def test_a_key_is_taken_quoted_or_bare(header: str | None, key: str | None) -> None:
    assert idempotency_key(header) == key


@pytest.mark.parametrize("header", ["", " ", '""', '"', 'a"b', "k" * 256, "schlüssel", "a\tb"])
def test_what_is_no_key_is_refused(header: str) -> None:
    with pytest.raises(ProblemError) as error:
        idempotency_key(header)
    assert error.value.code == "invalid-idempotency-key"
