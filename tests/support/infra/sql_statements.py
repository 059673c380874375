"""Every SQL statement of the product, as its modules write it.

A literal that begins like a statement is one. An f-string is evaluated in its module, so that one
made of constants needs nothing else; one made of local names needs an entry in `LOCAL_NAMES`.
"""

import ast
import importlib
import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from tests.support.stack import ROOT
from workers.accounts.sessions import retention as accounts
from workers.verification import retention as verification

FOLDERS = ("contracts", "devstack", "gateway", "infra", "operations", "workers")
ADMINISTRATION = {
    "infra/postgres/grants.py",
    "infra/postgres/migrate.py",
    "infra/postgres/roles.py",
}
"""They define the schema, and read nothing but the catalogue."""

_STATEMENT = re.compile(
    r"\s*(?:SELECT|INSERT INTO|UPDATE|DELETE FROM|WITH|MERGE INTO)\s+[^\s]", re.ASCII
)
_METHODS = {"execute", "executemany", "fetch", "fetchrow", "fetchval", "cursor"}
_CONNECTIONS = {"conn", "connection", "session", "pool", "tx"}

_WITH_OR_WITHOUT = ({"lock": True}, {"lock": False})
LOCAL_NAMES: Mapping[tuple[str, str], Sequence[Mapping[str, Any]]] = {
    ("workers/accounts/confirmation/store.py", "find_sign_ups"): _WITH_OR_WITHOUT,
    ("workers/accounts/email_undo/store.py", "find_change"): _WITH_OR_WITHOUT,
    ("operations/audit/entries.py", "entries"): ({"order": "ASC"}, {"order": "DESC"}),
}
"""What the local names in an f-string stand for, by file and function."""
RETENTION = ("infra/postgres/retention.py", "oldest_rows")
"""Its f-string is a statement for each table whose rows end."""


class UnknownStatementError(Exception):
    """A statement is written in a way that nothing here can collect."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement: where it is, and its text with `$1` and so on for its parameters."""

    file: str
    function: str
    text: str

    @property
    def name(self) -> str:
        return f"{self.file}::{self.function}"


def all_statements() -> list[Statement]:
    """Those of all folders of the product. Raises `UnknownStatementError`."""
    found = []
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            file = path.relative_to(ROOT).as_posix()
            if file not in ADMINISTRATION:
                found += list(statements_of(file, path.read_text("utf-8")))
    return found


def statements_of(file: str, source: str) -> Iterator[Statement]:
    """The statements that a module writes. Raises `UnknownStatementError`."""
    tree = ast.parse(source)
    parts = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        for part in node.values
    }
    for function, node in _with_functions(tree, "module"):
        if id(node) in parts:
            continue
        if isinstance(node, ast.Constant) and _begins_like_one(node.value):
            yield Statement(file, function, str(node.value))
        elif isinstance(node, ast.JoinedStr) and _begins_like_one(_written(node)):
            for text in _variants(file, function, node):
                yield Statement(file, function, text)


def _begins_like_one(text: object) -> bool:
    return isinstance(text, str) and bool(_STATEMENT.match(text))


def _written(node: ast.JoinedStr) -> str:
    return "".join(
        str(part.value) if isinstance(part, ast.Constant) else "x" for part in node.values
    )


def _with_functions(node: ast.AST, function: str) -> Iterator[tuple[str, ast.AST]]:
    """Each node with the name of the innermost function it is in."""
    for child in ast.iter_child_nodes(node):
        inside = (
            child.name if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) else function
        )
        yield inside, child
        yield from _with_functions(child, inside)


def _variants(file: str, function: str, node: ast.JoinedStr) -> Iterator[str]:
    if (file, function) == RETENTION:
        yield from _retention_statements()
        return
    module = importlib.import_module(file.removesuffix(".py").replace("/", "."))
    code = compile(ast.Expression(node), file, "eval")
    for names in LOCAL_NAMES.get((file, function), ({},)):
        try:
            yield eval(code, vars(module), dict(names))
        except NameError as error:
            raise UnknownStatementError(
                f"{file}::{function} makes a statement of local names ({error}): say in LOCAL_NAMES"
                " what they may stand for"
            ) from error


def _retention_statements() -> Iterator[str]:
    """Of every process that deletes what it has kept for long enough."""
    day = timedelta(days=30)
    rules = (*accounts.rules(day), *verification.rules(day))
    yield from (inspect.getclosurevars(rule.delete).nonlocals["statement"] for rule in rules)


def uncollected_queries(source: str) -> Iterator[str]:
    """Calls whose query `statements_of` cannot see: it is neither a literal nor a constant."""
    tree = ast.parse(source)
    constants = {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant | ast.JoinedStr)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for function, node in _with_functions(tree, "module"):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
            continue
        query, receiver = node.args[0], ast.unparse(node.func.value).rpartition(".")[2].strip("_")
        if node.func.attr not in _METHODS or receiver not in _CONNECTIONS:
            continue
        if isinstance(query, ast.Constant | ast.JoinedStr):
            continue
        if not (isinstance(query, ast.Name) and query.id in constants):
            yield f"{function}: {ast.unparse(query)}"
