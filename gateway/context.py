"""The context of a request, for the services that work for it."""

from dataclasses import dataclass
from typing import Any

from infra.security.access_tokens import Principal
from infra.security.client_cipher import Client


@dataclass(frozen=True, slots=True)
class RequestContext:
    """One request as plain values: who asks, how it is traced, and what makes it a repetition."""

    correlation_id: str
    traceparent: str
    client: Client
    user: Principal | None
    method: str
    """The declared one: GET for a HEAD request."""
    path: str
    idempotency_key: str | None
    """The field's value, unchecked."""
    prefer: str | None
    """The field's value, unchecked."""
    body: Any = None
    """The JSON of the body, not yet validated."""

    @property
    def caller(self) -> Principal:
        """The user of a route that needs one."""
        assert self.user is not None
        return self.user
