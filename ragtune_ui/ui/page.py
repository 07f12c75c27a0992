"""Page: what a tab is given. It binds handlers to the studio and keeps the screen a view of the disk."""

from __future__ import annotations

import hashlib
import inspect
import json
import logging
import os
import shutil
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from ragtune_ui.domain import errors
from ragtune_ui.domain.errors import RagtuneError
from ragtune_ui.ui import cards
from ragtune_ui.ui.form import Fields

ASSETS = Path(__file__).resolve().parents[2] / "assets"
log = logging.getLogger("ragtune")

# Where the remedy of an error is found: the button that its message gets.
_WAYS: tuple[tuple[type[RagtuneError], str, str], ...] = (
    (errors.ProjectError, "home", "Open Start"),
    (errors.DocumentError, "docs", "Open Documents"),
    (errors.PassageError, "find", "Open Passages"),
    (errors.QuestionError, "ask", "Open Questions"),
    (errors.MixError, "mix", "Open Mix"),
    (errors.PlanError, "train", "Open Train"),
    (errors.TrainingError, "train", "Open Train"),
    (errors.ModelError, "train", "Choose a model"),
    (errors.VerdictError, "verdict", "Open Verdict"),
    (errors.ShippingError, "share", "Open Take away"),
)


@dataclass(frozen=True)
class Look:
    """One refresh of a page: ``refresh(studio, project, *inputs)`` gives a value for each output."""

    refresh: Callable[..., Any]
    inputs: tuple[Any, ...]
    outputs: tuple[Any, ...]
    key: Callable[..., Any] | None


@dataclass(frozen=True)
class Written:
    """A part that handlers write and looks only blank: when another project is opened and, unless it is
    ``lasting``, when the page is opened anew."""

    component: Any
    blank: Any
    lasting: bool


