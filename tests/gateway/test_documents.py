"""The page of the contract: whole, and without anything from elsewhere."""

import re

import pytest

from gateway.documents import Documents
from gateway.openapi import document
from gateway.problems import BEFORE_ROUTES, PROBLEMS
from gateway.routes import ENDPOINTS

PAGE = Documents(ENDPOINTS).page.decode()
DOCUMENT = document(ENDPOINTS)
OPERATIONS = [o for methods in DOCUMENT["paths"].values() for o in methods.values()]


def test_nothing_is_loaded_from_elsewhere() -> None:
    loaded = re.findall(r'(?:src|href)="([^"]*)"', PAGE)
    assert all(target.startswith(("/", "#")) and not target.startswith("//") for target in loaded)
    assert "<script" not in PAGE
    assert "style=" not in PAGE


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda o: str(o["operationId"]))
def test_every_operation_is_on_the_page(operation: dict[str, str]) -> None:
    assert f'id="{operation["operationId"]}"' in PAGE
    assert operation["summary"] in PAGE


def test_every_link_on_the_page_leads_somewhere() -> None:
    ids = re.findall(r'id="([^"]*)"', PAGE)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]*)"', PAGE)) <= set(ids)


def test_every_problem_that_a_route_has_is_explained() -> None:
    explained = set(re.findall(r'id="problem-([^"]*)"', PAGE))
    assert PROBLEMS.keys() - explained == BEFORE_ROUTES


def test_text_is_escaped_and_shows_code() -> None:
    assert "its outcome will be at <code>Location</code>" in PAGE
    assert "<code>respond-async</code>" in PAGE
    assert "&#34;email&#34;" in PAGE
