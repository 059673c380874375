"""The leanest service's accounts: signing up and in, and staying so."""

from uuid import uuid4

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response

from bench.plain import lean_store as store
from bench.plain.common import (
    Account,
    first_refresh_token,
    new_token,
    send_verification,
    token_pair,
)
from bench.plain.lean_parts import Parts, Refused, answer, client_of, parts_of
from bench.plain.limits import caller
from bench.plain.rotation import CODES, GOOD, INVALID, Rotation
from gateway.rate_limit.policies import REFRESH, SIGN_IN, SIGN_UP
from gateway.v1.models import RefreshBody, SignInBody, SignUpBody


async def sign_up(request: Request) -> Response:
    parts = parts_of(request)
    body = SignUpBody.model_validate_json(await request.body())
    taken = await parts.limits.take(SIGN_UP, caller(request, body.email))
    async with parts.passwords.slot() as slot:
        password_hash = await slot.hash(body.password)
    token = new_token()
    new = store.NewUser(uuid4(), body.email, body.display_name, password_hash, token)
    made = await store.insert_user(parts.pool, new, client_of(request))
    mail = BackgroundTask(_mail, parts, body.email, token) if made else None
    return answer(202, {"status": "accepted"}, taken, mail)


async def _mail(parts: Parts, email: str, token: str) -> None:
    await send_verification(parts.settings, email, token)
    await store.mark_mailed(parts.pool, token)


async def sign_in(request: Request) -> Response:
    parts = parts_of(request)
    body = SignInBody.model_validate_json(await request.body())
    taken = await parts.limits.take(SIGN_IN, caller(request, body.email))
    row = await store.account(parts.pool, body.email)
    async with parts.passwords.slot() as slot:
        matches = await slot.matches(body.password, row["password_hash"] if row else None)
    if row is None or not matches:
        user_id = row["id"] if row else None
        await store.log(parts.pool, user_id, "user.signin_failed", client_of(request))
        raise Refused(401, "invalid-credentials")
    session_id = uuid4()
    refresh_token = first_refresh_token(session_id)
    account = Account(row["id"], row["tier"], row["verified"], row["permissions"], row["version"])
    session = store.Session(session_id, account.id, refresh_token)
    await store.insert_session(parts.pool, session, client_of(request))
    await parts.limits.succeeded(taken)
    return answer(200, token_pair(parts.signer, account, session_id, refresh_token), taken)


async def refresh(request: Request) -> Response:
    parts = parts_of(request)
    body = RefreshBody.model_validate_json(await request.body())
    taken = await parts.limits.take(REFRESH, caller(request))
    rotation = Rotation.of(body.refresh_token, parts.settings.refresh_key)
    row = await store.rotate(parts.pool, rotation, client_of(request)) if rotation else None
    evaluated = row["judgement"] if row else INVALID
    if row is None or rotation is None or evaluated not in GOOD:
        raise Refused(401, CODES[evaluated])
    account = Account(row["id"], row["tier"], row["verified"], row["permissions"], row["version"])
    pair = token_pair(parts.signer, account, rotation.session_id, rotation.successor)
    return answer(200, pair, taken)
