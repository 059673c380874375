"""What became of a command, as its row keeps it and the wake-up carries it."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Succeeded:
    """Done. `result` goes to the client; `created`: whether something new was made."""

    result: dict[str, Any] | None = None
    created: bool = False

    def to_json(self) -> dict[str, Any]:
        return {"status": "succeeded", "result": self.result, "created": self.created}


@dataclass(frozen=True, slots=True)
class Rejected:
    """Refused by a rule, for good. `code` is a problem code of the HTTP contract."""

    code: str
    detail: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {"status": "failed", "code": self.code, "detail": self.detail}


@dataclass(frozen=True, slots=True)
class SealedOutcome:
    """An outcome with secrets, readable by the process that asked and by nobody else."""

    sealed: str

    def to_json(self) -> dict[str, Any]:
        return {"status": "succeeded", "sealed": self.sealed}


Outcome = Succeeded | Rejected | SealedOutcome


def outcome_of(data: Any) -> Outcome:
    """The outcome that `to_json` wrote. Raises `ValueError` for anything else."""
    match data:
        case {"status": "failed", "code": str(code)}:
            return Rejected(code, _text(data.get("detail")))
        case {"status": "succeeded", "sealed": str(sealed)}:
            return SealedOutcome(sealed)
        case {"status": "succeeded"}:
            result = data.get("result")
            if result is not None and not isinstance(result, dict):
                raise ValueError("the result of an outcome is no object")
            # A row forgets the order, a wake-up keeps it: either way a repetition is answered in
            # the same bytes.
            ordered = dict(sorted(result.items())) if result else result
            return Succeeded(ordered, created=data.get("created") is True)
        case _:
            raise ValueError("this is no outcome")


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise ValueError("the detail of an outcome is no text")
