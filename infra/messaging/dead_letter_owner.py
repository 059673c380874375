"""Whose commands dead letters are of."""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from contracts.personal import PersonalKey


class Erased:
    """Stands for the key of somebody who was erased."""


ERASED: Final = Erased()
Owner = PersonalKey | Erased
Owners = Mapping[UUID, Owner]
"""Users that there are or were, with their keys."""
