"""Whatever a body's model accepts, the worker's model of the same accepts, and reads the same."""

import json
import string
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from contracts import base64url, commands
from contracts import sealed_contents as contents
from contracts.confidential import binding
from contracts.ids import uuid7
from contracts.message import Command
from contracts.values import SYMBOL_PATTERN, Permission, Tier
from gateway.http.body import parsed, validated
from gateway.problems import ProblemError
from gateway.quotes.search import NOT_SAID
from gateway.routes import ENDPOINTS
from gateway.v1 import admin_models, models, quote_models
from infra.messaging.inbound import InboundMessage
from infra.messaging.record_reader import RecordReader
from infra.security.client_cipher import ClientCipher
from infra.security.refresh_tokens import session_of
from infra.security.seals import OpeningKeys, SealingKey
from tests.support.message_builders import a_record, an_envelope
from tests.support.sizes import size
from tests.support.unicode_samples import CHARACTERS, WORST, texts_with
from workers.accounts.sessions import rules as sessions

pytestmark = pytest.mark.prove

USER = UUID(int=7)
KEYS, REPLY_KEY = OpeningKeys.generate()
SEAL = SealingKey(base64url.decode(REPLY_KEY))
BOUND = b"test"
CIPHER = ClientCipher(bytes(range(32)))
READER = RecordReader(
    {each.type: each for each in (commands.AddToWatchlist, commands.Search)}, CIPHER
)


@dataclass(frozen=True)
class Pair:
    """A body, and what a worker reads of it: the content of a seal, or a command in clear."""

    body: type[BaseModel]
    read: Callable[[BaseModel], BaseModel]


def sealed(content: type[BaseModel], command: type[Command], **fields: Any) -> Any:
    def read(body: BaseModel) -> BaseModel:
        seal = SEAL.seal(body.model_dump(exclude_unset=True) | {"fingerprint": "f" * 64}, BOUND)
        sent = command.model_validate({"sealed": seal, **fields}).model_dump_json()
        received = command.model_validate_json(sent)
        return content.model_validate(KEYS.open(received.model_dump()["sealed"], BOUND))

    return read


def in_clear(command: type[Command], **fields: Any) -> Any:
    def read(body: BaseModel) -> BaseModel:
        sent = command.model_validate(fields | body.model_dump()).model_dump_json()
        return command.model_validate_json(sent)

    return read


def encrypted(command: type[Command], field: str, **fields: Any) -> Any:
    """The command as a worker's reader makes it of a record whose text is encrypted."""

    def read(body: BaseModel) -> Any:
        text, id_ = body.model_dump().popitem()[1], uuid7()
        token = None if text is None else CIPHER.encrypt_text(text, binding(id_, field))
        data = command.model_validate({**fields, f"encrypted_{field}": token})
        read = READER.read(a_record(data, envelope=an_envelope(data, id=id_)))
        assert isinstance(read, InboundMessage), read
        return read.data

    return read


def searched(body: BaseModel) -> BaseModel:
    found = encrypted(commands.Search, "text", text=NOT_SAID)(body)
    return quote_models.SearchQuery(q=found.text)


