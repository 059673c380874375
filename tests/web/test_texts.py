"""The texts of the pages: the same in each language, and each that a module asks for."""

import re
from pathlib import Path

import pytest

from tests.support.stack import ROOT

JS = ROOT / "web" / "static" / "js"
_ENTRY = re.compile(r'^  "([^"]+)": "((?:[^"\\]|\\.)*)",$', re.MULTILINE)
_ASKED = re.compile(r'\b(?:t|plural)\("([^"]+)"')
_PARAMETER = re.compile(r"\{(\w+)\}")


def texts(language: str) -> dict[str, str]:
    source = (JS / "messages" / f"{language}.js").read_text("utf-8")
    found = dict(_ENTRY.findall(source))
    assert len(found) == source.count('": "'), "a line that is no entry"
    return found


def modules() -> list[Path]:
    return [path for path in sorted(JS.rglob("*.js")) if path.parent.name != "messages"]


def test_each_language_has_the_same_texts_with_the_same_parameters() -> None:
    english, german = texts("en"), texts("de")
    assert english.keys() == german.keys()
    for key, text in english.items():
        assert set(_PARAMETER.findall(text)) == set(_PARAMETER.findall(german[key])), key


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.stem)
def test_module_asks_for_texts_that_exist(path: Path) -> None:
    assert not set(_ASKED.findall(path.read_text("utf-8"))) - texts("en").keys()


def test_no_text_is_left_that_no_module_asks_for() -> None:
    source = "\n".join(path.read_text("utf-8") for path in modules())
    prefixes = tuple(re.findall(r"`([a-z-]+\.)\$\{", source))
    suffixes = tuple(re.findall(r"`\$\{\w+\}(\.[a-z.-]+)`", source))
    unused = [
        key
        for key in texts("en")
        if f'"{key}"' not in source and not key.startswith(prefixes) and not key.endswith(suffixes)
    ]
    assert not unused


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.stem)
def test_module_uses_no_way_to_make_markup_or_code_of_text(path: Path) -> None:
    source = path.read_text("utf-8")
    for sink in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert sink not in source
    assert "dangerouslySetInnerHTML" not in source
