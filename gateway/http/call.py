"""What a handler gets of one request."""

from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel

from gateway.context import RequestContext
from gateway.http.request import GatewayRequest
from infra.security.access_tokens import Principal

B = TypeVar("B", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Call:
    """One request, authenticated and validated, as its handler gets it."""

    request: GatewayRequest
    context: RequestContext
    payload: BaseModel | None
    queried: BaseModel | None

    def query(self, kind: type[B]) -> B:
        """The query that the endpoint declares."""
        assert isinstance(self.queried, kind)
        return self.queried

    def body(self, kind: type[B]) -> B:
        """The body that the endpoint declares."""
        assert isinstance(self.payload, kind)
        return self.payload

    @property
    def caller(self) -> Principal:
        """The user of a route that needs one."""
        return self.context.caller

    def path(self, name: str) -> str:
        """The value of a parameter of the path, decoded."""
        value: str = self.request.path_params[name]
        return value
