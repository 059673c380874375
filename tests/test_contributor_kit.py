"""The files for contributors agree with the Makefile and with each other."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
# CONTRIBUTING's examples name files that such a change would create.
CREATED = re.compile(r"accept_terms|terms_accepted|NNNN|…|evidence/")


def read_yaml(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text("utf-8"))


def test_every_tool_of_make_check_is_a_hook() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    recipe = re.search(r"^check: .*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    assert recipe
    commands = [line.strip().replace("$(BIN)", ".venv/bin") for line in recipe[1].splitlines()]
    hooks = read_yaml(".pre-commit-config.yaml")["repos"][0]["hooks"]
    entries = [hook["entry"].replace(" --force-exclude", "") for hook in hooks]
    assert not [each for each in commands if not any(each.startswith(entry) for entry in entries)]


def test_ci_workflow_runs_the_same_script_as_a_contributor() -> None:
    verify = read_yaml(".github/workflows/ci.yaml")["jobs"]["verify"]
    assert ".ci/run" in [step.get("run") for step in verify["steps"]]
    seconds = re.search(r"timeout --kill-after=\d+ (\d+)", (ROOT / ".ci" / "run").read_text())
    assert seconds
    assert verify["timeout-minutes"] * 60 > int(seconds[1])


def test_dev_container_makes_the_environment_of_the_makefile() -> None:
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text("utf-8"))
    assert container["postCreateCommand"] == "make .venv/dev"


@pytest.mark.parametrize("name", ["bug_report", "feature_request"])
def test_issue_form_has_a_title_and_required_fields(name: str) -> None:
    form = read_yaml(f".github/ISSUE_TEMPLATE/{name}.yml")
    assert form["name"]
    assert form["description"]
    assert any(field.get("validations", {}).get("required") for field in form["body"])


def test_code_owners_names_no_one_until_an_organisation_does() -> None:
    lines = (ROOT / ".github" / "CODEOWNERS").read_text("utf-8").splitlines()
    assert all(line.startswith("#") for line in lines)


def test_files_that_contributing_names_exist() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    named = re.findall(r"`((?:[a-z_.]+/)+[A-Za-z0-9_./…-]*|[A-Z]+\.md)`", page)
    assert len(named) > 20
    missing = [
        name
        for name in named
        if not CREATED.search(name) and name != ".venv/dev" and not (ROOT / name).exists()
    ]
    assert not missing
