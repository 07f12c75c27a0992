"""What tests of the window share."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="session")
def event_loops_are_closed() -> Iterator[None]:
    """Gradio makes an event loop for each ``Blocks`` and leaves it open; here they are closed in the end."""
    made: list[asyncio.AbstractEventLoop] = []
    real = asyncio.new_event_loop

    def remembered() -> asyncio.AbstractEventLoop:
        made.append(real())
        return made[-1]

    asyncio.new_event_loop = remembered
    yield
    asyncio.new_event_loop = real
    for loop in made:
        if not loop.is_running():
            loop.close()
