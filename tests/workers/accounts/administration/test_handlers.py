"""What admins change: each command has one effect and one event, and one admin remains."""

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from contracts import base64url
from contracts.commands import ChangePermissions, ChangeTier
from contracts.events import UserPermissionsChanged, UserTierChanged
from contracts.ids import uuid7
from contracts.outcomes import Outcome, Rejected, Succeeded
from contracts.topics import ACCOUNTS
from contracts.values import Permission, Tier
from infra.messaging.inbound import InboundMessage, PoisonError
from infra.postgres.personal_data_keys import user_key_id
from infra.security.access_tokens import TokenSigner
from infra.security.seals import OpeningKeys, SealingKey, binding
from tests.support.message_builders import A_CLIENT, an_envelope, received
from tests.support.outbox import MemoryOutcomeNotifier, events, outcomes, revealed, written_events
from tests.support.postgres import Database
from tests.support.users import a_user
from tests.support.workers.accounts_deps import accounts_deps
from workers.accounts.administration.handlers import change_standing
from workers.accounts.dependencies import AccountsDeps

ADMIN = Permission.ADMIN.value


@dataclass
class AdminSlice:
    """The slice, and who waits for it."""

    parts: AccountsDeps
    outcome_notifier: MemoryOutcomeNotifier
    database: Database
    sealing: SealingKey
    signer: TokenSigner

    async def user(self, name: str, *permissions: str, verified: bool = True) -> UUID:
        user_id = await a_user(self.database, f"{name}@example.com", verified=verified)
        await self.database.execute(
            "UPDATE users SET permissions = $2 WHERE id = $1", user_id, [*permissions]
        )
        return user_id

    async def handle(self, command: InboundMessage[ChangeTier | ChangePermissions]) -> Outcome:
        await change_standing(self.parts, command)
        return self.outcome_notifier.announced[-1].outcome

    async def session(self, user_id: UUID) -> UUID:
        """A new one of this user's; of nobody's where the user is not there."""
        session_id = uuid7()
        await self.database.execute(
            """
            INSERT INTO sessions (id, user_id)
            SELECT $1, id FROM users WHERE id = $2
            """,
            session_id,
            user_id,
        )
        return session_id

    async def command(
        self,
        data: ChangeTier | ChangePermissions,
        by: UUID | None,
        *,
        token_of: UUID | None = None,
        session_id: UUID | None = None,
        signer: TokenSigner | None = None,
        age: timedelta = timedelta(0),
    ) -> InboundMessage[ChangeTier | ChangePermissions]:
        """As the gateway makes it, `age` after the token was signed."""
        whose, now = token_of or by or uuid7(), datetime.now(UTC)
        token = (signer or self.signer).sign(
            user_id=whose,
            session_id=session_id or await self.session(whose),
            tier="free",
            verified=True,
            permissions=[ADMIN],
            version=1,
            now=now - age,
        )
        envelope = an_envelope(data, actor=by)
        bound_to = binding(envelope.id, "administration", envelope.time.isoformat())
        proof = self.sealing.seal({"token": token, "fingerprint": None}, bound_to)
        command = received(data.model_copy(update={"proof": proof}), envelope=envelope)
        origin = replace(command.origin, timestamp_ms=int(now.timestamp() * 1000))
        return replace(command, origin=origin)

    async def tier(self, user_id: UUID, tier: Tier, *, by: UUID | None) -> Outcome:
        return await self.handle(await self.command(ChangeTier(user_id=user_id, tier=tier), by))

    async def permissions(self, user_id: UUID, *names: str, by: UUID | None) -> Outcome:
        data = ChangePermissions(user_id=user_id, permissions=names)
        return await self.handle(await self.command(data, by))

    async def standing(self, user_id: UUID) -> tuple[str, list[str], int]:
        [row] = await self.database.fetch(
            "SELECT tier, permissions, version FROM users WHERE id = $1", user_id
        )
        return row["tier"], row["permissions"], row["version"]


@pytest.fixture
async def deps(database: Database) -> AdminSlice:
    outcome_notifier = MemoryOutcomeNotifier()
    pool = await database.pool("qnt9_accounts")
    seals, public = OpeningKeys.generate()
    signer = a_signer()
    parts = accounts_deps(pool, ACCOUNTS, outcome_notifier, seals=seals, signer=signer)
    return AdminSlice(
        parts, outcome_notifier, database, SealingKey(base64url.decode(public)), signer
    )


