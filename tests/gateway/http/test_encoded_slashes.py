"""Which endpoint a path is: an encoded slash is part of a value, and parts no segments."""

from urllib.parse import unquote

import pytest

from gateway.http.problems import ProblemError
from gateway.http.routing import Dispatch
from gateway.routes import ENDPOINTS

DISPATCH = Dispatch(ENDPOINTS, ())


def found(raw: str) -> tuple[str, dict[str, str]]:
    declared, _, values = DISPATCH.path_of(unquote(raw), raw.encode())
    return declared, values


@pytest.mark.parametrize(
    ("raw", "symbol"),
    [
        ("/api/v1/quotes/AAPL", "AAPL"),
        ("/api/v1/quotes/BRK%2FB", "BRK/B"),
        ("/api/v1/quotes/BRK%2fB", "BRK/B"),
        ("/api/v1/quotes/%2F", "/"),
        ("/api/v1/quotes/A%2FB%2Fc", "A/B/c"),
        ("/api/v1/quotes/M%26M.NS", "M&M.NS"),
        ("/api/v1/quotes/BRK%252FB", "BRK%2FB"),
    ],
)
def test_encoded_slash_is_part_of_the_symbol(raw: str, symbol: str) -> None:
    assert found(raw) == ("/api/v1/quotes/{symbol}", {"symbol": symbol})


@pytest.mark.parametrize(
    "raw",
    [
        "/api/v1/quotes/BRK/B",
        "/api/v1%2Fquotes/AAPL",
        "/api/v1/quotes%2FAAPL",
        "%2Fapi/v1/quotes",
        "/api/v1/quotes/BRK%2FB/",
        "/api%2Fv1%2Fquotes",
    ],
)
def test_path_with_another_number_of_segments_is_not_found(raw: str) -> None:
    with pytest.raises(ProblemError) as raised:
        found(raw)
    assert raised.value.code == "not-found"
