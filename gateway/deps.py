"""The dependencies of the gateway's routes, built once in `__main__`."""

from dataclasses import dataclass

from gateway.auth.authentication import Authenticator
from gateway.auth.password_strength import Strength
from gateway.auth.revocation import Revocations
from gateway.commands.publisher import CommandPublisher
from gateway.commands.seals import Seals
from gateway.quotes.history import Histories
from gateway.quotes.lookup import Quotes
from gateway.quotes.search import Searches
from gateway.rate_limit.limiter import Limits
from gateway.settings import GatewaySettings
from gateway.stream.streams import Streams
from gateway.stream.tickets import Tickets
from infra.postgres.reads import Readable
from infra.runtime.lifecycle import GracefulShutdownHandler


@dataclass(frozen=True, slots=True)
class GatewayDeps:
    """What handlers are given beside their call."""

    settings: GatewaySettings
    shutdown: GracefulShutdownHandler
    authenticator: Authenticator
    access: Revocations
    commands: CommandPublisher
    quotes: Quotes
    histories: Histories
    searches: Searches
    seals: Seals
    pool: Readable
    openapi: bytes
    """The OpenAPI document, as it is served."""
    limits: Limits
    streams: Streams
    tickets: Tickets
    strength: Strength
