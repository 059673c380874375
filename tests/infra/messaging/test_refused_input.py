"""Input that an older gateway let pass is settled as rejected: it becomes no dead letter."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from contracts import base64url
from contracts.commands import AddToWatchlist, SignIn, SignUp
from contracts.outcomes import Rejected
from contracts.sealed_contents import CONTENTS
from infra.messaging.inbound import RefusedInputError
from infra.messaging.record_reader import RecordReader, Refused, Unreadable
from infra.messaging.sealed_data import open_seal
from infra.security.seals import OpeningKeys, SealingKey, binding
from tests.support.infra.batch_trial import IN_BULK, ONE_BY_ONE, Trial, a_trial, order
from tests.support.message_builders import a_record, an_envelope
from tests.support.postgres import Database

REJECTED = Rejected("invalid-fields").to_json()
REFUSED = RefusedInputError("the content of the seal is not valid")


@pytest.fixture(autouse=True)
def _silent() -> Iterator[None]:
    with capture_logs():
        yield


@pytest.fixture(params=[IN_BULK, ONE_BY_ONE], ids=["in bulk", "one by one"])
async def trial(request: pytest.FixtureRequest, database: Database) -> Trial:
    return await a_trial(database, request.param)


async def outcomes(trial: Trial) -> list[Any]:
    rows = await trial.database.fetch("SELECT outcome FROM inbox ORDER BY outcome ->> 'status'")
    return [row["outcome"] for row in rows]


async def test_refused_input_is_settled_as_rejected_and_the_others_are_handled(
    trial: Trial,
) -> None:
    trial.deps.fails_for("X", error=REFUSED)
    await trial.take(order("A", key="a"), order("X", key="x"), order("B", key="b"))
    assert trial.set_aside == []
    assert [each["status"] for each in await outcomes(trial)] == ["failed", *["succeeded"] * 2]
    assert REJECTED in await outcomes(trial)


async def test_refused_input_of_many_senders_pauses_no_one_and_is_settled_once(
    trial: Trial,
) -> None:
    trial.deps.fails_for("X", error=REFUSED)
    records = [order("X", key=f"key {n}") for n in range(40)]
    await trial.take(*records)
    await trial.take(*records)
    assert trial.set_aside == []
    assert await outcomes(trial) == [REJECTED] * 40
    assert trial.work.controls.paused is None


async def test_anyone_who_waits_for_refused_input_is_informed(trial: Trial) -> None:
    trial.deps.fails_for("X", error=REFUSED)
    envelope = an_envelope(AddToWatchlist, reply_to="a gateway")
    await trial.take(a_record(AddToWatchlist(symbol="X"), envelope=envelope))
    [announced] = trial.outcome_notifier.announced
    assert (announced.channel, announced.outcome) == ("a gateway", Rejected("invalid-fields"))


@pytest.mark.parametrize(
    "note", ["\u09df" * 280, "x" * 281, "a\u202eb\0"], ids=["longer by NFC", "too long", "controls"]
)
async def test_text_in_clear_that_the_contract_refuses_is_settled_as_rejected(
    trial: Trial, note: str
) -> None:
    record = order("A")
    record.value = json.dumps({"symbol": "A", "note": note}).encode()
    read = RecordReader({AddToWatchlist.type: AddToWatchlist}, None).read(record)
    await trial.take(record)
    assert trial.set_aside == []
    expected = [REJECTED] if isinstance(read, Refused) else ["succeeded"]
    assert [each if each == REJECTED else each["status"] for each in await outcomes(trial)] == (
        expected
    )


async def test_symbol_that_the_contract_refuses_is_settled_as_rejected(trial: Trial) -> None:
    record = order("A")
    record.value = b'{"symbol": "no symbol \xe2\x98\x83"}'
    await trial.take(record)
    assert trial.set_aside == []
    assert await outcomes(trial) == [REJECTED]


@pytest.mark.parametrize(
    "value", [b"{}", b'{"symbol": 1}', b"{", b'{"symbol": null}'], ids=["{}", "1", "{", "null"]
)
async def test_command_that_no_client_can_have_caused_is_a_dead_letter(
    trial: Trial, value: bytes
) -> None:
    record = order("A")
    record.value = value
    await trial.take(record)
    assert trial.set_aside == [record]


async def test_seal_of_another_form_is_a_dead_letter_to_be_sent_again(trial: Trial) -> None:
    """A newer gateway's, once its worker is rolled out."""
    record = a_record(SignUp.model_construct(sealed="s2.a-newer-seal"))
    assert isinstance(RecordReader({SignUp.type: SignUp}, None).read(record), Unreadable)


@pytest.mark.parametrize("purpose", CONTENTS)
def test_content_that_an_older_gateway_sealed_badly_is_refused_input(purpose: str) -> None:
    """Whatever is sealed: nothing in it shows in the error."""
    seals, public = OpeningKeys.generate()
    envelope = an_envelope(SignIn)
    bound_to = binding(envelope.id, purpose, envelope.time.isoformat())
    canary = f"CANARY{uuid4().hex}"
    fields = CONTENTS[purpose].model_fields
    content = dict.fromkeys(fields, f"{canary}\0\ud83d".encode("utf-8", "replace").decode() * 900)
    sealed = SealingKey(base64url.decode(public)).seal(content, bound_to)
    with pytest.raises(RefusedInputError) as raised:
        open_seal(seals, sealed, of=envelope, purpose=purpose, holds=CONTENTS[purpose])
    assert canary not in str(raised.value)