PAIRS = (
    Pair(models.SignUpBody, sealed(contents.Application, commands.SignUp)),
    Pair(models.SignInBody, sealed(contents.Credentials, commands.SignIn, reply_key=REPLY_KEY)),
    Pair(models.RefreshBody, sealed(sessions.Refresh, commands.RefreshToken, reply_key=REPLY_KEY)),
    Pair(models.VerifyBody, sealed(contents.SignUpProof, commands.ConfirmSignUp)),
    Pair(models.ResendBody, sealed(contents.Address, commands.ResendVerification)),
    Pair(models.ForgotBody, sealed(contents.Address, commands.ForgotPassword)),
    Pair(models.ResetBody, sealed(contents.PasswordReset, commands.ResetPassword)),
    Pair(
        models.ChangePasswordBody,
        sealed(contents.PasswordChange, commands.ChangePassword, session_id=USER),
    ),
    Pair(models.ChangeEmailBody, sealed(contents.EmailChange, commands.ChangeEmail)),
    Pair(models.ProfileBody, sealed(contents.ProfileChange, commands.UpdateProfile)),
    Pair(models.EraseBody, sealed(contents.Erasure, commands.EraseAccount)),
    Pair(models.NoteBody, encrypted(commands.AddToWatchlist, "note", symbol="AAPL")),
    Pair(models.OrderBody, in_clear(commands.ReorderWatchlist)),
    Pair(admin_models.TierBody, in_clear(commands.ChangeTier, user_id=USER)),
    Pair(admin_models.PermissionsBody, in_clear(commands.ChangePermissions, user_id=USER)),
    Pair(quote_models.SearchQuery, searched),
)
OF_BODY = {pair.body: pair for pair in PAIRS}

TOKENS = st.text(string.ascii_letters + string.digits + "-_", min_size=14, max_size=130)
REFRESH = st.from_regex(r"\A[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}\Z")
PASSWORDS = st.one_of(WORST, WORST.map(lambda text: f"Qx7!{text}"))
DOMAINS = st.sampled_from(["example.com", "b\u00fccher.example.com", "fa\u00df.example.com"])
ADDRESSES = st.one_of(
    WORST,
    st.tuples(WORST, DOMAINS).map("@".join),
    st.tuples(st.text(CHARACTERS, max_size=30), DOMAINS).map("@".join),
    st.text("\u00df\u0390a.\u0130", min_size=1, max_size=64).map(lambda t: f" {t}@example.com "),
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "email": ADDRESSES,
    "new_email": ADDRESSES,
    "display_name": st.one_of(st.none(), WORST),
    "note": st.one_of(st.none(), WORST),
    "q": WORST,
    "token": TOKENS,
    "signup_secret": TOKENS,
    "refresh_token": REFRESH,
    "password": PASSWORDS,
    "current_password": PASSWORDS,
    "new_password": PASSWORDS,
    "order": st.lists(st.from_regex(SYMBOL_PATTERN, fullmatch=True), max_size=40),
    "tier": st.sampled_from(Tier),
    "permissions": st.lists(st.sampled_from(Permission), max_size=18),
}


def check(pair: Pair, given_fields: dict[str, Any]) -> None:
    """The body from the bytes that the client sends, as the gateway makes it."""
    try:
        body = validated(pair.body, parsed(json.dumps(given_fields).encode()))
    except ProblemError as error:
        if error.problem.status in {400, 422}:
            return
        raise
    if isinstance(body, models.RefreshBody) and session_of(body.refresh_token) is None:
        return  # this goes no further
    read = pair.read(body)
    for name in type(body).model_fields:
        wanted, found = getattr(body, name), getattr(read, name)
        assert found == (tuple(wanted) if isinstance(wanted, list) else wanted), name


def test_every_body_of_a_command_has_its_pair() -> None:
    bodies = {each.body for each in ENDPOINTS if each.command and each.body}
    assert bodies | {quote_models.SearchQuery} == set(OF_BODY)


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.body.__name__)
@settings(max_examples=size(60, 3_000), deadline=None)
@given(data=st.data())
def test_what_a_body_accepts_the_worker_reads(pair: Pair, data: st.DataObject) -> None:
    fields = {
        name: data.draw(VALUES[name])
        for name, field in pair.body.model_fields.items()
        if field.is_required() or data.draw(st.booleans())
    }
    check(pair, fields)


@pytest.mark.parametrize(
    ("kind", "name", "most"),
    [(models.NoteBody, "note", 280), (models.ProfileBody, "display_name", 80)],
)
def test_every_character_that_a_body_accepts_the_worker_reads(
    kind: type[BaseModel], name: str, most: int
) -> None:
    for character in CHARACTERS[:: size(7, 1)]:
        for text in texts_with(character, most=most):
            check(OF_BODY[kind], {name: text})
