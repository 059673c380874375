"""The OpenAPI document against the endpoints it is made from."""

import orjson
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import BaseModel

from gateway.http.endpoints import AccessLevel, Endpoint
from gateway.openapi.document import document, problem_codes
from gateway.openapi.examples import EXAMPLES, PATHS
from gateway.problems import BEFORE_ROUTES, PROBLEMS
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
    needs_credential = endpoint.access is not AccessLevel.ANYONE or endpoint.by_cookie
    assert bool(operation["security"]) == needs_credential


RELEASED_IDS = """
    activity_show admin_audit admin_change_permissions admin_change_tier admin_users
    auth_refresh auth_resend auth_sign_in auth_sign_up auth_verify commands_show
    passwords_change passwords_change_email passwords_erase passwords_forgot
    passwords_reset passwords_undo_email quotes_search quotes_show quotes_show_many
    sessions_revoke sessions_show sessions_sign_out stream_stream stream_ticket users_me
    users_update watchlist_delete watchlist_put watchlist_show wellknown_jwks
"""


def test_released_operation_keeps_its_id() -> None:
    """Generated clients name their functions by it."""
    ids = {o["operationId"] for methods in DOCUMENT["paths"].values() for o in methods.values()}
    assert set(RELEASED_IDS.split()) - ids == set()


def test_operation_ids_are_unique() -> None:
    ids = [o["operationId"] for methods in DOCUMENT["paths"].values() for o in methods.values()]
    assert len(ids) == len(set(ids))


def test_every_problem_of_a_route_is_in_the_catalogue() -> None:
    assert {code for endpoint in API for code in problem_codes(endpoint)} <= PROBLEMS.keys()


def test_every_problem_of_the_catalogue_can_happen() -> None:
    documented = {code for endpoint in API for code in problem_codes(endpoint)}
    assert PROBLEMS.keys() - documented == BEFORE_ROUTES


def test_the_document_is_valid_openapi() -> None:
    as_published = orjson.loads(orjson.dumps(DOCUMENT))
    assert [error.message for error in OpenAPIV31SpecValidator(as_published).iter_errors()] == []


@pytest.mark.parametrize(("model", "example"), EXAMPLES.items(), ids=lambda e: str(e)[:40])
def test_an_example_is_what_the_model_would_write(
    model: type[BaseModel], example: dict[str, object]
) -> None:
    assert model.model_validate(example).model_dump(mode="json") == example


@pytest.mark.parametrize("endpoint", API, ids=lambda e: f"{e.method} {e.path}")
def test_what_a_route_takes_and_gives_has_an_example(endpoint: Endpoint) -> None:
    displayed = {endpoint.body, *endpoint.answers.values()} - {None}
    assert displayed <= EXAMPLES.keys()
    assert {part.strip("{}") for part in endpoint.path.split("/") if "{" in part} <= PATHS.keys()


def test_signing_in_takes_no_idempotency_key() -> None:
    operation = DOCUMENT["paths"]["/api/v1/auth/signin"]["post"]
    assert "Idempotency-Key" not in str(operation)
    assert "Idempotency-Key" in str(DOCUMENT["paths"]["/api/v1/auth/signup"]["post"])


def test_every_link_leads_to_an_operation_with_these_parameters() -> None:
    operations = {o["operationId"]: o for m in DOCUMENT["paths"].values() for o in m.values()}
    links = [
        link
        for operation in operations.values()
        for response in operation["responses"].values()
        for link in response.get("links", {}).values()
    ]
    assert links
    for link in links:
        taken = {p.get("name") for p in operations[link["operationId"]]["parameters"]}
        assert link["parameters"].keys() <= taken


def test_what_may_be_left_out_of_a_query_is_never_null() -> None:
    parameters = DOCUMENT["paths"]["/api/v1/admin/users"]["get"]["parameters"]
    schemas = {p["name"]: p["schema"] for p in parameters if p.get("in") == "query"}
    assert schemas["tier"]["enum"] == ["free", "plus", "pro"]
    assert schemas["verified"]["type"] == "boolean"
    assert "null" not in str(schemas)
    assert "None" not in str(schemas)
