"""The control socket, where paths are longer than a socket's may be."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from devstack.supervisor.control import NAME, NotRunningError, ask, listening
from devstack.supervisor.layout import Layout


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    deep = tmp_path.joinpath(*["a-folder-in-a-folder"] * 8)
    layout = Layout(deep)
    layout.create()
    return layout


async def test_a_request_is_answered_however_deep_the_data_folder_is(layout: Layout) -> None:
    async def respond(request: dict[str, Any]) -> dict[str, Any]:
        return {"ok": True, "asked": request}

    assert len(str(layout.run / NAME)) > 107
    async with listening(layout, respond):
        assert (layout.run / NAME).stat().st_mode & 0o777 == 0o600
        answer = await asyncio.to_thread(ask, layout, {"do": "status"})
    assert answer == {"ok": True, "asked": {"do": "status"}}


def test_no_one_there_is_distinguished(layout: Layout) -> None:
    with pytest.raises(NotRunningError):
        ask(layout, {"do": "status"})


async def test_many_threads_may_ask_at_once(layout: Layout) -> None:
    async def respond(request: dict[str, Any]) -> dict[str, Any]:
        return request

    before = Path.cwd()
    async with listening(layout, respond):
        asked = [{"number": number} for number in range(200)]
        answers = await asyncio.gather(*(asyncio.to_thread(ask, layout, each) for each in asked))
    assert answers == asked
    assert Path.cwd() == before
