"""Dead letters of a person's commands, encrypted and decrypted again."""

from dataclasses import replace
from uuid import UUID

import pytest

from contracts.commands import AddToWatchlist
from contracts.events import WatchlistItemRemoved
from contracts.ids import uuid7
from contracts.personal import ErasedError
from contracts.topics import WATCHLIST, WATCHLIST_COMMANDS
from infra.kafka.transactional_producer import Draft
from infra.messaging.batch_progress import Failure, SetAside
from infra.messaging.dead_letter_encryption import actor_of, decrypt, encrypt, owner_of
from infra.messaging.dead_letter_owner import ERASED, Owner
from infra.messaging.dead_letters import draft_of
from operations.dead_letters.redrive import copy_of, why_not
from operations.dead_letters.topic import BOXES, DeadLetter
from operations.redaction import show
from tests.support.message_builders import ARecord, a_personal_key, a_record, an_envelope

USER = UUID(int=7)
KEY = a_personal_key(USER)
COMMAND = AddToWatchlist(symbol="AAPL", note="earnings on Friday")


def a_command(*, actor: UUID | None = USER) -> ARecord:
    record = a_record(COMMAND, envelope=an_envelope(COMMAND, actor=actor))
    record.headers = [*record.headers, ("ce_client", b"who asked")]
    return record


def draft(record: ARecord, owner: Owner) -> Draft:
    aside = SetAside(record, Failure("it broke", "handler"), owner)
    return encrypt(draft_of(WATCHLIST, aside.record, aside.failure), owner)


def written(record: ARecord, owner: Owner) -> ARecord:
    key, value, headers = draft(record, owner)
    return ARecord(value, headers, WATCHLIST_COMMANDS.dead_letters(WATCHLIST), key)


def dead_letter_of(record: ARecord) -> DeadLetter:
    return DeadLetter.of(BOXES["watchlist.commands.watchlist"], record)


def test_dead_letter_of_a_persons_command_shows_neither_content_nor_client() -> None:
    record = written(a_command(), KEY)
    content = b"".join([record.value or b"", *(value or b"" for _, value in record.headers)])
    assert owner_of(record) == KEY.id
    for secret in (b"earnings", b"AAPL", b"who asked"):
        assert secret not in content
    assert show(record).data == f"(encrypted, {KEY.id})"


def test_dead_letter_is_redriven_as_the_record_that_it_was() -> None:
    record = a_command()
    dead_letter = dead_letter_of(written(record, KEY)).decrypted(KEY.secret)
    copy = copy_of(dead_letter)
    assert why_not(dead_letter) is None
    assert (copy.key, copy.value) == (record.key, record.value)
    assert list(copy.headers)[: len(record.headers)] == record.headers
    assert owner_of(dead_letter.record) is None


@pytest.mark.parametrize("secret", [None, bytes(32)])
def test_dead_letter_whose_key_is_destroyed_is_readable_by_no_one(secret: bytes | None) -> None:
    dead_letter = dead_letter_of(written(a_command(), KEY)).decrypted(secret)
    assert dead_letter.erased
    assert "erased" in (why_not(dead_letter) or "")
    with pytest.raises(ErasedError):
        decrypt(dead_letter.record, replace(KEY, secret=bytes(32)))


def test_dead_letter_of_someone_who_was_erased_before_has_no_content() -> None:
    record = written(a_command(), ERASED)
    assert record.value is None
    assert "ce_client" not in dict(record.headers)
    assert dead_letter_of(record).decrypted(None).erased


def test_only_commands_have_an_owner() -> None:
    event = WatchlistItemRemoved(user_id=USER, symbol="AAPL")
    assert actor_of(a_command()) == USER
    assert actor_of(a_command(actor=None)) is None
    assert actor_of(a_record(event, envelope=an_envelope(event, actor=uuid7()))) is None
    assert actor_of(ARecord(b"{}", [], WATCHLIST_COMMANDS.name)) is None
