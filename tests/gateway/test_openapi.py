"""The OpenAPI document against the endpoints it is made from."""

import pytest

from gateway.endpoints import Endpoint, Who
from gateway.openapi import document, problem_codes
from gateway.problems import PROBLEMS
from gateway.routes import ENDPOINTS

DOCUMENT = document(ENDPOINTS)
API = [endpoint for endpoint in ENDPOINTS if endpoint.path.startswith("/api/")]


@pytest.mark.parametrize("endpoint", API, ids=lambda e: f"{e.method} {e.path}")
def test_every_route_of_the_api_is_documented(endpoint: Endpoint) -> None:
    operation = DOCUMENT["paths"][endpoint.path][endpoint.method.lower()]
    documented = {int(status) for status in operation["responses"]}
    answered = set(endpoint.answers) | {PROBLEMS[c].status for c in problem_codes(endpoint)}
    assert documented == answered


@pytest.mark.parametrize("endpoint", API, ids=lambda e: f"{e.method} {e.path}")
def test_a_route_for_users_says_so(endpoint: Endpoint) -> None:
    operation = DOCUMENT["paths"][endpoint.path][endpoint.method.lower()]
    assert bool(operation["security"]) == (endpoint.who is not Who.ANYONE)


def test_operation_ids_are_unique() -> None:
    ids = [o["operationId"] for methods in DOCUMENT["paths"].values() for o in methods.values()]
    assert len(ids) == len(set(ids))


def test_every_problem_of_a_route_is_in_the_catalogue() -> None:
    assert {code for endpoint in API for code in problem_codes(endpoint)} <= PROBLEMS.keys()


def test_every_problem_of_the_catalogue_can_happen() -> None:
    by_the_edge = {"not-found", "method-not-allowed"}
    documented = {code for endpoint in API for code in problem_codes(endpoint)}
    assert PROBLEMS.keys() - by_the_edge <= documented
