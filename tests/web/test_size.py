"""How much JavaScript a reader's browser loads."""

import re
from collections.abc import Iterator

import pytest

from web.assets import Asset, load_assets, static_imports
from web.page import MAIN

MAX_BYTES = 60 * 1024
CHART = "js/ui/chart.js"
UPLOT = "vendor/uplot/dist/uPlot.iife.min.js"
ASSETS = load_assets()
VIEWS = [name for name in ASSETS if re.fullmatch(r"js/pages/[a-z-]+\.js", name)]


def loaded_for(view: str) -> Iterator[Asset]:
    """All that is loaded to show a view: the start, the view, the longer language, the chart."""
    found = {each.name: each for name in (MAIN, view) for each in static_imports(ASSETS, name)}
    if CHART in found:
        found[UPLOT] = ASSETS[UPLOT]
    yield from found.values()
    languages = (each for each in ASSETS.values() if each.name.startswith("js/messages/"))
    yield max(languages, key=lambda each: len(each.compressed))


@pytest.mark.parametrize("view", VIEWS)
def test_view_loads_at_most_60_kb_of_compressed_javascript(view: str) -> None:
    loaded = {each.name: len(each.compressed) for each in loaded_for(view)}
    assert sum(loaded.values()) <= MAX_BYTES, loaded


def test_quote_page_with_its_chart_is_among_the_measured_views() -> None:
    names = {each.name for each in loaded_for("js/pages/quote.js")}
    assert {CHART, UPLOT, "vendor/preact/dist/preact.mjs"} <= names