class Page:
    """One page of the window. ``project`` holds the id of the project that this browser works on.

    ``way`` is the signal of the window, a component that the browser watches: its value names the
    page to open (``go``) or to look again (``look``). Gradio's own ``State.change`` does not fire
    after unqueued events, so it could not carry this.
    """

    def __init__(self, studio: Any, key: str, project: Any, way: Any) -> None:
        self.studio, self.key, self.project, self.way = studio, key, project, way
        self.seen = gr.State({})  # fingerprints of what this browser shows
        self.message: Any = None
        self._looks: list[Look] = []
        self._written: list[Written] = []
        self._relooks: list[Any] = []

    # Layout ----------------------------------------------------------------------------------

    def header(self, title: str, sentence: str, pill: str = "") -> Any:
        """The head of the page and its place for messages; returns the pill at the right, an HTML output."""
        with gr.Row(elem_classes="page-head"):
            gr.HTML(cards.heading(title, sentence), apply_default_css=False, elem_classes="grow", js_on_load=None)
            shown = gr.HTML(pill, apply_default_css=False, elem_classes="pill-slot", js_on_load=None,
                            elem_id=f"{self.key}-pill")  # fmt: skip
        self.message = self.html(elem_classes="note-slot")
        return shown

    def note(self, lasting: bool = False) -> Any:
        """A place for a message; it takes no room while it is empty. The message goes when another project is
        opened and, unless it is ``lasting``, when the page is opened anew: by then its cause may be gone."""
        made = self.html(elem_classes="note-slot")
        self._written.append(Written(made, "", lasting))
        return made

    def per_project(self, component: Any, blank: Any) -> None:
        """``component`` is written by handlers, about the open project: when another is opened, it gets ``blank``."""
        self._written.append(Written(component, blank, lasting=True))

    def html(self, value: Any = "", *, elem_id: str | None = None, elem_classes: str | list[str] | None = None) -> Any:
        """HTML whose ``data-do`` buttons reach ``Page.on(it.select, fn, acts=True)``."""
        return gr.HTML(value, elem_id=elem_id, elem_classes=elem_classes, apply_default_css=False,
                       js_on_load="ragtune.acts(element, trigger); // 'select' 'submit'")  # fmt: skip

    def next(self, key: str, label: str, missing: str = "") -> Any:
        """The end of the page: what is missing and the way on. Refresh it with ``cards.next_bar``."""
        return self.html(cards.next_bar(key, label, missing), elem_id=f"{self.key}-next")

    def confirm(self, name: str, title: str, body: object, choices: Sequence[tuple[str, str, str]],
                typed: str = "", no: str = "Cancel") -> Any:  # fmt: skip
        """A dialog, closed. It opens by ``cards.button(ask=name)`` or ``Page.opens``; what is chosen
        reaches ``Page.on(it.submit, fn, acts=True)`` as ``{"choice", "id"}``."""
        value = cards.dialog(f"{self.key}-{name}", title, body, choices, typed, no)
        return self.html(value, elem_classes="dialog-slot")

    def opens(self, button: Any, name: str) -> None:
        """A Gradio button that opens the dialog ``name`` of this page."""
        button.click(None, js=f"() => {{ ragtune.ask('{self.key}-{name}'); }}", api_visibility="private")

    def script(self, name: str) -> str:
        """The JavaScript file ``assets/name``, for ``js_on_load``."""
        return (ASSETS / name).read_text(encoding="utf-8")

    def download(self, file: Path) -> str:
        """A copy of ``file`` that may be served: in a random folder among the uploads, swept with them."""
        folder = Path(tempfile.mkdtemp(prefix="take-", dir=os.environ.get("GRADIO_TEMP_DIR")))
        return str(shutil.copy2(file, folder / file.name))

    # Doing -----------------------------------------------------------------------------------

    def bind(self, fn: Callable[..., Any], outputs: int = 0, *, form: Fields[Any] | None = None, acts: bool = False,
             go: str = "", project: bool = True, changed: bool = True, note_at: int | None = None,
             way_at: int | None = None) -> Callable[..., Any]:  # fmt: skip
        """A Gradio handler around ``fn(studio, project, [act], [form's noun], *values)``.

        It answers ``[*outputs, message, way]``. A ``RagtuneError`` leaves the outputs as they
        are and becomes the message; any other exception is logged and becomes a message as well.
        With ``note_at`` (``way_at``) the output of that number is the message (the signal), and none is added.
        ``project=False`` lets ``fn`` work with None where no project is open. A generator stays one.
        """
        tail = _Tail(self, outputs, go, changed, note_at, way_at)

        def arguments(project_id: Any, act: Any, values: Sequence[Any], named: Mapping[str, Any]) -> list[Any]:
            given: list[Any] = [self.studio, self.open(project_id) if project else self.opened(project_id)]
            given += [act._data if isinstance(act._data, dict) else {}] if acts else []
            given += [form.form.read(named)] if form is not None else []
            return [*given, *values]

        def once(project_id: Any, act: gr.EventData, *values: Any, **named: Any) -> list[Any]:
            try:
                return tail.done(fn(*arguments(project_id, act, values, named)))
            except Exception as error:
                return tail.failed(error)

        def stream(project_id: Any, act: gr.EventData, *values: Any, **named: Any) -> Iterator[list[Any]]:
            try:
                for shown in fn(*arguments(project_id, act, values, named)):
                    yield tail.going(shown)
                yield tail.done(gr.skip())
            except Exception as error:
                yield tail.failed(error, painted=True)

        handler: Callable[..., Any] = stream if inspect.isgeneratorfunction(fn) else once
        handler.__name__ = getattr(fn, "__name__", "handler")
        return handler

    def on(self, triggers: Any, fn: Callable[..., Any], inputs: Sequence[Any] = (), outputs: Sequence[Any] = (), *,
           form: Fields[Any] | None = None, note: Any = None, acts: bool = False, go: str = "", project: bool = True,
           changed: bool = True, **options: Any) -> list[Any]:  # fmt: skip
        """Wire ``fn(studio, project, ...)`` to one trigger (``button.click``) or several.

        After success the page looks again (``changed``) and the page ``go`` opens. Plain functions
        run unqueued, generators through the queue. ``note`` is the place of its error messages.
        """
        place = note if note is not None else self.message
        written = list(outputs)
        note_at, way_at = _index(written, place), _index(written, self.way)
        fields = form.inputs if form is not None else {}
        handler = self.bind(fn, len(written), form=form, acts=acts, go=go, project=project, changed=changed,
                            note_at=note_at, way_at=way_at)  # fmt: skip
        added = [*([place] if note_at is None else []), *([self.way] if way_at is None else [])]
        settings = {"queue": inspect.isgeneratorfunction(fn), "show_progress": "hidden", "api_visibility": "private"}
        return [
            trigger(handler, inputs=[self.project, *inputs], inputs_kwargs=fields or None,
                    outputs=[*written, *added], **{**settings, **options})
            for trigger in (triggers if isinstance(triggers, list | tuple) else [triggers])
        ]  # fmt: skip

    def open(self, project_id: Any) -> Any:
        """The open project.

        Raises:
            ProjectError: none is open, or it is gone.
        """
        if not project_id:
            raise errors.ProjectError("No project is open.", "Make one or choose one on the Start page.")
        return self.studio.open(str(project_id))

    def opened(self, project_id: Any) -> Any:
        """The open project, or None."""
        try:
            return self.open(project_id)
        except errors.ProjectError:
            return None

    # Looking ---------------------------------------------------------------------------------

    def on_look(self, refresh: Callable[..., Any], outputs: Sequence[Any], inputs: Sequence[Any] = (),
                key: Callable[..., Any] | None = None) -> None:  # fmt: skip
        """Keep ``outputs`` equal to what the disk says: on load, opening, change of project, after each
        handler of this page, and every second.

        ``refresh(studio, project, *inputs)`` has no side effect and gives one value for each output;
        project is None while none is open. Only values that differ from what this browser shows are
        sent. ``key``, with the same arguments, is a cheap value that differs whenever refresh would.
        """
        self._looks.append(Look(refresh, tuple(inputs), tuple(outputs), key))

    def relook(self, *triggers: Any) -> None:
        """Look at once when one of these happens: a filter changed, a page turned (see ``on_look(inputs=)``)."""
        self._relooks += triggers

    def fire_changed(self, why: str = "changed") -> dict[str, Any]:
        """A value for ``way`` in outputs: this page looks again. ``Page.on`` does it by itself."""
        return {"look": self.key, "why": why, "n": time.time_ns()}

    def go_to(self, key: str) -> dict[str, Any]:
        """A value for ``way`` in outputs: the window opens the page ``key``, and this one looks again."""
        return {"go": key, **self.fire_changed()}

    @property
    def look_inputs(self) -> list[Any]:
        return [component for look in self._looks for component in look.inputs]

    def wire(self) -> None:
        """Connect the looks. The shell calls this once, after all pages are built."""
        outputs = [component for look in self._looks for component in look.outputs]
        outputs += [part.component for part in self._written]
        outputs += [] if self.message is None else [self.message]
        settings: dict[str, Any] = {
            "inputs": [self.project, self.seen, *self.look_inputs],
            "outputs": [*outputs, self.seen],
            "queue": False,
            "show_progress": "hidden",
            "trigger_mode": "always_last",
            "api_visibility": "private",
        }
        getattr(self.way, f"look_{self.key}")(self.look, **settings)
        for trigger in self._relooks:
            trigger(self.look, **settings)

    def look(self, act: gr.EventData, project_id: Any, seen: dict[str, Any], *values: Any) -> list[Any]:
        """What this browser does not show yet, ``gr.skip()`` for the rest, and the new fingerprints."""
        why = act._data.get("why", "") if isinstance(act._data, dict) else ""
        return self._look(project_id, seen, values, why)[0]

    def stale(self, project_id: Any, seen: dict[str, Any], values: Sequence[Any]) -> bool:
        """True where a look would change something."""
        return self._look(project_id, seen, values, why="tick")[1]

    def _look(self, project_id: Any, seen: dict[str, Any], values: Sequence[Any], why: str) -> tuple[list[Any], bool]:
        project, shown, answers, left = self.opened(project_id), dict(seen or {}), [], list(values)
        force, anew = why == "changed", why == "open"
        another = shown.get("project", project_id) != project_id
        shown["project"] = project_id
        trouble: Any = ""
        for n, look in enumerate(self._looks):
            given, left = left[: len(look.inputs)], left[len(look.inputs) :]
            skips = [gr.skip()] * len(look.outputs)
            try:
                mark = fingerprint([project_id, look.key(self.studio, project, *given)]) if look.key else ""
                if mark and not force and shown.get(f"key {n}") == mark:
                    answers += skips
                    continue
                answered = _spread(look.refresh(self.studio, project, *given), len(look.outputs))
                shown[f"key {n}"] = mark
                for m, value in enumerate(answered):
                    print_now = fingerprint(value)
                    same = shown.get(f"{n}.{m}") == print_now and not force
                    shown[f"{n}.{m}"] = print_now
                    answers.append(gr.skip() if same else value)
            except Exception as error:
                answers += skips
                trouble = self.say(error, quiet=shown.get("trouble") == fingerprint(str(error)))
                shown["trouble"] = fingerprint(str(error))
        answers += [part.blank if another or (anew and not part.lasting) else gr.skip() for part in self._written]
        if self.message is not None:
            # Start speaks of projects, not of the open one: "... is in the trash. Undo" stays when none is open.
            past = anew or "trouble" in (seen or {}) or (another and self.key != "home")
            answers.append(trouble if trouble or past else gr.skip())
        if not trouble:
            shown.pop("trouble", None)
        return [*answers, shown], shown != (seen or {})

    def say(self, error: Exception, quiet: bool = False) -> cards.Html:
        """The message for an error, with the way to its remedy."""
        if isinstance(error, RagtuneError):
            ways = [(text, key) for kind, key, text in _WAYS if isinstance(error, kind) and key != self.key]
            return cards.problem(error, ways[:1])
        if not quiet:
            log.error("%s: %s", self.key, error, exc_info=error)
        return cards.note("error", "Something went wrong that RAGTune did not expect.",
                          "What you saved is safe. Reload the page and try again; report the details if it stays.",
                          traceback.format_exception_only(error)[-1].strip(),
                          [cards.button("Reload the page", do="reload", kind="small")])  # fmt: skip


