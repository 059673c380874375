"""Forgotten, reset and changed passwords, and what takes a password: another address, the end."""

from contracts.commands import (
    ChangeEmail,
    ChangePassword,
    EraseAccount,
    ForgotPassword,
    ResetPassword,
    UndoEmailChange,
)
from contracts.outcomes import Succeeded
from gateway.deps import GatewayDeps
from gateway.http.call import Call
from gateway.http.endpoints import AccessLevel, Answer, Endpoint
from gateway.rate_limit.policies import EMAIL_CHANGE, LINK, MAIL, PASSWORD
from gateway.v1.auth import hashed, principal_of
from gateway.v1.models import (
    Accepted,
    ChangeEmailBody,
    ChangePasswordBody,
    Done,
    EraseBody,
    ForgotBody,
    Pending,
    ResetBody,
    Underway,
)


async def forgot(call: Call, deps: GatewayDeps) -> Answer:
    """Answers 202 when Kafka has the command, whether or not an account has the address."""
    body = call.body(ForgotBody)
    principal = principal_of(deps, body.email)
    intent = deps.commands.intent(call.context, principal)
    sealed = deps.seals.for_forgot(intent, body.model_dump())
    return await deps.commands.publish(
        call.context, intent, ForgotPassword(sealed=sealed), key=principal
    )


async def reset(call: Call, deps: GatewayDeps) -> Answer:
    """Ends every session of the user and invalidates earlier links."""
    body = call.body(ResetBody)
    await deps.strength.require("new_password", body.new_password)
    principal = hashed(deps, body.token)
    intent = deps.commands.intent(call.context, principal)
    sealed = deps.seals.for_password_reset(intent, body.model_dump())
    command = ResetPassword(sealed=sealed)
    return await deps.commands.publish_and_wait(
        call.context, intent, command, key=principal, answer=_done
    )


async def change(call: Call, deps: GatewayDeps) -> Answer:
    """Ends every other session of the user. The current one stays."""
    user, session_id = str(call.caller.user_id), call.caller.session_id
    intent = deps.commands.intent(call.context, user)
    body = call.body(ChangePasswordBody)
    await deps.strength.require("new_password", body.new_password)
    content = body.model_dump()
    sealed = deps.seals.for_password_change(intent, content)
    command = ChangePassword(session_id=session_id, sealed=sealed)
    return await deps.commands.publish_and_wait(
        call.context, intent, command, key=user, answer=_nothing
    )


async def change_email(call: Call, deps: GatewayDeps) -> Answer:
    """Mails a link to the new address and a notice to the old one. Answers 202 in any case."""
    user = str(call.caller.user_id)
    intent = deps.commands.intent(call.context, user)
    content = call.body(ChangeEmailBody).model_dump()
    sealed = deps.seals.for_email_change(intent, content)
    command = ChangeEmail(sealed=sealed, session_id=call.caller.session_id)
    return await deps.commands.publish_and_wait(
        call.context, intent, command, key=user, answer=_accepted
    )


async def undo_email(call: Call, deps: GatewayDeps) -> Answer:
    """Ends every session and sets the new password. For the owner of the former address."""
    body = call.body(ResetBody)
    await deps.strength.require("new_password", body.new_password)
    principal = hashed(deps, body.token)
    intent = deps.commands.intent(call.context, principal)
    sealed = deps.seals.for_email_undo(intent, body.model_dump())
    command = UndoEmailChange(sealed=sealed)
    return await deps.commands.publish_and_wait(
        call.context, intent, command, key=principal, answer=_done
    )


async def erase(call: Call, deps: GatewayDeps) -> Answer:
    """Permanently removes address, name, password, watchlist and sessions.

    The audit log keeps entries that can no longer be decrypted. Earlier commands of the caller
    expire with their topic, within days.
    """

    def erased(success: Succeeded) -> Answer:
        deps.access.session_ended(call.caller.session_id)
        return _accepted(success)

    user = str(call.caller.user_id)
    intent = deps.commands.intent(call.context, user)
    content = call.body(EraseBody).model_dump()
    command = EraseAccount(sealed=deps.seals.for_erasure(intent, content))
    return await deps.commands.publish_and_wait(
        call.context, intent, command, key=user, answer=erased
    )


def _done(_: Succeeded) -> Answer:
    return Answer(200, {"status": "done"})


def _nothing(_: Succeeded) -> Answer:
    return Answer(204)


def _accepted(_: Succeeded) -> Answer:
    return Answer(202, {"status": "accepted", "handle": None})


_OF_OWNERS = ("wrong-password", "unknown-user", "try-again")

ENDPOINTS = (
    Endpoint(
        "POST",
        "/api/v1/auth/password/forgot",
        forgot,
        "Mail a link that sets a new password; older ones stop working",
        {202: Accepted},
        body=ForgotBody,
        command=True,
        limits=MAIL,
    ),
    Endpoint(
        "POST",
        "/api/v1/auth/password/reset",
        reset,
        "Set a new password with the token that was mailed",
        {200: Done, 202: Pending},
        problems=("invalid-token", "expired-token", "weak-password"),
        body=ResetBody,
        command=True,
        limits=LINK,
    ),
    Endpoint(
        "POST",
        "/api/v1/auth/password/change",
        change,
        "Replace the password",
        {202: Pending, 204: None},
        problems=(*_OF_OWNERS, "weak-password"),
        access=AccessLevel.SIGNED_IN,
        body=ChangePasswordBody,
        command=True,
        limits=PASSWORD,
    ),
    Endpoint(
        "POST",
        "/api/v1/auth/email/change",
        change_email,
        "Request an address change",
        {202: Underway},
        problems=_OF_OWNERS,
        access=AccessLevel.SIGNED_IN,
        body=ChangeEmailBody,
        command=True,
        limits=(*PASSWORD, *EMAIL_CHANGE),
    ),
    Endpoint(
        "POST",
        "/api/v1/auth/email/undo",
        undo_email,
        "Undo an address change with the token mailed to the former address",
        {200: Done, 202: Pending},
        problems=("invalid-token", "expired-token", "weak-password", "address-taken"),
        body=ResetBody,
        command=True,
        limits=LINK,
    ),
    Endpoint(
        "POST",
        "/api/v1/users/me/erase",
        erase,
        "Erase the account",
        {202: Underway},
        problems=_OF_OWNERS,
        access=AccessLevel.SIGNED_IN,
        body=EraseBody,
        command=True,
        limits=PASSWORD,
    ),
)
