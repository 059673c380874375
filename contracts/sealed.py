"""Secrets in commands: sealed (HPKE, RFC 9180) to the one worker that may read them.

The seal is bound to the command by its id, purpose and time, and padded so that its length tells
nothing. `Sealed` is how a field of a command is declared; `infra.security.seals` opens and closes
it.
"""

from typing import Annotated

from pydantic import StringConstraints

# s1.<key id>.<base64url of the HPKE message>
Sealed = Annotated[
    str,
    StringConstraints(pattern=r"^s1\.[A-Za-z0-9_-]{8}\.[A-Za-z0-9_-]+$", max_length=16_384),
]