class _Tail:
    """What follows a handler's own outputs: message and signal."""

    def __init__(
        self, page: Page, outputs: int, go: str, changed: bool, note_at: int | None, way_at: int | None
    ) -> None:
        self.page, self.outputs, self.go, self.changed = page, outputs, go, changed
        self.note_at, self.way_at = note_at, way_at

    def done(self, result: Any) -> list[Any]:
        signal = self.page.go_to(self.go) if self.go else self.page.fire_changed() if self.changed else gr.skip()
        return self._all(_spread(result, self.outputs), "", signal)

    def going(self, result: Any) -> list[Any]:
        return self._all(_spread(result, self.outputs), "", gr.skip())

    def failed(self, error: Exception, painted: bool = False) -> list[Any]:
        """The message. What a generator ``painted`` on its way may not be so: the page looks again."""
        outputs, said = [gr.skip()] * self.outputs, self.page.say(error)
        signal = self.page.fire_changed() if painted else gr.skip()
        if self.note_at is not None:
            outputs[self.note_at] = said
        if self.way_at is not None:
            outputs[self.way_at] = signal
        return self._all(outputs, said, signal)

    def _all(self, outputs: list[Any], note: Any, signal: Any) -> list[Any]:
        return [*outputs, *([note] if self.note_at is None else []), *([signal] if self.way_at is None else [])]


def no_project() -> cards.Html:
    """What a page shows while no project is open."""
    start = cards.button("Open Start", go="home")
    return cards.empty("No project is open", "Make one or choose one on the Start page.", start)


def _index(components: Sequence[Any], wanted: Any) -> int | None:
    return next((n for n, component in enumerate(components) if component is wanted), None)


def _spread(result: Any, outputs: int) -> list[Any]:
    """A handler's result as one value for each output; a single ``gr.skip()`` or None skips all."""
    if outputs == 0:
        return []
    if result is None or (isinstance(result, dict) and result == gr.skip()):
        return [gr.skip()] * outputs
    values = list(result) if isinstance(result, tuple | list) and outputs > 1 else [result]
    if len(values) != outputs:
        raise ValueError(f"{len(values)} values for {outputs} outputs")
    return values


def fingerprint(value: Any) -> str:
    """A short text that is the same for the same value, update or component."""
    if isinstance(value, gr.blocks.Block):
        value = [type(value).__name__, value.constructor_args]
    written = json.dumps(value, sort_keys=True, default=repr, ensure_ascii=False)
    return hashlib.blake2b(written.encode("utf-8", "replace"), digest_size=9).hexdigest()
