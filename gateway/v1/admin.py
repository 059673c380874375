"""What admins do: tiers and permissions of users, who they are, what happened."""

from uuid import UUID

from contracts.commands import ChangePermissions, ChangeTier
from contracts.outcomes import Succeeded
from gateway import queries
from gateway.deps import GatewayDeps
from gateway.http.call import Call
from gateway.http.cursors import page_of, read_cursor
from gateway.http.endpoints import AccessLevel, Answer, Endpoint, Link
from gateway.problems import ProblemError
from gateway.rate_limit.policies import READ, WRITE
from gateway.v1.admin_models import (
    Accounts,
    AuditEntries,
    AuditPage,
    PermissionsBody,
    Standing,
    TierBody,
    UsersPage,
)
from gateway.v1.auth import principal_of
from gateway.v1.models import Pending


async def change_tier(call: Call, deps: GatewayDeps) -> Answer:
    """Limits change within a second. Watchlist items beyond a lower limit stay."""
    command = ChangeTier(user_id=_user(call), tier=call.body(TierBody).tier)
    return await _change(call, deps, command)


async def change_permissions(call: Call, deps: GatewayDeps) -> Answer:
    """Takes effect at once for admin routes, and within a second for all others."""
    wanted = tuple(sorted(set(call.body(PermissionsBody).permissions)))
    return await _change(call, deps, ChangePermissions(user_id=_user(call), permissions=wanted))


async def users(call: Call, deps: GatewayDeps) -> Answer:
    page = call.query(UsersPage)
    place = read_cursor(page.cursor)
    rows = await queries.users(
        deps.pool,
        address_hash=principal_of(deps, page.email) if page.email else None,
        tier=page.tier,
        verified=page.verified,
        before=place[1] if place else None,
        limit=page.limit + 1,
    )
    displayed, cursor = page_of(rows, page.limit)
    return Answer(200, {"users": [dict(row) for row in displayed], "next_cursor": cursor})


async def audit(call: Call, deps: GatewayDeps) -> Answer:
    """A new event appears within a second."""
    page = call.query(AuditPage)
    rows = await queries.audit_entries(
        deps.pool,
        user_id=page.user_id,
        action=page.action,
        correlation_id=page.correlation_id,
        since=page.since,
        until=page.until,
        before=read_cursor(page.cursor),
        limit=page.limit + 1,
    )
    displayed, cursor = page_of(rows, page.limit)
    return Answer(200, {"entries": [dict(row) for row in displayed], "next_cursor": cursor})


async def _change(call: Call, deps: GatewayDeps, command: ChangeTier | ChangePermissions) -> Answer:
    """With the caller's own token, which accounts checks: our word alone makes nobody an admin."""
    intent = deps.commands.intent(call.context, str(call.caller.user_id))
    _, _, token = call.request.headers["authorization"].partition(" ")
    proof = deps.seals.for_administration(intent, {"token": token})
    command = command.model_copy(update={"proof": proof})
    key = str(command.user_id)
    return await deps.commands.publish_and_wait(
        call.context, intent, command, key=key, answer=_changed
    )


def _changed(success: Succeeded) -> Answer:
    return Answer(200, success.result)


def _user(call: Call) -> UUID:
    try:
        return UUID(call.path("id"))
    except ValueError:
        raise ProblemError("unknown-user") from None


ENDPOINTS = (
    Endpoint(
        "PUT",
        "/api/v1/admin/users/{id}/tier",
        change_tier,
        "Change the tier of a user",
        {200: Standing, 202: Pending},
        problems=("unknown-user",),
        access=AccessLevel.ADMIN,
        body=TierBody,
        command=True,
        limits=WRITE,
    ),
    Endpoint(
        "PUT",
        "/api/v1/admin/users/{id}/permissions",
        change_permissions,
        "Replace the permissions of a user",
        {200: Standing, 202: Pending},
        problems=("unknown-user", "user-not-verified", "last-admin"),
        access=AccessLevel.ADMIN,
        body=PermissionsBody,
        command=True,
        limits=WRITE,
    ),
    Endpoint(
        "GET",
        "/api/v1/admin/users",
        users,
        "Users, the newest first",
        {200: Accounts},
        access=AccessLevel.ADMIN,
        query=UsersPage,
        limits=READ,
        links=tuple(
            Link(operation, {"id": "$response.body#/users/0/id"})
            for operation in ("admin_change_tier", "admin_change_permissions")
        ),
    ),
    Endpoint(
        "GET",
        "/api/v1/admin/audit",
        audit,
        "The audit log, newest first",
        {200: AuditEntries},
        access=AccessLevel.ADMIN,
        query=AuditPage,
        limits=READ,
    ),
)