def a_signer() -> TokenSigner:
    return TokenSigner(Ed25519PrivateKey.generate().private_bytes_raw())


async def test_an_admin_moves_a_user_to_another_tier(deps: AdminSlice) -> None:
    admin, ada = await deps.user("root", ADMIN), await deps.user("ada")
    outcome = await deps.tier(ada, Tier.PRO, by=admin)
    assert outcome == Succeeded({"id": str(ada), "tier": "pro", "permissions": []})
    assert await deps.standing(ada) == ("pro", [], 2)
    assert deps.outcome_notifier.changes.users == {ada}
    [written] = await written_events(deps.database)
    event = written.event
    assert isinstance(event, UserTierChanged)
    assert (event.user_id, event.former_tier, event.tier) == (ada, Tier.FREE, Tier.PRO)
    assert (written.about, written.headers["ce_actorid"]) == (str(ada), str(admin))


async def test_who_asked_is_encrypted_under_the_key_of_the_admin(deps: AdminSlice) -> None:
    admin, ada = await deps.user("root", ADMIN), await deps.user("ada")
    await deps.tier(ada, Tier.PLUS, by=admin)
    [event] = await events(deps.database)
    assert event.client
    assert event.client.key_id == user_key_id(admin)
    assert await revealed(deps.database, event.client) == A_CLIENT.to_json()


async def test_a_permission_is_given_and_withdrawn(deps: AdminSlice) -> None:
    admin, ada = await deps.user("root", ADMIN), await deps.user("ada")
    await deps.permissions(ada, ADMIN, ADMIN, by=admin)
    assert await deps.standing(ada) == ("free", [ADMIN], 2)
    await deps.permissions(ada, by=admin)
    assert await deps.standing(ada) == ("free", [], 3)
    given, withdrawn = await events(deps.database)
    assert isinstance(given, UserPermissionsChanged)
    assert isinstance(withdrawn, UserPermissionsChanged)
    assert (given.former_permissions, given.permissions) == ([], [ADMIN])
    assert (withdrawn.former_permissions, withdrawn.permissions) == ([ADMIN], [])


async def test_what_changes_nothing_succeeds_and_is_not_reported(deps: AdminSlice) -> None:
    admin, ada = await deps.user("root", ADMIN), await deps.user("ada")
    assert isinstance(await deps.tier(ada, Tier.FREE, by=admin), Succeeded)
    assert isinstance(await deps.permissions(admin, ADMIN, by=admin), Succeeded)
    assert await deps.standing(ada) == ("free", [], 1)
    assert await events(deps.database) == []
    assert not deps.outcome_notifier.changes


async def test_only_an_admin_may_whatever_the_gateway_thought(deps: AdminSlice) -> None:
    former, ada = await deps.user("former"), await deps.user("ada")
    await deps.user("root", ADMIN)
    for by in (former, ada):
        assert await deps.tier(ada, Tier.PRO, by=by) == Rejected("forbidden")
        assert await deps.permissions(ada, ADMIN, by=by) == Rejected("forbidden")
    assert await deps.tier(ada, Tier.PRO, by=uuid7()) == Rejected("forbidden")
    assert await deps.standing(ada) == ("free", [], 1)


async def test_no_one_who_is_not_there_is_changed(deps: AdminSlice) -> None:
    admin = await deps.user("root", ADMIN)
    erased = await a_user(deps.database, "gone@example.com", erased=True)
    superseded = await a_user(deps.database, "late@example.com", superseded=True)
    for nobody in (uuid7(), erased, superseded):
        assert await deps.tier(nobody, Tier.PRO, by=admin) == Rejected("unknown-user")


async def test_an_unverified_user_is_made_no_admin(deps: AdminSlice) -> None:
    admin, ada = await deps.user("root", ADMIN), await deps.user("ada", verified=False)
    assert await deps.permissions(ada, ADMIN, by=admin) == Rejected("user-not-verified")
    assert isinstance(await deps.tier(ada, Tier.PLUS, by=admin), Succeeded)


