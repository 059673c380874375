"""The symbol in a path, and what is said of one that there is not."""

from collections.abc import Iterable

from pydantic import TypeAdapter, ValidationError

from contracts.quotes import Quote
from contracts.securities import spelling_of_class_share
from contracts.values import Symbol
from gateway.deps import GatewayDeps
from gateway.http.call import Call
from gateway.problems import ProblemError

_SYMBOL: TypeAdapter[str] = TypeAdapter(Symbol)


def symbol_of(call: Call) -> str:
    """In capitals. A text that can be no symbol is an unknown one."""
    try:
        return _SYMBOL.validate_python(call.path("symbol"))
    except ValidationError as error:
        raise ProblemError("unknown-symbol") from error


async def symbol_asked_for(call: Call, deps: GatewayDeps) -> str:
    """As `symbol_of`; the problem of an unknown one names the share that is meant, if one is."""
    try:
        return symbol_of(call)
    except ProblemError as error:
        text = call.path("symbol")
        raise (await unknown_symbols(call, deps, [text]))[text] from error


async def unknown_symbols(
    call: Call, deps: GatewayDeps, texts: Iterable[str]
) -> dict[str, ProblemError]:
    """The problem of each text that is an unknown symbol.

    A class share that is written otherwise than providers do is named in it: BRK-B of BRK.B. All
    are asked for at once; what nobody has or can tell is not named.
    """
    spellings = {text: spelling_of_class_share(text) for text in texts}
    asked = list(dict.fromkeys(filter(None, spellings.values())))
    found = await deps.quotes.quotes(call.context, asked) if asked else {}
    return {
        text: ProblemError("unknown-symbol", f"Did you mean {spelling}?")
        if spelling and isinstance(found[spelling], Quote)
        else ProblemError("unknown-symbol")
        for text, spelling in spellings.items()
    }
