"""Who is calling: the token's user, and the address behind trusted proxies."""

from collections import OrderedDict

from contracts.values import Permission
from gateway import queries
from gateway.auth.revocation import Revocations
from gateway.http.body import read_query
from gateway.http.endpoints import AccessLevel
from gateway.http.forwarded import Network, Source, address_of, client_address
from gateway.http.header_fields import bearer_token
from gateway.http.request import GatewayRequest
from gateway.problems import ProblemError
from gateway.stream.tickets import Tickets
from infra.postgres.reads import Readable
from infra.runtime.clock import CLOCK
from infra.security.access_tokens import Principal, TokenChecker, TokenError
from infra.security.client_cipher import Client

REMEMBERED = 20_000
AGENT_CHARACTERS = 512
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="qnt9"'}


class Authenticator:
    """Authenticates requests; a checked token is remembered until it expires."""

    def __init__(
        self,
        checker: TokenChecker,
        access: Revocations,
        pool: Readable,
        tickets: Tickets,
        trusted_proxies: tuple[Network, ...],
        *,
        forwarded_header: Source = "auto",
    ) -> None:
        self._checker = checker
        self._access = access
        self._pool = pool
        self._tickets = tickets
        self._trusted = trusted_proxies
        self._forwarded_header = forwarded_header
        self._checked: OrderedDict[str, Principal] = OrderedDict()

    async def authenticate(
        self, request: GatewayRequest, level: AccessLevel, *, by_ticket: bool = False
    ) -> Principal | None:
        """The user, or None where anyone may call. Raises `ProblemError`."""
        if level is AccessLevel.ANYONE:
            return None
        ticket = read_query(request.query).get("ticket") if by_ticket else None
        if isinstance(ticket, str) and "authorization" not in request.headers:
            principal = self.current(await self._tickets.redeem(ticket))
        else:
            principal = self.principal(request)
        if level is AccessLevel.VERIFIED and not principal.verified:
            # Confirmed a moment ago, perhaps, and not yet heard of here.
            profile = await queries.profile(self._pool, principal.user_id)
            if profile is None or profile["email_confirmed_at"] is None:
                raise ProblemError("email-not-verified")
        if level is AccessLevel.ADMIN:
            await self._check_admin(principal)
        return principal

    async def _check_admin(self, principal: Principal) -> None:
        """As the database has it at this moment: neither the token nor what was heard counts."""
        found = await queries.access_state(self._pool, principal.user_id, principal.session_id)
        if found is None or found["session_ended"]:
            raise ProblemError("unauthenticated", "The session has ended.", headers=_CHALLENGE)
        if Permission.ADMIN not in found["permissions"]:
            raise ProblemError("forbidden")

    def principal(self, request: GatewayRequest) -> Principal:
        """Whom the bearer token names, as of now. Raises `ProblemError`."""
        token = bearer_token(request.headers.get("authorization", ""))
        if token is None:
            raise ProblemError("unauthenticated", headers=_CHALLENGE)
        principal = self._checked.get(token)
        if principal is None:
            try:
                principal = self._checker.check(token)
            except TokenError as error:
                raise ProblemError(
                    "unauthenticated",
                    headers={"WWW-Authenticate": 'Bearer realm="qnt9", error="invalid_token"'},
                ) from error
            self._checked[token] = principal
            if len(self._checked) > REMEMBERED:
                self._checked.popitem(last=False)
        if principal.expires_at <= CLOCK.time():
            self._checked.pop(token, None)
        return self.current(principal)

    def current(self, principal: Principal) -> Principal:
        """Whom a token names, as of now. Raises `ProblemError`."""
        if principal.expires_at <= CLOCK.time():
            raise ProblemError("unauthenticated", "The token has expired.", headers=_CHALLENGE)
        return self._access.current(principal)

    def client(self, request: GatewayRequest) -> Client:
        """Address and agent; forwarded addresses count only from trusted proxies."""
        agent = request.headers.get("user-agent", "")[:AGENT_CHARACTERS] or None
        host = request.client.host if request.client else None
        peer = address_of(host) if host else None
        if peer is None:
            return Client(host, agent)
        if self._trusted:
            peer = client_address(peer, request.headers, self._trusted, self._forwarded_header)
        return Client(str(peer), agent)
