import hashlib
from datetime import timedelta

import pytest
from pydantic import ValidationError

from contracts.events import UserSigninFailed
from contracts.ids import uuid7
from contracts.sealed_contents import Credentials
from infra.security.mailed_tokens import token_hash
from infra.security.refresh_tokens import refresh_token, session_of
from tests.support.users import ADA, PASSWORD
from workers.accounts.rules import Account
from workers.accounts.sessions.rules import (
    GRACE,
    MAX_LATE_RUN,
    Refresh,
    RefreshDecision,
    Token,
    classify_refresh,
)
from workers.accounts.signin.rules import Check, failure

AN_ACCOUNT = Account(uuid7(), "$argon2id$…", "free", verified=True, permissions=(), version=1)


def test_a_failure_is_about_the_user_whose_address_it_is() -> None:
    assert failure(AN_ACCOUNT) == UserSigninFailed(
        user_id=AN_ACCOUNT.user_id, reason="wrong_password"
    )


def test_a_failure_for_an_unknown_address_is_about_no_one() -> None:
    assert failure(None) == UserSigninFailed(user_id=None, reason="unknown_address")


def test_address_is_kept_as_it_was_given() -> None:
    given = Credentials(email=" Ada@Example.COM ", password=PASSWORD)
    assert given.email == "Ada@example.com"


@pytest.mark.parametrize("content", [{"email": "nobody", "password": PASSWORD}, {"email": ADA}])
def test_what_is_not_valid_is_not_repeated_in_the_error(content: dict[str, str]) -> None:
    with pytest.raises(ValidationError) as error:
        Credentials.model_validate(content)
    assert not {*content.values()} & {*str(error.value).split()}


def test_no_password_and_no_hash_is_in_a_representation() -> None:
    assert PASSWORD not in repr(Credentials(email=ADA, password=PASSWORD))
    assert "argon2" not in repr(AN_ACCOUNT)
    assert "argon2" not in repr(Check(matches=True, renewed_hash="$argon2id$…"))


def test_a_refresh_token_is_kept_as_its_sha_256() -> None:
    assert token_hash("a token") == hashlib.sha256(b"a token").digest()


A_MOMENT = timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("token", "judgement"),
    [
        (None, RefreshDecision.INVALID),
        (Token(), RefreshDecision.FRESH),
        (Token(expired=True), RefreshDecision.INVALID),
        (Token(session_ended=True), RefreshDecision.INVALID),
        (Token(session_ended=True, spent_ago=timedelta(days=1)), RefreshDecision.INVALID),
        (Token(spent_ago=timedelta()), RefreshDecision.REPEATED),
        (Token(spent_ago=GRACE), RefreshDecision.REPEATED),
        (Token(spent_ago=GRACE + A_MOMENT), RefreshDecision.REPEATED),
        (Token(spent_ago=timedelta(days=29)), RefreshDecision.REPEATED),
        (Token(spent_ago=timedelta(), successor_used=True), RefreshDecision.REUSED),
        (
            Token(spent_ago=timedelta(days=40), successor_used=True, expired=True),
            RefreshDecision.REUSED,
        ),
        (Token(spent_ago=timedelta(days=40), expired=True), RefreshDecision.INVALID),
        (Token(spent_ago=GRACE, late_run=MAX_LATE_RUN), RefreshDecision.REPEATED),
        (Token(spent_ago=GRACE + A_MOMENT, late_run=MAX_LATE_RUN - 1), RefreshDecision.REPEATED),
        (Token(spent_ago=GRACE + A_MOMENT, late_run=MAX_LATE_RUN), RefreshDecision.REUSED),
    ],
)
def test_a_refresh_token_is_judged(token: Token | None, judgement: RefreshDecision) -> None:
    assert classify_refresh(token) is judgement


def test_a_token_has_one_successor_that_no_one_makes_without_the_key() -> None:
    session_id, key = uuid7(), bytes(range(32))
    token = Refresh(refresh_token=refresh_token(session_id, bytes(32)))
    successor = token.successor(key)
    assert successor == token.successor(key)
    assert session_of(successor) == session_id
    other_key, other_token = bytes(32), Refresh(refresh_token=successor)
    assert len({successor, token.successor(other_key), other_token.successor(key)}) == 3
    assert token.refresh_token not in repr(token)
