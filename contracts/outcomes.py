"""What became of a command, as its row keeps it and the wake-up carries it."""

from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Succeeded:
    """Done. `result` is what the client is told; `created` when something new came to be."""

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


def outcome_of(data: dict[str, Any]) -> Outcome:
    """The outcome that `to_json` wrote."""
    status: Literal["succeeded", "failed"] = data["status"]
    if status == "failed":
        return Rejected(data["code"], data.get("detail"))
    if "sealed" in data:
        return SealedOutcome(data["sealed"])
    result = data.get("result")
    # A row forgets the order, a wake-up keeps it: either way a repetition is answered in the
    # same bytes.
    ordered = dict(sorted(result.items())) if result else result
    return Succeeded(ordered, data.get("created", False))
