"""The invariants, checked after each fault of a run, and of everything once more at its end."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx

from tests.support.chaos.audit_chain import Proof
from tests.support.chaos.invariants import (
    every_command_ended,
    in_order,
    one_account_and_one_mail,
    one_effect,
    one_set_of_events,
    watchlists_as_their_owners_left_them,
)
from tests.support.chaos.ledger import Closed, Entry, Kind, Ledger
from tests.support.chaos.observations import Reading, reading
from tests.support.chaos.quiescence import Quiescence
from tests.support.chaos.replays import Replays
from tests.support.chaos.secrecy import Secrecy
from tests.support.e2e.broker_view import BrokerState
from tests.support.e2e.role_clients import gets_its_way
from tests.support.stack import Stack

Note = Callable[[Iterable[str]], None]
OF_THE_SYSTEM: tuple[Callable[[Stack], AsyncIterator[str]], ...] = (gets_its_way,)
"""Invariants that do not depend on what was asked: I9. Each yields what does not hold, in words."""


@dataclass
class Checks:
    """What was found, each time with the fault after which it was."""

    stack: Stack
    ledger: Ledger
    reading: Reading
    remaining: Quiescence
    replays: Replays
    secrecy: Secrecy
    proof: Proof
    found: list[str] = field(default_factory=list)
    made: int = 0
    seconds: list[float] = field(default_factory=list)
    """How long each took, without waiting for rest."""
    _evaluated: dict[str, Entry] = field(default_factory=dict)
    _known: set[str] = field(default_factory=set)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def after(self, fault: str, closed: Closed, drained: Iterable[str] = ()) -> None:
        """What was closed by now is judged when it has come to rest, whatever happens meanwhile.

        So is what was judged before and has left more traces since.
        """
        note = self._note(f"after {fault}")
        note(drained)
        broker_state = await asyncio.to_thread(BrokerState, self.stack)
        await self._until_quiescent(broker_state, note)
        async with self._turn:
            began = time.monotonic()
            new = await self.reading.more()
            more = self.reading.seen.more_of(self._evaluated)
            again = [self._evaluated[id_] for id_ in more]
            self._evaluated |= {entry.request_id: entry for entry in closed.entries}
            note(await self._of(closed.entries + again, closed.gone))
            async for violation in self.secrecy.violations(new):
                note([violation])
            async for violation in self.proof.violations():
                note([violation])
            async for violation in self.replays.violations(broker_state):
                note([violation])
            for check in OF_THE_SYSTEM:
                async for violation in check(self.stack):
                    note([violation])
            self.made += 1
            self.seconds.append(time.monotonic() - began)

    async def of_everything(self) -> None:
        """All that was ever asked once more, in the end."""
        note = self._note("in the end")
        emails = sorted({entry.email for entry in self.ledger.entries})
        note(await self._of(self.ledger.entries, emails))
        async for violation in self.secrecy.violations_in_everything():
            note([violation])
        async for violation in self.proof.violations_in_everything():
            note([violation])

    def _note(self, when: str) -> Note:
        """Each violation is reported once."""

        def note(violations: Iterable[str]) -> None:
            new = [each for each in violations if each not in self._known]
            self._known.update(new)
            self.found += [f"{each} ({when})" for each in new]

        return note

    async def _until_quiescent(self, broker_state: BrokerState, note: Note) -> None:
        try:
            await self.remaining.come(broker_state)
        except AssertionError as error:
            note([f"I1: no rest: {error}"])

    async def _of(self, entries: Sequence[Entry], gone: Sequence[str]) -> list[str]:
        """I1 to I4 and I6 of these commands, and the watchlists of those who have left."""
        seen = self.reading.seen
        signed_up = [entry.email for entry in entries if entry.kind is Kind.SIGN_UP]
        owners = set(gone)
        theirs = [entry for entry in self.ledger.entries if entry.email in owners]
        return [
            *(f"unexpected: {e.name} {e.unexpected}" for e in self.ledger.entries if e.unexpected),
            *every_command_ended(entries, seen),
            *one_effect(entries, seen),
            *one_set_of_events(entries, seen),
            *in_order(entries, seen),
            *one_account_and_one_mail(
                entries, await self._accounts(signed_up), await self._mails(signed_up)
            ),
            *watchlists_as_their_owners_left_them(theirs, await self._items(gone)),
        ]

    async def _accounts(self, emails: Sequence[str]) -> Counter[str]:
        async with self.stack.postgres() as conn:
            rows = await conn.fetch("SELECT email FROM users WHERE email = ANY($1)", emails)
        return Counter(row["email"] for row in rows)

    async def _mails(self, emails: Sequence[str]) -> Counter[str]:
        """How many different mails each address got: a repeated one has the same text."""
        if not emails:
            return Counter()
        async with httpx.AsyncClient(base_url=self.stack.urls["inbox"]["url"], timeout=60) as inbox:
            mails = (await inbox.get("/api/v1/messages")).json()["messages"]
        return Counter(to for to, _ in {(mail["to"], mail["text"]) for mail in mails})

    async def _items(self, emails: Sequence[str]) -> dict[tuple[str, str], str | None]:
        async with self.stack.postgres() as conn:
            rows = await conn.fetch(
                """
                SELECT email, symbol, note
                  FROM watchlist_items JOIN users ON users.id = watchlist_items.user_id
                 WHERE email = ANY($1)
                """,
                emails,
            )
        return {(row["email"], row["symbol"]): row["note"] for row in rows}


@asynccontextmanager
async def checking(stack: Stack, ledger: Ledger) -> AsyncIterator[Checks]:
    """From now on, with a control planted in every place where a secret is looked for."""
    async with reading(stack) as read:
        secrecy = Secrecy(stack, ledger.secrets)
        await secrecy.plant()
        yield Checks(
            stack,
            ledger,
            read,
            Quiescence(stack, read),
            Replays(stack, read),
            secrecy,
            Proof(stack),
        )
