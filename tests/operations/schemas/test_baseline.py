"""What of a released contract may change, and what may not."""

import re
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from operations import schemas
from operations.schemas.baseline import WIDENED, breaks, contract

COMMITTED = Path("schemas/baseline.json")
TYPE = "qnt9.watchlist.item_added.v1"

Edit = Callable[[dict[str, Any]], object]


def changed(edit: Edit) -> dict[str, Any]:
    now = deepcopy(contract())
    edit(now)
    return now


def fields(now: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = now["messages"][TYPE]["fields"]
    return found


def required(now: dict[str, Any]) -> list[str]:
    found: list[str] = now["messages"][TYPE]["required"]
    return found


def with_required(now: dict[str, Any], field: str) -> None:
    fields(now)[field] = {"type": "integer"}
    required(now).append(field)


def test_the_contracts_break_nothing_that_was_released() -> None:
    assert breaks(orjson.loads(COMMITTED.read_bytes()), contract()) == []


@pytest.mark.parametrize(
    "edit",
    [
        lambda now: fields(now).update(exchange={"type": "string", "default": None}),
        lambda now: now["messages"].update({"qnt9.user.flew.v1": {}}),
        lambda now: now["topics"].update({"payments.events": {}}),
        lambda now: now["topics"]["signup.commands"].update(kept_days=None),
        lambda now: now["headers"]["events"]["fields"].update(ce_region={"type": "string"}),
    ],
    ids=["optional field", "message", "topic", "kept longer", "optional header"],
)
def test_a_contract_may_grow(edit: Edit) -> None:
    assert breaks(contract(), changed(edit)) == []


@pytest.mark.parametrize(
    ("edit", "fault"),
    [
        (lambda now: now["messages"].pop(TYPE), f"{TYPE}: is gone"),
        (lambda now: now["messages"][TYPE].update(topic="users.events"), "moved from"),
        (lambda now: fields(now).pop("note"), "note is gone"),
        (lambda now: required(now).append("note"), "note became required"),
        (lambda now: required(now).remove("symbol"), "symbol became optional"),
        (lambda now: fields(now)["symbol"].update(maxLength=5), "symbol is not what was released"),
        (lambda now: fields(now)["symbol"].pop("pattern"), "symbol is not what was released"),
        (lambda now: with_required(now, "lot"), "lot is new and required"),
        (lambda now: now["topics"].pop("users.events"), "topic users.events: is gone"),
        (lambda now: now["topics"]["users.events"].update(partitions=12), "partitions was 6"),
        (lambda now: now["topics"]["users.events"].update(key="e-mail"), "key was"),
        (lambda now: now["topics"]["users.events"].update(kept_days=7), "is kept 7 days"),
        (lambda now: now["topics"]["signup.commands"].update(kept_days=1), "is kept 1 days"),
        (
            lambda now: now["headers"]["events"]["fields"].pop("ce_subject"),
            "headers of events: ce_subject is gone",
        ),
    ],
)
def test_what_readers_rely_on_stays(edit: Edit, fault: str) -> None:
    (found,) = breaks(contract(), changed(edit))
    assert fault in found


def sealed(now: dict[str, Any], purpose: str) -> dict[str, Any]:
    found: dict[str, Any] = now["sealed"][purpose]
    return found


@pytest.mark.parametrize(
    ("edit", "fault"),
    [
        (lambda now: now["sealed"].pop("signin"), "sealed for signin: is gone"),
        (lambda now: sealed(now, "signin")["fields"].pop("password"), "password is gone"),
        (
            lambda now: sealed(now, "profile")["required"].append("display_name"),
            "display_name became required",
        ),
        (
            lambda now: sealed(now, "forgot")["fields"]["email"].update(maxLength=3),
            "sealed for forgot: email is not what was released",
        ),
    ],
)
def test_what_is_in_a_seal_stays_as_it_was_released(edit: Edit, fault: str) -> None:
    (found,) = breaks(contract(), changed(edit))
    assert fault in found


REASONS = {"enum": ["unknown_address", "wrong_password"], "type": "string"}
ONE_REASON = {"const": "unknown_address", "type": "string"}


def with_reason(type_: str, schema: dict[str, Any]) -> dict[str, Any]:
    """The contract with a field of this schema in a message."""
    return changed(lambda now: now["messages"][type_]["fields"].update(reason=schema))


@pytest.mark.parametrize(
    "wider",
    [
        {"enum": ["unknown_address", "wrong_password", "locked"], "type": "string"},
        {"enum": ["locked", "wrong_password", "unknown_address"], "type": "string"},
    ],
)
@pytest.mark.parametrize("before", [REASONS, ONE_REASON], ids=["enum", "const"])
def test_open_enumeration_of_an_event_may_get_more_values(
    before: dict[str, Any], wider: dict[str, Any]
) -> None:
    assert breaks(with_reason(TYPE, before), with_reason(TYPE, wider)) == []
    optional = [{"anyOf": [each, {"type": "null"}]} for each in (before, wider)]
    assert breaks(with_reason(TYPE, optional[0]), with_reason(TYPE, optional[1])) == []


@pytest.mark.parametrize(
    "other",
    [
        {"enum": ["unknown_address"], "type": "string"},
        {"enum": ["unknown_address", "locked"], "type": "string"},
        {"enum": ["unknown_address", "wrong_password", "x"], "type": "string", "default": "x"},
        {"enum": ["unknown_address", "wrong_password", 1], "type": "string"},
        {"type": "string"},
    ],
    ids=["fewer", "another", "default", "no text", "no enumeration"],
)
def test_open_enumeration_keeps_what_was_released(other: dict[str, Any]) -> None:
    (fault,) = breaks(with_reason(TYPE, REASONS), with_reason(TYPE, other))
    assert "reason is not what was released" in fault


def test_enumeration_of_a_command_gets_no_value_that_its_reader_does_not_know() -> None:
    command = "qnt9.command.add_to_watchlist.v1"
    wider = {"enum": [*REASONS["enum"], "locked"], "type": "string"}
    (fault,) = breaks(with_reason(command, REASONS), with_reason(command, wider))
    assert "reason is not what was released" in fault


def test_words_for_people_may_change() -> None:
    assert "description" not in str(contract())
    assert "title" not in str(contract())


def test_release_without_a_baseline_records_the_present_contracts(tmp_path: Path) -> None:
    schemas.release(tmp_path)
    assert orjson.loads((tmp_path / COMMITTED.name).read_bytes()) == contract()


def test_release_of_the_committed_baseline_breaks_nothing(tmp_path: Path) -> None:
    (tmp_path / COMMITTED.name).write_bytes(COMMITTED.read_bytes())
    schemas.release(tmp_path)
    assert not breaks(orjson.loads(COMMITTED.read_bytes()), contract())


def test_a_release_that_would_break_one_is_refused(tmp_path: Path) -> None:
    promised = changed(lambda now: fields(now).update(lot={"type": "integer"}))
    (tmp_path / COMMITTED.name).write_bytes(orjson.dumps(promised))
    with pytest.raises(schemas.BreakingError, match="lot is gone"):
        schemas.release(tmp_path)
    assert orjson.loads((tmp_path / COMMITTED.name).read_bytes()) == promised


def test_a_break_fails_the_check(tmp_path: Path) -> None:
    promised = changed(lambda now: now["topics"]["users.events"].update(partitions=3))
    (tmp_path / COMMITTED.name).write_bytes(orjson.dumps(promised))
    assert "breaks a release: topic users.events: partitions was 3, is 6" in schemas.faults(
        tmp_path
    )


@pytest.mark.parametrize(("released", "now"), WIDENED.items())
def test_a_pattern_in_the_place_of_a_released_one_accepts_all_that_it_did(
    released: str, now: str
) -> None:
    wanted = re.compile(now)

    @given(text=st.from_regex(released, alphabet=st.characters(codec="ascii")))
    def check(text: str) -> None:
        assert wanted.match(text)

    check()
