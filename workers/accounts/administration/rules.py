"""What admins may do to whom. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from contracts.commands import ChangePermissions, ChangeTier
from contracts.events import UserPermissionsChanged, UserTierChanged
from contracts.outcomes import Rejected
from contracts.values import Permission, Tier


@dataclass(frozen=True, slots=True)
class Standing:
    """What a user may do."""

    user_id: UUID
    tier: str
    permissions: tuple[str, ...] = ()
    verified: bool = True

    @property
    def is_admin(self) -> bool:
        """Whether the user may change others."""
        return Permission.ADMIN in self.permissions

    def displayed(self) -> dict[str, Any]:
        """The result for the client."""
        return {
            "id": str(self.user_id),
            "tier": self.tier,
            "permissions": [*self.permissions],
        }


def known(command: ChangeTier | ChangePermissions) -> bool:
    """Whether it asks for permissions that there are."""
    return isinstance(command, ChangeTier) or {*command.permissions} <= {*Permission}


def decide(
    command: ChangeTier | ChangePermissions, *, actor_id: UUID, standings: Mapping[UUID, Standing]
) -> Standing | Rejected:
    """The user's standing afterwards. `standings` are the user's and those of all admins."""
    admins = {user_id for user_id, one in standings.items() if one.is_admin}
    if actor_id not in admins:
        return Rejected("forbidden")
    user = standings.get(command.user_id)
    if user is None:
        return Rejected("unknown-user")
    match command:
        case ChangeTier(tier=tier):
            return replace(user, tier=tier)
        case ChangePermissions(permissions=wanted):
            if Permission.ADMIN in wanted and not user.verified:
                return Rejected("user-not-verified")
            if Permission.ADMIN not in wanted and admins == {user.user_id}:
                return Rejected("last-admin")
            return replace(user, permissions=tuple(sorted(set(wanted))))


def reported(before: Standing, after: Standing) -> UserTierChanged | UserPermissionsChanged | None:
    """The event, if something is otherwise."""
    if before.tier != after.tier:
        return UserTierChanged(
            user_id=after.user_id, former_tier=Tier(before.tier), tier=Tier(after.tier)
        )
    if before.permissions != after.permissions:
        return UserPermissionsChanged(
            user_id=after.user_id,
            former_permissions=[*before.permissions],
            permissions=[*after.permissions],
        )
    return None
