"""Mutations name lines of the source: a renamed module or name must not leave one behind."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.stack import ROOT


def cuts() -> Iterator[tuple[str, str]]:
    """The path and the text of each `Cut` in the tests that is written out."""
    for path in sorted((ROOT / "tests").rglob("*.py")):
        if "Cut(" not in (source := path.read_text("utf-8")):
            continue
        for node in ast.walk(ast.parse(source)):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            match node.args:
                case [ast.Constant(value=str(file)), ast.Constant(value=str(text)), *_] if (
                    node.func.id == "Cut" and file.endswith(".py")
                ):
                    yield file, text


@pytest.mark.parametrize(("file", "text"), sorted(set(cuts())))
def test_a_mutation_names_text_of_the_source(file: str, text: str) -> None:
    assert text in Path(ROOT / file).read_text("utf-8")
