"""The catalogue of problems against the places where they are raised."""

import json
import re
from collections.abc import Iterator

import pytest

from gateway.problems import PROBLEMS, Problem, ProblemError
from tests.support.stack import ROOT

RAISED = re.compile(
    r"""(?:(?:ProblemError|Rejected)\(\s*(?:code=)?|Refusal\(\s*\d+,\s*)"([a-z-]+)\""""
)


def raised_codes() -> Iterator[str]:
    for folder in ("gateway", "workers", "operations", "infra/http"):
        for source in (ROOT / folder).rglob("*.py"):
            yield from RAISED.findall(source.read_text(encoding="utf-8"))


def test_every_problem_that_is_raised_is_in_the_catalogue_and_every_other_way_round() -> None:
    assert set(raised_codes()) == PROBLEMS.keys()


@pytest.mark.parametrize(("code", "problem"), PROBLEMS.items(), ids=list(PROBLEMS))
def test_a_problem_says_what_a_client_needs(code: str, problem: Problem) -> None:
    body = json.loads(ProblemError(code, "In detail.").body("a-request"))
    assert body == {
        "type": f"urn:qnt9:problem:{code}",
        "title": problem.title,
        "status": problem.status,
        "detail": "In detail.",
        "code": code,
        "request_id": "a-request",
    }
    assert 400 <= problem.status < 600


def test_a_title_is_of_one_problem_alone() -> None:
    titles = [problem.title for problem in PROBLEMS.values()]
    assert len(titles) == len(set(titles))


def test_anyone_who_is_sent_away_is_given_the_time_to_come_back() -> None:
    assert {c for c, p in PROBLEMS.items() if p.status in {429, 503}} == {
        code for code, problem in PROBLEMS.items() if problem.retry_after
    }


def test_fields_at_fault_are_listed() -> None:
    errors = [{"field": "email", "message": "Field required"}]
    body = json.loads(ProblemError("invalid-fields", errors=errors).body("a-request"))
    assert body["errors"] == errors
    assert body["detail"] == body["title"]