async def test_the_last_admin_stays_one(deps: AdminSlice) -> None:
    admin = await deps.user("root", ADMIN)
    await a_user(deps.database, "gone@example.com", verified=True, erased=True)
    await deps.database.execute("UPDATE users SET permissions = '{admin}'")
    assert await deps.permissions(admin, by=admin) == Rejected("last-admin")
    assert await deps.standing(admin) == ("free", [ADMIN], 1)


async def test_two_admins_who_withdraw_each_other_at_once_leave_one(deps: AdminSlice) -> None:
    for each in range(5):
        one, other = [await deps.user(f"{name}{each}", ADMIN) for name in ("one", "other")]
        await asyncio.gather(deps.permissions(one, by=other), deps.permissions(other, by=one))
        left = [who for who in (one, other) if (await deps.standing(who))[1]]
        assert len(left) == 1
        await deps.database.execute("UPDATE users SET permissions = '{}'")


async def test_two_admins_who_withdraw_themselves_at_once_leave_one(deps: AdminSlice) -> None:
    one, other = await deps.user("one", ADMIN), await deps.user("other", ADMIN)
    await asyncio.gather(deps.permissions(one, by=one), deps.permissions(other, by=other))
    kept = await outcomes(deps.database)
    assert sorted(each["status"] for each in kept if each) == ["failed", "succeeded"]
    assert len([w for w in (one, other) if (await deps.standing(w))[1]]) == 1


async def test_without_an_actor_or_with_an_unknown_permission_it_is_set_aside(
    deps: AdminSlice,
) -> None:
    admin = await deps.user("root", ADMIN)
    with pytest.raises(PoisonError, match="without an actor"):
        await deps.tier(admin, Tier.PRO, by=None)
    with pytest.raises(PoisonError, match="not known here"):
        await deps.permissions(admin, ADMIN, "rule-the-world", by=admin)


async def test_the_address_of_an_admin_is_the_admins_own(deps: AdminSlice) -> None:
    admin, ada = await deps.user("root", ADMIN), await deps.user("ada")
    await deps.database.execute(
        """
        INSERT INTO audit_log (user_id, action, details, ip_address, user_agent, created_at,
                               event_id, type, topic, partition, "offset", headers, payload)
        SELECT $1, 'user.' || who, '{}', '203.0.113.7', 'a browser', now(), gen_random_uuid(),
               'a type', 'users.events', 0, 0, jsonb_build_object('ce_actorid', who), ''
          FROM unnest($2::text[]) AS who
        """,
        ada,
        [str(admin), str(ada)],
    )
    gateway = await deps.database.pool("qnt9_gateway")
    seen = await gateway.fetch("SELECT action, ip_address, user_agent FROM activity")
    by_actor = {row["action"]: (row["ip_address"], row["user_agent"]) for row in seen}
    assert by_actor[f"user.{admin}"] == (None, None)
    assert None not in by_actor[f"user.{ada}"]
    await deps.database.execute("SELECT erase_user($1)", admin)
    left = await gateway.fetch("SELECT actor_id, ip_address FROM audit_entries")
    assert {row["actor_id"]: row["ip_address"] is not None for row in left} == {
        str(admin): False,
        str(ada): True,
    }


async def test_command_without_the_admins_own_token_is_refused(deps: AdminSlice) -> None:
    """What the gateway's credential on Kafka could publish: any actor, and no token of theirs."""
    admin, eve = await deps.user("root", ADMIN), await deps.user("eve")
    data = ChangePermissions(user_id=eve, permissions=(ADMIN,))
    ended = await deps.session(admin)
    await deps.database.execute("UPDATE sessions SET ended_at = now() WHERE id = $1", ended)
    late, early = timedelta(minutes=11), timedelta(minutes=-1)
    good = await deps.command(data, admin)
    for command in (
        received(data, actor=admin),
        await deps.command(data, admin, token_of=eve),
        await deps.command(data, admin, session_id=ended),
        await deps.command(data, admin, session_id=uuid7()),
        await deps.command(data, admin, session_id=await deps.session(eve)),
        await deps.command(data, admin, signer=a_signer()),
        await deps.command(data, admin, age=late),
        await deps.command(data, admin, age=early),
    ):
        assert await deps.handle(command) == Rejected("forbidden")
    other = await deps.command(data, admin)
    with pytest.raises(PoisonError):
        await deps.handle(replace(good, data=other.data))
    assert await deps.standing(eve) == ("free", [], 1)
    assert isinstance(await deps.handle(good), Succeeded)
