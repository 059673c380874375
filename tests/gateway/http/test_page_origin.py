"""Which requests come from a page that may have a session in a cookie."""

import pytest

from gateway.http.page_origin import require_page_of
from gateway.problems import ProblemError

PAGE = "https://app.example.com"
GOOD = {"origin": PAGE, "x-csrf-protection": "1"}


@pytest.mark.parametrize("site", [None, "same-origin", "same-site"])
def test_page_of_a_trusted_origin_may_call(site: str | None) -> None:
    require_page_of({PAGE}, GOOD if site is None else {**GOOD, "sec-fetch-site": site})


@pytest.mark.parametrize(
    "changed",
    [
        {"origin": ""},
        {"origin": "null"},
        {"origin": "https://evil.example.com"},
        {"origin": "http://app.example.com"},
        {"origin": "https://app.example.com:8443"},
        {"origin": "https://app.example.com.evil.example"},
        {"origin": f"{PAGE},{PAGE}"},
        {"origin": f"{PAGE}/"},
        {"x-csrf-protection": ""},
        {"x-csrf-protection": "0"},
        {"x-csrf-protection": "1,1"},
        {"sec-fetch-site": "cross-site"},
    ],
)
def test_any_other_request_is_refused(changed: dict[str, str]) -> None:
    with pytest.raises(ProblemError) as refused:
        require_page_of({PAGE}, {**GOOD, **changed})
    assert refused.value.code == "untrusted-origin"


@pytest.mark.parametrize("missing", ["origin", "x-csrf-protection"])
def test_request_without_origin_or_header_is_refused(missing: str) -> None:
    headers = {name: value for name, value in GOOD.items() if name != missing}
    with pytest.raises(ProblemError):
        require_page_of({PAGE}, headers)
