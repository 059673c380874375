"""The symbol in a path."""

from pydantic import TypeAdapter, ValidationError

from contracts.values import Symbol
from gateway.endpoints import Call
from gateway.problems import ProblemError

_SYMBOL: TypeAdapter[str] = TypeAdapter(Symbol)


def symbol_of(call: Call) -> str:
    """In capitals. A text that can be no symbol is an unknown one."""
    try:
        return _SYMBOL.validate_python(call.path("symbol"))
    except ValidationError as error:
        raise ProblemError("unknown-symbol") from error
