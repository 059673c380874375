"""What tools look for: the keys that check tokens, the OpenAPI document."""

from gateway.http.endpoints import Answer, Call, Endpoint
from gateway.v1.models import JwkSet
from infra.security.access_tokens import jwk


async def jwks(call: Call) -> Answer:
    keys = [jwk(call.deps.settings.token_public_key)]
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
