"""The server of breached passwords: asked with a prefix alone, and never in anybody's way."""

import hashlib

import httpx
import pytest

from gateway.auth.password_strength import RANGE_QUERIES, BreachedPasswords, Strength, open_strength
from gateway.problems import ProblemError

PASSWORD = "Quiet-harbour-61-lantern"
DIGEST = hashlib.sha1(PASSWORD.encode()).hexdigest().upper()
URL = "https://passwords.example.com/mirror/"


def a_server(answer: httpx.Response | Exception, asked: list[httpx.Request]) -> BreachedPasswords:
    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return BreachedPasswords(URL, httpx.AsyncClient(transport=httpx.MockTransport(handle)))


def failures() -> float:
    return float(RANGE_QUERIES.labels("failed")._value.get())


async def test_breached_password_is_refused_by_the_name_of_its_field() -> None:
    asked: list[httpx.Request] = []
    text = f"{'0' * 35}:3\r\n{DIGEST[5:]}:17\r\n"
    strength = Strength(a_server(httpx.Response(200, text=text), asked))
    with pytest.raises(ProblemError) as refused:
        await strength.require("new_password", PASSWORD)
    assert refused.value.code == "invalid-fields"
    assert [error["field"] for error in refused.value.errors] == ["new_password"]
    (request,) = asked
    assert str(request.url) == f"{URL}range/{DIGEST[:5]}"
    assert request.headers["Add-Padding"] == "true"
    assert DIGEST[5:] not in str(request.url)
    assert not request.content


@pytest.mark.parametrize(
    "text", ["", f"{DIGEST[5:]}:0", f"{'F' * 35}:9", "no line of a range", f"{DIGEST}:1"]
)
async def test_password_that_the_server_does_not_know_is_taken(text: str) -> None:
    await Strength(a_server(httpx.Response(200, text=text), [])).require("password", PASSWORD)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.ConnectError("away"),
        httpx.ReadTimeout("slow"),
        httpx.Response(429),
        httpx.Response(503, text=f"{DIGEST[5:]}:17"),
        httpx.Response(301, headers={"Location": "https://elsewhere.example.com"}),
        httpx.Response(200, content=b"x" * 1_000_000),
    ],
    ids=["away", "slow", "429", "503", "elsewhere", "long"],
)
async def test_server_that_cannot_say_refuses_nothing_and_is_counted(
    answer: httpx.Response | Exception,
) -> None:
    before = failures()
    await Strength(a_server(answer, [])).require("password", PASSWORD)
    assert failures() == before + 1


async def test_guessable_password_is_refused_without_asking_anyone() -> None:
    asked: list[httpx.Request] = []
    strength = Strength(a_server(httpx.Response(200), asked))
    with pytest.raises(ProblemError):
        await strength.require("password", "Summer2024!")
    assert not asked


async def test_no_one_is_asked_without_the_setting() -> None:
    async with open_strength("") as strength:
        await strength.require("password", PASSWORD)


async def test_name_of_the_user_is_no_password() -> None:
    with pytest.raises(ProblemError):
        await Strength().require("password", "Xenophon-77!", "x@example.com", "Xenophon")
