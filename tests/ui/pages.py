"""A tab built on a studio of fakes, looked at and pressed without a browser."""

from __future__ import annotations

from types import ModuleType, SimpleNamespace
from typing import Any

import gradio as gr

from ragtune_ui.ui.page import Page
from tests.studio.conftest import House

HOSTILE = '<img src=x onerror="alert(1)">${alert(2)}'


class Bench:
    """One page in a window of its own."""

    def __init__(self, module: ModuleType, key: str, house: House) -> None:
        self.house = house
        with gr.Blocks(analytics_enabled=False) as self.app:
            way = gr.HTML({}, js_on_load=f"// 'look_{key}'")
            self.page = Page(house.studio, key, gr.State(""), way)
            module.build(self.page)
            self.page.wire()

    def look(self, project_id: str, *values: Any) -> list[Any]:
        """What a fresh browser is shown, and the message (gr.skip() where nothing is wrong)."""
        return self.page.look(SimpleNamespace(_data={}), project_id, {}, *values)[:-1]

    def press(self, fn: Any, outputs: int, *values: Any, project_id: str = "", act: Any = None) -> list[Any]:
        """[*outputs, message, way] of a handler that is bound as ``Page.on`` binds it."""
        handler = self.page.bind(fn, outputs, acts=act is not None, project=bool(project_id))
        return handler(project_id, SimpleNamespace(_data=act), *values)

    def ids(self) -> set[str]:
        return {c.elem_id for c in self.app.blocks.values() if getattr(c, "elem_id", None)}


def wired(app: gr.Blocks, elem_id: str, event: str = "click") -> list[Any]:
    """What Gradio runs when something happens to a component."""
    ids = [block._id for block in app.blocks.values() if block.elem_id == elem_id]
    return [fn for fn in app.fns.values() if any(id in ids and name == event for id, name in fn.targets)]


def clean(html: object) -> str:
    """The HTML as text, after a check that nothing hostile came through as markup."""
    text = str(html)
    assert "<img" not in text and "<script" not in text and "<b>" not in text.replace("<b>0", ""), text
    return text
