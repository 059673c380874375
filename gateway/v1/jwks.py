"""What tools look for: the keys that check tokens, the OpenAPI document."""

from gateway.deps import GatewayDeps
from gateway.http.call import Call
from gateway.http.endpoints import Answer, Endpoint
from gateway.v1.models import JwkSet
from infra.security.access_tokens import jwk


async def jwks(_: Call, deps: GatewayDeps) -> Answer:
    keys = [jwk(deps.settings.token_public_key)]
    return Answer(200, {"keys": keys}, (("Cache-Control", "public, max-age=300"),))


ENDPOINTS = (
    Endpoint(
        "GET",
        "/.well-known/jwks.json",
        jwks,
        "Public keys that verify access tokens",
        {200: JwkSet},
    ),
)
