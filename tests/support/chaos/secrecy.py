"""I7: what the clients typed, were mailed or were handed stands nowhere; a control everywhere."""

from collections.abc import AsyncIterator, Iterator, Sequence
from uuid import uuid4

from tests.support.chaos.canaries import Secrets
from tests.support.e2e.planted_values import (
    CONSUMERS,
    not_among,
    plant,
    plant_in_cache,
    planted_places,
)
from tests.support.e2e.text_search import Haystack, Piece, one_by_one
from tests.support.stack import Stack

TOKENS_OF_A_CHECK = 60
TOKENS_IN_THE_END = 20
WITH_METRICS = [f"metrics {process}" for process in (*CONSUMERS, "relay", "gateway")]
"""Nothing can be planted in there; but each was read."""
BYTES_AT_ONCE = 32 * 1024 * 1024


class Secrecy:
    """Looks through what is new after each fault, and once through everything."""

    def __init__(self, stack: Stack, secrets: Secrets) -> None:
        self.control = uuid4().hex
        self._stack = stack
        self._secrets = secrets
        self._searched = 0
        """So many tokens were looked for when they were new."""
        self._missing = planted_places(self.control) + WITH_METRICS

    async def plant(self) -> None:
        """Before anything else happens."""
        await plant(self._stack, self.control)
        await plant_in_cache(self._stack, self.control)

    async def violations(self, new: Sequence[Piece]) -> AsyncIterator[str]:
        """Every password there is, and the tokens that have come since, in what is new."""
        tokens = self._secrets.tokens[self._searched :]
        self._searched += len(tokens)
        for violation in self._in(Haystack(new), tokens[-TOKENS_OF_A_CHECK:]):
            yield violation

    async def violations_in_everything(self) -> AsyncIterator[str]:
        """Also where nothing changed; and whether the control was found in each place by now."""
        tokens = self._secrets.tokens
        sample = tokens[:: max(1, len(tokens) // TOKENS_IN_THE_END)]
        async for pieces in _in_parts(one_by_one(self._stack)):
            for violation in self._in(Haystack(pieces), sample):
                yield violation
        for place in self._missing:
            yield f"I7: the control was not found in {place}, so nothing would have been"

    def _in(self, there: Haystack, tokens: Sequence[str]) -> Iterator[str]:
        metrics = [each.place for each in there.pieces if each.place.startswith("metrics ")]
        self._missing = not_among(there.places_of(self.control) + metrics, self._missing)
        for name, text in (("a password", self._secrets.mark), *(("a token", t) for t in tokens)):
            for place in there.places_of(text):
                yield f"I7: {name} stands in {place}"


async def _in_parts(pieces: AsyncIterator[Piece]) -> AsyncIterator[list[Piece]]:
    """As much as fits into memory at once."""
    part: list[Piece] = []
    size = 0
    async for piece in pieces:
        part.append(piece)
        size += len(piece.content)
        if size > BYTES_AT_ONCE:
            yield part
            part, size = [], 0
    yield part
