"""Which pages may use the browser's session: those of named origins, on purpose.

A cookie is sent by whatever page asks for it. `SameSite=Strict` keeps it from other sites; the
origin and the header keep other origins of the same site out, and forms, which send no such header
(OWASP, Cross-Site Request Forgery Prevention).
"""

from collections.abc import Collection, Mapping

from gateway.problems import ProblemError

CSRF_HEADER = "X-CSRF-Protection"
CSRF_VALUE = "1"


def require_page_of(origins: Collection[str], headers: Mapping[str, str]) -> None:
    """Raise `ProblemError` unless a page of one of these origins sends the request itself."""
    if headers.get("origin") not in origins:
        raise ProblemError("untrusted-origin", "Origin must be one whose pages may call.")
    if headers.get(CSRF_HEADER.lower()) != CSRF_VALUE:
        raise ProblemError("untrusted-origin", f"{CSRF_HEADER} must be {CSRF_VALUE}.")
    if headers.get("sec-fetch-site") == "cross-site":
        raise ProblemError("untrusted-origin", "The page must be of the same site as the API.")
