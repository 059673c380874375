import pytest

from contracts.ids import uuid7
from infra.security.refresh_tokens import SECRET_BYTES, refresh_token, session_of


def test_a_token_names_its_session() -> None:
    session_id = uuid7()
    token = refresh_token(session_id, bytes(SECRET_BYTES))
    assert session_of(token) == session_id
    assert len(token) == 66


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "A" * 66,
        f"{'A' * 21}.{'A' * 43}",
        f"{'A' * 22}.{'A' * 44}",
        f"{'A' * 22}.{'A' * 42}=",
        f" {'A' * 22}.{'A' * 43}",
        f"{'A' * 22}.{'A' * 43}\n",
        f"{'ä' * 22}.{'A' * 43}",
        f"{'A' * 22}.{'A' * 43}.{'A' * 43}",
    ],
)
def test_what_is_no_token_names_none(text: str) -> None:
    assert session_of(text) is None
