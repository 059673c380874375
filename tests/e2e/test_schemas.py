"""What lies in the topics against the AsyncAPI document that describes it."""

from typing import Any
from uuid import uuid4

import orjson
import pytest
from jsonschema import Draft202012Validator, FormatChecker

from contracts.topics import TOPICS
from operations.schemas.asyncapi import asyncapi
from operations.schemas.examples import read_examples
from tests.support.stack import PASSWORD, ROOT, Stack
from tests.support.waiting import eventually

DOCUMENT = asyncapi(read_examples(ROOT / "schemas"))
CAUSED = {
    "qnt9.command.sign_up.v1",
    "qnt9.command.confirm_sign_up.v1",
    "qnt9.command.verify_email.v1",
    "qnt9.command.sign_in.v1",
    "qnt9.command.add_to_watchlist.v1",
    "qnt9.command.remove_from_watchlist.v1",
    "qnt9.command.look_up_quote.v1",
    "qnt9.command.update_profile.v1",
    "qnt9.command.change_password.v1",
    "qnt9.command.forgot_password.v1",
    "qnt9.command.reset_password.v1",
    "qnt9.command.change_email.v1",
    "qnt9.command.erase_account.v1",
    "qnt9.user.signed_up.v1",
    "qnt9.user.email_verified.v1",
    "qnt9.user.signed_in.v1",
    "qnt9.user.signin_failed.v1",
    "qnt9.user.signup_repeated.v1",
    "qnt9.watchlist.item_added.v1",
    "qnt9.watchlist.item_removed.v1",
    "qnt9.quote.not_found.v1",
    "qnt9.user.profile_updated.v1",
    "qnt9.user.password_changed.v1",
    "qnt9.user.password_reset_requested.v1",
    "qnt9.user.email_change_requested.v1",
    "qnt9.user.email_changed.v1",
    "qnt9.user.erased.v1",
}


NEW = "Copper-meadow-27-violin"
Found = tuple[str, Any, dict[str, str]]


def parts_of(message_type: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The schemas that headers and data have to be valid against."""
    schemas = DOCUMENT["components"]["schemas"]
    message = DOCUMENT["components"]["messages"][message_type]
    general, own = message["headers"]["allOf"]
    return [schemas[general["$ref"].rpartition("/")[2]], own], schemas[message_type]


async def records_of(stack: Stack, run: str) -> dict[str, list[Found]]:
    """Topic, record and headers of all that one run of requests caused, by type."""
    found: dict[str, list[Found]] = {}
    for record in await stack.records(*(topic.name for topic in TOPICS)):
        headers = {name: (value or b"").decode(errors="replace") for name, value in record.headers}
        if headers.get("ce_correlationid") == run:
            found.setdefault(headers["ce_type"], []).append((record.topic, record, headers))
    return found


async def go_all_the_way(stack: Stack, run: str) -> None:
    email = f"{run}@example.com"
    account = {"email": email, "password": PASSWORD, "display_name": "Ada"}
    async with stack.http(headers={"X-Request-ID": run}) as http:

        async def post(path: str, body: Any) -> Any:
            answer = await http.post(f"/api/v1/auth{path}", json=body)
            return answer.json() if answer.content else None

        await post("/signup", account)
        await post("/verify", {"token": await stack.mailed_token(email), "password": PASSWORD})
        await post("/signup", account)
        await post("/signin", {"email": email, "password": "Wooden-compass-37-ribbon"})
        tokens = await post("/signin", {"email": email, "password": PASSWORD})
        http.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        await http.put("/api/v1/watchlist/SAP.DE", json={"note": "earnings on Friday"})
        await http.delete("/api/v1/watchlist/SAP.DE")
        await http.get(f"/api/v1/quotes/{run[:8].upper()}")
        await http.patch("/api/v1/users/me", json={"display_name": "Ada King"})
        await post("/password/change", {"current_password": PASSWORD, "new_password": NEW})
        await stack.mails_may_go()
        await post("/password/forgot", {"email": email})
        await post("/password/reset", {"token": "of-a-mail-that-never-was", "new_password": NEW})
        await post("/email/change", {"new_email": f"new-{email}", "password": NEW})
        await post("/verify", {"token": await stack.mailed_token(f"new-{email}")})
        await http.post("/api/v1/users/me/erase", json={"password": NEW})


@pytest.fixture(scope="module")
async def caused(stack: Stack) -> dict[str, list[Found]]:
    run = uuid4().hex
    await go_all_the_way(stack, run)

    async def everything() -> bool:
        return (await records_of(stack, run)).keys() >= CAUSED

    await eventually(everything)
    return await records_of(stack, run)


async def test_every_record_is_as_the_document_says(
    caused: dict[str, list[Found]],
) -> None:
    for message_type, records in caused.items():
        header_schemas, data_schema = parts_of(message_type)
        for topic, record, headers in records:
            for schema in header_schemas:
                Draft202012Validator(schema, format_checker=FormatChecker()).validate(headers)
            assert headers.keys() <= header_schemas[0]["properties"].keys()
            data = orjson.loads(record.value)
            Draft202012Validator(data_schema, format_checker=FormatChecker()).validate(data)
            assert record.key.decode() == headers["ce_subject"]
            assert message_type in DOCUMENT["channels"][topic]["messages"]
