import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import base64url


@given(st.binary(max_size=100))
def test_decode_of_encoded_bytes_returns_the_bytes(raw: bytes) -> None:
    text = base64url.encode(raw)
    assert base64url.decode(text) == raw
    assert set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def test_decode_of_padded_text_returns_the_bytes() -> None:
    assert base64url.decode("_w==") == base64url.decode("_w") == b"\xff"


@pytest.mark.parametrize("text", ["A", "AAAAA", "é"])
def test_decode_of_what_is_no_base64url_raises_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        base64url.decode(text)
