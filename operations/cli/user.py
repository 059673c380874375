"""`qnt9 user`: who somebody is, and the first admin."""

import json
import os
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import click
from pydantic import SecretStr

from devstack.supervisor.credentials import load_or_create
from devstack.supervisor.layout import Layout
from gateway.auth.password_rules import check_password
from gateway.auth.password_strength import is_guessable
from infra.messaging.access_changes import AccessChanges
from infra.messaging.outcome_notifier import Announcement, OutcomeNotifier
from infra.messaging.transaction import Transactions
from infra.postgres.pool import Pool
from infra.redis.client import open_redis
from infra.runtime.settings import Key, PostgresSettings, RedisSettings
from infra.security.address_hmac import address_hash, normalise
from infra.security.password_hashing import Passwords
from operations import users
from operations.cli.options import data_option, fail
from operations.cli.runner import loaded, run
from operations.cli.target import point_at
from operations.database import open_database
from operations.ops_events import this_operator
from operations.users import Admin, Did

SAID = {
    Did.CREATED: "created; signs in with that password",
    Did.PROMOTED: "is an admin now; the password is as it was",
    Did.NOTHING: "is an admin already; nothing was changed",
}


class _Accounts(PostgresSettings):
    """The owner's database, the key of addresses; the cache server, where gateways are to hear."""

    address_key: Key
    redis_url: SecretStr | None = None


@click.group(epilog="Example: qnt9 user show ada@example.com")
def user() -> None:
    """Users: create the first admin, show a user, end sessions."""


@user.command("create-admin", epilog="Example: qnt9 user create-admin root@example.com")
@click.argument("email")
@data_option
@click.option("--password-stdin", is_flag=True, help="The password is the first line of stdin.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")
def create_admin(email: str, data: Path, *, password_stdin: bool, as_json: bool) -> None:
    """Make EMAIL an admin: its verified user, or a new one.

    A new user counts as verified and needs a password, which is asked for. Sign-ups with the
    address that wait for verification end. Run again, it changes nothing. Uses QNT9_POSTGRES_DSN
    (the owner's), QNT9_ADDRESS_KEY and QNT9_REDIS_URL, else the system of --data.
    """
    address = _address(email)
    settings = _settings(data)
    made = run(_make(settings, address))
    if made is None:
        password = _password(address, password_stdin=password_stdin)
        made = run(_make(settings, address, password))
        assert made
    if as_json:
        click.echo(json.dumps({"id": str(made.id), "did": made.did}))
    else:
        click.echo(f"{made.id} {SAID[made.did]}")


@user.command(epilog="Example: qnt9 user show 01a1a0a3-0325-7614-ad32-fd110ba494f9 --json")
@click.argument("who", metavar="EMAIL|ID")
@data_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")
def show(who: str, data: Path, *, as_json: bool) -> None:
    """Show a user: ids, tier, permissions, sessions, last events.

    By address, every sign-up with it is shown; by id, the address is not shown.
    """
    email, user_id = _named(who)
    point_at(data, "QNT9_POSTGRES_DSN")
    found = run(_found(loaded(PostgresSettings), email, user_id))
    if not found:
        raise fail("there is no such user")
    if as_json:
        click.echo(json.dumps({"users": found}, default=str, indent=2))
    else:
        click.echo("\n\n".join(map(_as_text, found)))


@user.command("end-sessions", epilog="Example: qnt9 user end-sessions ada@example.com")
@click.argument("who", metavar="[EMAIL|ID]", required=False)
@data_option
@click.option("--all", "everybody", is_flag=True, help="The sessions of every user.")
def end_sessions(who: str | None, data: Path, *, everybody: bool) -> None:
    """End the open sessions of a user, or of all users: they have to sign in again.

    Each leaves an event in the audit log. Uses QNT9_POSTGRES_DSN (the owner's), QNT9_ADDRESS_KEY
    and QNT9_REDIS_URL, else the system of --data.
    """
    if (who is None) is not everybody:
        raise click.UsageError("name a user, or give --all")
    ended = run(_end_sessions(_settings(data), who))
    click.echo(f"{ended} session{'' if ended == 1 else 's'} ended")


async def _end_sessions(settings: _Accounts, who: str | None) -> int:
    async with open_database(settings) as pool, _outcome_notifier(settings) as outcome_notifier:
        user_ids: list[UUID | None] = [None]
        if who is not None:
            email, user_id = _named(who)
            user_ids = [row["id"] for row in await users.find(pool, email=email, user_id=user_id)]
            if not user_ids:
                raise fail("there is no such user")
        now = await pool.fetchval("SELECT now()")
        operator = this_operator(None).operator
        transactions = Transactions(pool, "operator", outcome_notifier)
        return sum(
            [
                await users.end_sessions(transactions, each, begun_before=now, operator=operator)
                for each in user_ids
            ]
        )


