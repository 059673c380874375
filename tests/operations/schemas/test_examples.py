"""The examples beside the schemas: one for each message, and each as the code would write it."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator, FormatChecker

from contracts.personal import Personal
from contracts.topics import MESSAGES
from operations.schemas.examples import Example, example_faults, read_examples

SCHEMAS = Path("schemas")
TYPE = "qnt9.command.add_to_watchlist.v1"
EXAMPLES = read_examples(SCHEMAS)

Edit = Callable[[dict[str, Any]], object]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(SCHEMAS / "examples", tmp_path / "examples")
    return tmp_path


def test_every_message_has_one_and_each_is_right() -> None:
    assert EXAMPLES.keys() == MESSAGES.keys()
    assert example_faults(SCHEMAS) == []


@pytest.mark.parametrize("name", sorted(MESSAGES))
def test_an_example_is_valid_against_the_committed_schema(name: str) -> None:
    schema = orjson.loads((SCHEMAS / "messages" / f"{name}.json").read_bytes())
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema, format_checker=FormatChecker()).validate(EXAMPLES[name].data)


@pytest.mark.parametrize(("name", "example"), EXAMPLES.items())
def test_personal_data_and_secrets_are_never_in_clear(name: str, example: Example) -> None:
    message = MESSAGES[name].model_validate(example.data)
    for field, value in message:
        if isinstance(value, Personal):
            assert str(example.data[field]).startswith("p1."), field
    assert "example.com" not in example.model_dump_json()


def test_a_missing_example_is_a_fault(folder: Path) -> None:
    (folder / "examples" / f"{TYPE}.json").unlink()
    assert example_faults(folder) == [f"examples/{TYPE}.json: is missing; write one by hand"]


def test_an_example_of_nothing_is_a_fault(folder: Path) -> None:
    (folder / "examples" / "qnt9.user.flew.v1.json").write_text("{}")
    assert example_faults(folder) == ["examples/qnt9.user.flew.v1.json: no message has this type"]


@pytest.mark.parametrize(
    ("edit", "fault"),
    [
        (lambda e: e["data"].update(symbol="no symbol"), "data.symbol: 'no symbol' does not match"),
        (lambda e: e["data"].pop("symbol"), "data: 'symbol' is a required property"),
        (lambda e: e["data"].update(lot=1), "the data is not what the message would write"),
        (lambda e: e["headers"].pop("ce_id"), "headers: 'ce_id' is a required property"),
        (lambda e: e["headers"].update(ce_time="now"), "headers.ce_time: 'now' is not a"),
        (lambda e: e["headers"].update(ce_more="x"), "the headers are not what the envelope"),
        (lambda e: e["headers"].update(ce_type="qnt9.user.signed_in.v1"), "user_id: missing"),
        (lambda e: e.update(key="another"), "the key is not ce_subject"),
        (lambda e: e.pop("key"), "is not {key, headers, data}"),
    ],
)
def test_an_example_that_is_not_a_real_record_is_a_fault(
    folder: Path, edit: Edit, fault: str
) -> None:
    path = folder / "examples" / f"{TYPE}.json"
    example = orjson.loads(path.read_bytes())
    edit(example)
    path.write_bytes(orjson.dumps(example))
    assert fault in "\n".join(example_faults(folder))
