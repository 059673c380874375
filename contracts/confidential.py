"""What a person wrote, in a command: encrypted to the workers, never on a topic in clear.

A command declares `encrypted_note` beside `note`. The gateway fills the first, under the key that
it shares with the workers and bound to the command; a worker's reader decrypts it into the second
before the handler runs. A worker also takes the clear field alone, from an older gateway.
"""

from collections.abc import Mapping
from functools import cache
from typing import Annotated
from uuid import UUID

from pydantic import StringConstraints

from contracts.message import Message

PREFIX = "encrypted_"

# c1.<base64url of nonce and ciphertext>
Confidential = Annotated[str, StringConstraints(pattern=r"^c1\.[A-Za-z0-9_-]+$", max_length=8_192)]


@cache
def confidential_fields(model: type[Message]) -> Mapping[str, str]:
    """The clear fields of a command by the names of the fields that hold them encrypted."""
    return {
        name: name.removeprefix(PREFIX) for name in model.model_fields if name.startswith(PREFIX)
    }


def binding(command_id: UUID, field: str) -> bytes:
    """What an encrypted field is bound to: the command's id and the name of the field."""
    return f"qnt9:{command_id}:{field}".encode()