async def _make(settings: _Accounts, email: str, password: str | None = None) -> Admin | None:
    hashed = None
    if password is not None:
        async with Passwords(at_once=1).slot() as slot:
            hashed = await slot.hash(password)
    async with open_database(settings) as pool, _outcome_notifier(settings) as outcome_notifier:
        return await users.make_admin(
            Transactions(pool, "operator", outcome_notifier),
            email,
            address_hash=address_hash(settings.address_key, email),
            password_hash=hashed,
            operator=this_operator(None).operator,
        )


class _SpokenOutcomeNotifier(OutcomeNotifier):
    """Tells the operator when the cache server did not pass a change on."""

    async def announce(
        self, announcements: Iterable[Announcement], changes: AccessChanges | None = None
    ) -> bool:
        if heard := await super().announce(announcements, changes):
            return heard
        click.echo("Valkey does not answer: gateways hear of it within ten seconds", err=True)
        return False


@asynccontextmanager
async def _outcome_notifier(settings: _Accounts) -> AsyncIterator[OutcomeNotifier | None]:
    if settings.redis_url is None:
        yield None
        return
    async with open_redis(loaded(RedisSettings)) as redis:
        yield _SpokenOutcomeNotifier(redis)


async def _found(
    settings: PostgresSettings, email: str | None, user_id: UUID | None
) -> list[dict[str, Any]]:
    async with open_database(settings) as pool:
        found = await users.find(pool, email=email, user_id=user_id)
        return [await _about(pool, dict(row), email) for row in found]


async def _about(pool: Pool, row: dict[str, Any], email: str | None) -> dict[str, Any]:
    sessions = await users.open_sessions(pool, row["id"])
    events = await users.last_events(pool, row["id"])
    return {
        "id": row["id"],
        **({"email": email} if email else {}),
        "state": _state(row),
        **{name: row[name] for name in ("tier", "permissions", "version", "created_at")},
        "email_confirmed_at": row["email_confirmed_at"],
        "sessions": [dict(each) for each in sessions],
        "last_events": [dict(each) for each in events],
    }


def _state(row: dict[str, Any]) -> str:
    if row["erased_at"]:
        return "erased"
    if row["superseded_at"]:
        return "superseded"
    return "verified" if row["email_confirmed_at"] else "unverified"


def _as_text(about: dict[str, Any]) -> str:
    lines = [f"user         {about['id']}"]
    if "email" in about:
        lines.append(f"address      {about['email']}")
    lines += [
        f"state        {about['state']}",
        f"tier         {about['tier']}",
        f"permissions  {', '.join(about['permissions']) or 'none'}",
        f"since        {about['created_at']:%Y-%m-%d %H:%M:%S} UTC",
        f"sessions     {len(about['sessions'])}",
    ]
    lines += [
        f"  {each['id']}  last used {each['last_used_at']:%Y-%m-%d %H:%M:%S} UTC"
        for each in about["sessions"]
    ]
    lines.append("last events")
    lines += [
        f"  {e['created_at']:%Y-%m-%d %H:%M:%S} UTC  {e['action']}" for e in about["last_events"]
    ]
    return "\n".join(lines)


def _address(email: str) -> str:
    try:
        return normalise(email)
    except ValueError as error:
        raise click.UsageError(f"EMAIL is no address: {error}") from None


def _named(who: str) -> tuple[str | None, UUID | None]:
    try:
        return None, UUID(who)
    except ValueError:
        return _address(who), None


def _password(email: str, *, password_stdin: bool) -> str:
    """Never an argument: the list of processes would show it."""
    if password_stdin:
        password: str = sys.stdin.readline().rstrip("\r\n")
    elif sys.stdin.isatty():
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        raise click.UsageError("there is no terminal to ask for the password: use --password-stdin")
    try:
        checked = check_password(password, email)
    except ValueError as error:
        raise fail(f"the password {error}") from None
    if is_guessable(checked, email):
        raise fail("the password is of a kind that is guessed early")
    return password


def _settings(data: Path) -> _Accounts:
    if point_at(data, "QNT9_POSTGRES_DSN"):
        key = load_or_create(Layout(data)).keys["QNT9_ADDRESS_KEY"]
        os.environ.setdefault("QNT9_ADDRESS_KEY", key)
    return loaded(_Accounts)
