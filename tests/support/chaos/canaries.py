"""What the clients of a run typed, were mailed, or were handed, and nobody else may read."""

from dataclasses import dataclass, field
from uuid import uuid4


@dataclass
class Secrets:
    """Passwords have a mark in common, so that one search finds any of them; tokens have none."""

    mark: str = field(default_factory=lambda: f"canary-{uuid4().hex}")
    tokens: list[str] = field(default_factory=list)

    def password(self) -> str:
        """Another one each time."""
        return f"Aa1! {self.mark}-{uuid4().hex[:8]}"

    def mailed(self, token: str) -> None:
        self.tokens.append(token)

    def handed_out(self, access_token: str, refresh_token: str) -> None:
        """Of each the part that cannot be guessed, which stands alone in some encodings."""
        self.tokens += [access_token.rpartition(".")[2], refresh_token.partition(".")[2]]
