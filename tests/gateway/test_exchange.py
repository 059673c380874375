"""What every response carries, whatever it answers."""

import asyncio

import pytest
from starlette.types import Message

from gateway.endpoints import Answer
from gateway.exchange import Exchange, security_headers
from gateway.problems import ProblemError

Sent = dict[str, list[str]]


async def sent(
    answer: Answer | ProblemError, *, https: bool = True, cors: tuple[tuple[bytes, bytes], ...] = ()
) -> Sent:
    """The headers of a response, each with its values."""
    messages: list[Message] = []

    async def send(message: Message) -> None:
        messages.append(message)

    security = security_headers(https=https)
    exchange = Exchange(send, "an-id", asyncio.Event(), security=security, cors=cors)
    exchange.limits = (("RateLimit", '"read";r=1;t=2'),)
    if isinstance(answer, ProblemError):
        await exchange.problem(answer)
    else:
        await exchange.answer(answer)
    headers: Sent = {}
    for name, value in messages[0]["headers"]:
        headers.setdefault(name.decode(), []).append(value.decode())
    return headers


@pytest.mark.parametrize("answer", [Answer(200, {}), Answer(204), ProblemError("not-found")])
async def test_every_response_is_guarded(answer: Answer | ProblemError) -> None:
    headers = await sent(answer, cors=((b"vary", b"Origin"),))
    assert headers["x-content-type-options"] == ["nosniff"]
    assert headers["x-frame-options"] == ["DENY"]
    assert headers["referrer-policy"] == ["no-referrer"]
    assert headers["cross-origin-opener-policy"] == ["same-origin"]
    assert headers["cross-origin-resource-policy"] == ["same-origin"]
    assert "camera=()" in headers["permissions-policy"][0]
    assert headers["strict-transport-security"] == ["max-age=63072000; includeSubDomains"]
    assert headers["x-request-id"] == ["an-id"]
    assert headers["ratelimit"] == ['"read";r=1;t=2']
    assert headers["vary"] == ["Origin"]


async def test_https_is_demanded_outside_development_alone() -> None:
    assert "strict-transport-security" not in await sent(Answer(200, {}), https=False)


async def test_what_a_route_says_itself_counts() -> None:
    headers = await sent(Answer(200, {}, (("Cache-Control", "public, max-age=300"),)))
    assert headers["cache-control"] == ["public, max-age=300"]


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (ProblemError("rate-limited", headers={"Retry-After": "17"}), ["17"]),
        (ProblemError("rate-limited"), ["1"]),
        (ProblemError("try-again"), ["2"]),
    ],
)
async def test_one_retry_after_and_the_nearest_to_the_case(
    error: ProblemError, seconds: list[str]
) -> None:
    assert (await sent(error))["retry-after"] == seconds
