"""One trace from a request to its audit row, its mail and the call of the quotes provider."""

import json
from uuid import uuid4

import pytest

from tests.support.otlp import ReceivedSpan, Receiver
from tests.support.stack import PASSWORD, ExternalStack, Stack
from tests.support.waiting import eventually

ALLOWED = {
    "db.operation.name",
    "db.query.text",
    "db.system.name",
    "error.type",
    "http.request.method",
    "http.response.status_code",
    "http.route",
    "messaging.batch.message_count",
    "messaging.consumer.group.name",
    "messaging.destination.name",
    "messaging.message.id",
    "messaging.system",
    "peer.service",
    "qnt9.mail.attempt",
    "qnt9.mail.id",
}
SECONDS = 30.0
NOT_ASKED_FOR = "RHM.DE"
"""A symbol that no other test asks for: its quote is in no cache."""


@pytest.fixture
def traced(stack: Stack, receiver: Receiver) -> Receiver:
    if isinstance(stack, ExternalStack):
        pytest.skip("this system exports to nobody of ours")
    return receiver


def sampled(trace_id: str) -> dict[str, str]:
    return {"traceparent": f"00-{trace_id}-{uuid4().hex[:16]}-01"}


async def spans_of(receiver: Receiver, trace_id: str, *wanted: str) -> list[ReceivedSpan]:
    """The spans of a trace, once all that are wanted (as service:name) are among them."""

    async def found() -> list[ReceivedSpan]:
        spans = receiver.of_trace(trace_id)
        names = {f"{span.service}:{span.name}" for span in spans}
        return spans if set(wanted) <= names else []

    return await eventually(
        found, seconds=SECONDS, what=f"{wanted} among {receiver.of_trace(trace_id)}"
    )


async def test_sign_up_is_one_trace_to_audit_row_and_mail(stack: Stack, traced: Receiver) -> None:
    trace_id, email = uuid4().hex, f"{uuid4().hex[:12]}@example.com"
    canaries = (email, PASSWORD, "Ada Canary")
    async with stack.http() as http:
        body = {"email": email, "password": PASSWORD, "display_name": "Ada Canary"}
        answer = await http.post("/api/v1/auth/signup", json=body, headers=sampled(trace_id))
    assert answer.status_code == 202
    token = await stack.mailed_token(email)

    signed_up = "qnt9.user.signed_up.v1"
    spans = await spans_of(
        traced,
        trace_id,
        "gateway:POST /api/v1/auth/signup",
        "gateway:create qnt9.command.sign_up.v1",
        "signup:process qnt9.command.sign_up.v1",
        f"signup:create {signed_up}",
        f"relay:publish {signed_up}",
        f"audit:process {signed_up}",
        f"verification:process {signed_up}",
        "verification:create mail verify",
        "verification:mail verify",
    )
    ids = {span.span_id for span in spans}
    roots = [span for span in spans if span.parent_id not in ids]
    assert [span.name for span in roots] == ["POST /api/v1/auth/signup"]
    signup = next(span for span in spans if span.service == "signup")
    statements = [span for span in spans if span.name.startswith("postgresql")]
    assert signup.links or any(span.service == "signup" for span in statements)

    (event_id,) = {
        span.attributes["messaging.message.id"]
        for span in spans
        if span.name == f"audit:process {signed_up}".removeprefix("audit:")
    }
    async with stack.postgres() as conn:
        headers = await conn.fetchval("SELECT headers FROM audit_log WHERE event_id = $1", event_id)
        mail = await conn.fetchval("SELECT traceparent FROM mails ORDER BY id DESC LIMIT 1")
    assert json.loads(headers)["traceparent"].split("-")[1] == trace_id
    assert mail.split("-")[1] == trace_id

    assert {name for span in traced.spans for name in span.attributes} <= ALLOWED
    for body_ in traced.bodies:
        assert not any(canary.encode() in body_ for canary in (*canaries, token, "127.0.0.1"))


async def test_quote_is_one_trace_to_call_of_provider(stack: Stack, traced: Receiver) -> None:
    trace_id = uuid4().hex
    user = await stack.verified_user()
    async with stack.http() as http:
        headers = user.headers | sampled(trace_id)
        answer = await http.get(f"/api/v1/quotes/{NOT_ASKED_FOR}", headers=headers)
    assert answer.status_code == 200, answer.text
    await spans_of(
        traced,
        trace_id,
        "gateway:GET /api/v1/quotes/{symbol}",
        "quotes:process qnt9.command.look_up_quote.v1",
        "quotes:look up for qnt9.command.look_up_quote.v1",
        "quotes:call sandbox",
    )


async def test_problem_names_trace_of_its_request(stack: Stack) -> None:
    trace_id = uuid4().hex
    async with stack.http() as http:
        named = await http.get("/api/v1/users/me", headers=sampled(trace_id))
        unnamed = await http.get("/api/v1/users/me")
    assert named.json()["trace_id"] == trace_id
    assert len(unnamed.json()["trace_id"]) == 32
