from ipaddress import ip_address
from uuid import UUID

import pytest

from contracts.personal import PersonalKey
from infra.messaging.inbound import InboundMessage, RawEvent
from tests.support.message_builders import a_personal_key, an_origin
from tests.support.workers.audit_slice import an_envelope_of_type
from workers.audit.rules import (
    Client,
    action_of,
    details_of,
    open_client,
    sealed_client,
    storable,
    user_of,
)


def an_event(body: object) -> InboundMessage[RawEvent]:
    event = RawEvent(body=body, value=b"", headers={})
    return InboundMessage(an_envelope_of_type("qnt9.x.happened.v1"), event, None, an_origin())


@pytest.mark.parametrize(
    ("event_type", "action"),
    [
        ("qnt9.user.signed_up.v1", "user.signup"),
        ("qnt9.user.signed_in.v1", "user.signin"),
        ("qnt9.user.signed_out.v2", "user.signout"),
        ("qnt9.user.signin_failed.v1", "user.signin_failed"),
        ("qnt9.user.password_check_failed.v1", "user.password_check_failed"),
        ("qnt9.user.email_verified.v1", "user.email_verified"),
        ("qnt9.watchlist.item_added.v12", "watchlist.item_added"),
        ("com.example.thing", "com.example.thing"),
    ],
)
def test_actions_have_the_names_that_readers_know(event_type: str, action: str) -> None:
    assert action_of(event_type) == action


@pytest.mark.parametrize("body", [None, [], "x", {}, {"user_id": None}, {"user_id": "nobody"}])
def test_an_event_about_no_one_has_no_user(body: object) -> None:
    assert user_of(body) is None


def test_the_user_is_the_one_in_the_data() -> None:
    user = UUID(int=7)
    assert user_of({"user_id": str(user)}) == user


def test_details_are_the_data_without_the_client() -> None:
    assert details_of({"symbol": "AAPL", "client": "p1.x"}) == {"symbol": "AAPL"}
    assert details_of([1]) == {"data": [1]}


def test_what_postgres_cannot_hold_is_replaced() -> None:
    assert storable({"a\0": ["b\0", {"c": 1}]}) == {"a\ufffd": ["b\ufffd", {"c": 1}]}


def opened(token: object, *keys: PersonalKey) -> Client:
    return open_client(sealed_client(an_event({"client": token})), {key.id: key for key in keys})


def test_a_client_is_opened_with_its_key() -> None:
    key = a_personal_key()
    token = key.encrypt({"ip": "203.0.113.7", "agent": "a browser"})
    assert opened(token, key) == Client(ip_address("203.0.113.7"), "a browser")


def test_a_client_whose_key_is_gone_is_empty() -> None:
    token = a_personal_key().encrypt({"ip": "203.0.113.7", "agent": "a browser"})
    assert opened(token) == Client()


@pytest.mark.parametrize("token", [None, 7, "", "p1.", "p2.user:1.x", "p1.user:\0.x", "a.b.c"])
def test_what_is_no_client_is_none(token: object) -> None:
    assert opened(token) == Client()


@pytest.mark.parametrize("content", ["text", None, {}, {"ip": "not one", "agent": 7}])
def test_a_client_that_holds_something_else_is_empty(content: object) -> None:
    key = a_personal_key()
    assert opened(key.encrypt(content), key) == Client()
