"""Page and shell: handlers are bound, looks are cheap, the window holds together."""

from __future__ import annotations

import inspect
import logging
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from ragtune_ui.domain.errors import PassageError, PlanError, ProjectError
from ragtune_ui.domain.plans import TrainingPlan
from ragtune_ui.domain.runs import Job
from ragtune_ui.ui import cards, shell
from ragtune_ui.ui.form import Form, kept
from ragtune_ui.ui.page import Page, fingerprint
from tests.ui.pages import wired
from tests.ui.window import HOSTILE, FakeStudio

SKIP = gr.skip()


@pytest.fixture
def studio() -> FakeStudio:
    return FakeStudio()


@pytest.fixture
def page(studio: FakeStudio) -> Iterator[Page]:
    with gr.Blocks(analytics_enabled=False):
        made = Page(studio, "find", gr.BrowserState(""), gr.HTML({}, js_on_load="'look_find'"))
        made.header("Passages", "Find them.")
        yield made


def act(**data: Any) -> Any:
    return SimpleNamespace(_data=data)


# Doing ---------------------------------------------------------------------------------------


def test_a_handler_gets_studio_project_and_values_and_the_page_looks_again(page: Page, studio: FakeStudio) -> None:
    seen: list[Any] = []

    def search(*given: Any) -> tuple[str, str]:
        seen.extend(given)
        return "one", "two"

    one, two, message, way = page.bind(search, 2)("crane-1", None, "wind", 4)
    assert seen == [studio, studio.shelf[0], "wind", 4]
    assert (one, two, message) == ("one", "two", "")
    assert (way["look"], way["why"]) == ("find", "changed")


def test_two_changes_are_two_signals(page: Page) -> None:
    handler = page.bind(lambda studio, project: None)
    assert handler("crane-1", None)[-1] != handler("crane-1", None)[-1]


def test_an_error_leaves_the_outputs_and_says_what_to_do(page: Page) -> None:
    def search(studio: Any, project: Any) -> str:
        raise PlanError(f"Not {HOSTILE}.", "Do this.", "log-7.txt")

    shown, message, way = page.bind(search, 1)("crane-1", None)
    assert shown == way == SKIP
    assert "<img" not in message
    assert "Do this." in message
    assert 'data-go="train"' in message
    assert "log-7.txt" in message
    assert 'role="alert"' in message


def test_an_error_about_this_page_has_no_button_to_this_page(page: Page) -> None:
    def search(studio: Any, project: Any) -> None:
        raise PassageError("Nothing was found.", "Use fewer words.")

    assert "data-go" not in page.bind(search)("crane-1", None)[0]


@pytest.mark.parametrize("project", ["", None, "gone-9", "../etc"])
def test_without_a_project_the_message_leads_to_the_start(page: Page, project: Any) -> None:
    called: list[Any] = []
    message, way = page.bind(lambda *given: called.append(given))(project, None)
    assert 'data-go="home"' in message
    assert (called, way) == ([], SKIP)


def test_a_handler_may_work_without_a_project(page: Page, studio: FakeStudio) -> None:
    assert page.bind(lambda s, p: (s is studio, p), 2, project=False)("", None)[:2] == [True, None]


def test_an_unexpected_error_is_logged_and_told_without_a_trace(page: Page, caplog: pytest.LogCaptureFixture) -> None:
    def search(studio: Any, project: Any) -> None:
        raise KeyError("canary")

    with caplog.at_level(logging.ERROR, "ragtune"):
        message, _ = page.bind(search)("crane-1", None)
    assert "canary" in caplog.text
    assert "Traceback" in caplog.text
    assert "Traceback" not in message
    outside, inside = message.split("<details", 1)
    assert "KeyError" not in outside
    assert "KeyError" in inside
    assert 'data-do="reload"' in outside


def test_a_form_arrives_as_its_noun_before_the_values(page: Page) -> None:
    form = Form(TrainingPlan, {name: kept(name) for name in vars(TrainingPlan())})
    handler = page.bind(lambda s, p, plan, name: (plan, name), 2, form=form.start("train").put())
    given = {**vars(TrainingPlan()), "batch": 4}
    assert handler("crane-1", None, "Run", **given)[:2] == [TrainingPlan(batch=4), "Run"]
    shown, _, message, _ = handler("crane-1", None, "Run", **{**given, "batch": None})
    assert shown == SKIP
    assert "“batch” is empty" in message


def test_a_click_in_our_html_arrives_as_what_it_does(page: Page) -> None:
    handler = page.bind(lambda s, p, said, question: (said, question), 2, acts=True)
    assert handler("crane-1", act(do="yes", id="c1"), "wind")[:2] == [{"do": "yes", "id": "c1"}, "wind"]
    assert handler("crane-1", SimpleNamespace(_data=None), "wind")[0] == {}


def test_a_generator_streams_and_signals_once_in_the_end(page: Page) -> None:
    def ask(studio: Any, project: Any, question: str) -> Iterator[str]:
        yield "a"
        yield "ab"

    first, second, last = page.bind(ask, 1)("crane-1", None, "x")
    assert first == ["a", "", SKIP]
    assert second == ["ab", "", SKIP]
    assert last[:2] == [SKIP, ""]
    assert last[2]["look"] == "find"


def test_a_page_looks_again_where_a_generator_failed(page: Page) -> None:
    def ask(studio: Any, project: Any) -> Iterator[str]:
        yield "a"
        raise PlanError("It stopped.", "Go on.")

    first, last = page.bind(ask, 1)("crane-1", None)
    assert first[0] == "a"
    assert last[0] == SKIP
    assert "It stopped." in last[1]
    assert (last[2]["look"], last[2]["why"]) == ("find", "changed")  # what it showed may not be on the disk
    *_, last = page.bind(ask, 1, way_at=0, changed=False)("crane-1", None)
    assert last[0]["look"] == "find"


def test_going_to_a_page_and_staying_quiet(page: Page) -> None:
    assert page.bind(lambda s, p: None, go="mix")("crane-1", None)[-1]["go"] == "mix"
    assert page.bind(lambda s, p: None, changed=False)("crane-1", None)[-1] == SKIP

    def fail(studio: Any, project: Any) -> None:
        raise PlanError("No.")

    assert page.bind(fail, go="mix")("crane-1", None)[-1] == SKIP


def test_message_and_signal_may_be_outputs_of_the_handler(page: Page) -> None:
    handler = page.bind(lambda s, p: ("x", "said", {"go": "ask"}), 3, note_at=1, way_at=2)
    assert handler("crane-1", None) == ["x", "said", {"go": "ask"}]

    def fail(studio: Any, project: Any) -> None:
        raise PlanError("No.")

    shown, message, way = page.bind(fail, 3, note_at=1, way_at=2)("crane-1", None)
    assert (shown, way) == (SKIP, SKIP)
    assert "No." in message


def test_a_single_skip_or_nothing_leaves_all_outputs(page: Page) -> None:
    for answer in (None, gr.skip()):
        assert page.bind(lambda s, p, a=answer: a, 3)("crane-1", None)[:3] == [SKIP] * 3


def test_a_wrong_number_of_values_does_not_pass_unseen(page: Page, caplog: pytest.LogCaptureFixture) -> None:
    message = page.bind(lambda s, p: (1, 2, 3), 2)("crane-1", None)[2]
    assert "3 values for 2 outputs" in message
    assert "3 values for 2 outputs" in caplog.text


def test_on_wires_message_and_signal_once(page: Page) -> None:
    button, shown = gr.Button("Go"), page.html()
    (plain,) = page.on(button.click, lambda studio, project: None, outputs=[shown])
    (own,) = page.on([button.click], lambda studio, project: None, outputs=[page.message, page.way])
    blocks = gr.context.Context.root_block
    one, two = (blocks.fns[d["id"]] for d in (plain, own))
    assert [o._id for o in one.outputs] == [shown._id, page.message._id, page.way._id]
    assert [o._id for o in two.outputs] == [page.message._id, page.way._id]
    assert not one.queue


def test_a_download_is_a_copy_among_the_uploads(page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "up"))
    (tmp_path / "up").mkdir()
    (tmp_path / "a.zip").write_bytes(b"zip")
    one, two = Path(page.download(tmp_path / "a.zip")), Path(page.download(tmp_path / "a.zip"))
    assert one != two
    assert one.is_relative_to(tmp_path / "up")
    assert one.name == "a.zip"
    assert one.read_bytes() == b"zip"


# Looking -------------------------------------------------------------------------------------


class Disk:
    """What a refresh reads; counts how often."""

    def __init__(self) -> None:
        self.says: Any = ("one", "two")
        self.reads = 0

    def refresh(self, studio: Any, project: Any) -> Any:
        self.reads += 1
        if isinstance(self.says, Exception):
            raise self.says
        return self.says


def look(
    page: Page, seen: dict[str, Any], why: str = "tick", project: str = "crane-1"
) -> tuple[list[Any], dict[str, Any]]:
    *answers, shown = page.look(act(why=why), project, seen)
    return answers, shown


def test_a_look_sends_what_this_browser_does_not_show_yet(page: Page) -> None:
    disk = Disk()
    page.on_look(disk.refresh, [page.html(), page.html()])
    assert page.stale("crane-1", {}, ())
    answers, seen = look(page, {})
    assert answers == ["one", "two", SKIP]
    assert not page.stale("crane-1", seen, ())
    assert look(page, seen)[0] == [SKIP] * 3
    disk.says = ("one", "three")
    assert page.stale("crane-1", seen, ())
    answers, seen = look(page, seen)
    assert answers == [SKIP, "three", SKIP]
    assert look(page, seen, "changed")[0] == ["one", "three", SKIP]  # a handler may have written over them


def test_a_key_saves_the_refresh(page: Page) -> None:
    disk, version = Disk(), [1]
    page.on_look(disk.refresh, [page.html(), page.html()], key=lambda studio, project: version[0])
    _, seen = look(page, {})
    look(page, seen)
    assert not page.stale("crane-1", seen, ())
    assert disk.reads == 1
    version[0] = 2
    look(page, seen)
    look(page, seen, project="bad-2")
    assert disk.reads == 3


def test_inputs_reach_their_own_refresh(page: Page) -> None:
    one, two, three = gr.State(), gr.State(), gr.State()
    page.on_look(lambda s, p, a: f"{p.id}{a}", [page.html()], inputs=[one])
    page.on_look(lambda s, p, b, c: f"{b}{c}", [page.html()], inputs=[two, three])
    assert page.look_inputs == [one, two, three]
    assert page.look(act(why="tick"), "crane-1", {}, 1, 2, 3)[:2] == ["crane-11", "23"]


def test_without_a_project_a_refresh_gets_none(page: Page) -> None:
    page.on_look(lambda studio, project: str(project), [page.html()])
    assert look(page, {}, project="gone-9")[0][0] == "None"


def test_an_error_while_looking_is_told_once_and_goes_away(page: Page, caplog: pytest.LogCaptureFixture) -> None:
    disk = Disk()
    page.on_look(disk.refresh, [page.html(), page.html()])
    disk.says = KeyError("torn")
    answers, seen = look(page, {})
    assert answers[:2] == [SKIP, SKIP]
    assert "did not expect" in answers[2]
    assert not page.stale("crane-1", seen, ())
    look(page, seen)
    assert caplog.text.count("Traceback") == 1
    disk.says = ("one", "two")
    answers, seen = look(page, seen)
    assert answers == ["one", "two", ""]
    assert look(page, seen)[0] == [SKIP] * 3


def test_a_message_of_a_handler_outlives_a_look(page: Page) -> None:
    disk, note = Disk(), page.note()
    page.on_look(disk.refresh, [page.html(), page.html()])
    answers, seen = look(page, {}, "changed")
    assert note is not page.message
    assert answers[2:] == look(page, seen)[0][2:] == look(page, seen, "changed")[0][2:] == [SKIP, SKIP]


def test_messages_go_when_the_page_is_opened_anew(page: Page) -> None:
    page.note(), page.note(lasting=True)
    _, seen = look(page, {}, "open")
    assert look(page, seen)[0] == [SKIP, SKIP, SKIP]
    assert look(page, seen, "open")[0] == ["", SKIP, ""]


def test_messages_go_when_another_project_is_opened(page: Page, studio: FakeStudio) -> None:
    page.note(), page.note(lasting=True)
    _, seen = look(page, {}, "open")
    assert page.stale("bad-2", seen, ())
    assert not page.stale("crane-1", seen, ())
    answers, seen = look(page, seen, "tick", project="bad-2")
    assert answers == ["", "", ""]
    assert look(page, seen, "tick", project="bad-2")[0] == [SKIP, SKIP, SKIP]


def test_what_was_written_for_a_project_goes_with_it(page: Page, studio: FakeStudio) -> None:
    page.per_project(page.html(), "closed")
    _, seen = look(page, {}, "open")
    for why in ("open", "tick", "changed"):
        assert look(page, seen, why)[0][0] == SKIP
        assert look(page, seen, why, project="bad-2")[0][0] == "closed"
        assert look(page, seen, why, project="")[0][0] == "closed"


def test_what_start_says_of_a_project_stays_when_none_is_open_any_more(studio: FakeStudio) -> None:
    with gr.Blocks(analytics_enabled=False):
        start = Page(studio, "home", gr.BrowserState(""), gr.HTML({}, js_on_load="'look_home'"))
        start.header("Start", "Begin.")
    _, seen = look(start, {}, "open")
    assert look(start, seen, "changed", project="")[0] == [SKIP]
    assert look(start, seen, "open", project="")[0] == [""]


def test_one_bad_refresh_does_not_stop_the_other(page: Page) -> None:
    disk = Disk()
    disk.says = ProjectError("This project was moved.", "Open it again.")
    page.on_look(disk.refresh, [page.html(), page.html()])
    page.on_look(lambda studio, project: "fine", [page.html()])
    answers, _ = look(page, {})
    assert answers[2] == "fine"
    assert "This project was moved." in answers[3]


def test_fingerprints_tell_values_updates_and_components_apart() -> None:
    assert fingerprint("a") == fingerprint(cards.Html("a"))
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    assert fingerprint(gr.update(value=1)) != fingerprint(gr.update(value=2))
    assert fingerprint(gr.Button("a", interactive=False)) == fingerprint(gr.Button("a", interactive=False))
    assert fingerprint(gr.Button("a", interactive=False)) != fingerprint(gr.Button("a", interactive=True))
    assert fingerprint("\ud800") != fingerprint("")


# The rail ------------------------------------------------------------------------------------


def test_the_rail_is_nine_named_buttons(studio: FakeStudio) -> None:
    drawn = shell.rail(studio.steps(studio.shelf[1]))
    assert drawn.count("<button") == 9
    assert '<nav aria-label="Project steps"><ol>' in drawn
    assert "<img" not in drawn
    assert "(needs you)" in drawn
    assert "aria-current" not in drawn  # the browser alone knows which page is open


def test_the_job_card_says_what_runs_and_what_ended() -> None:
    assert "Nothing running" in shell.job_card(None)
    running = shell.job_card(Job("r", "train", "Training <b>", "running", done=81, total=240, left=1200.0, saved=80))
    assert "Training &lt;b&gt; · 34 %" in running
    assert "about 20 min" in running
    assert 'data-do="stop" data-id="r"' in running
    failed = shell.job_card(
        Job("r", "train", "Training", "failed", problem="Memory ran out.", remedy="Halve the batch.")
    )
    assert "Training: failed" in failed
    assert "Memory ran out. Halve the batch." in failed
    assert "data-do" not in failed


def test_work_in_another_project_is_named_with_the_way_there() -> None:
    job = Job("r", "train", "Training", "running", done=81, total=240, left=1200.0)
    drawn = shell.job_card(job, ("crane-1", f"Crane {HOSTILE}"))
    assert "<h2>Training, in Crane &lt;img" in drawn and ": 34 %</h2>" in drawn
    assert 'data-do="open" data-id="crane-1"' in drawn and 'data-do="stop"' not in drawn
    assert "<h2>Training, in Crane</h2>" in shell.job_card(Job("r", "train", "Training", "running"), ("c", "Crane"))


@pytest.mark.parametrize(("memory", "disk", "low"), [(18e9, 71e9, False), (1e9, 71e9, True), (18e9, 1e9, True)])
def test_the_machine_card_warns_where_it_runs_short(memory: float, disk: float, low: bool) -> None:
    machine = SimpleNamespace(
        device="CPU", memory_free=memory, memory_total=23e9, disk_free=disk, network=False, advice="Free it"
    )
    drawn = shell.machine_card(machine)
    assert ("machine low" in drawn) is low
    assert "off – all local" in drawn


def test_the_project_list_marks_the_open_one_and_offers_none() -> None:
    drawn = shell.brand([("a-1", "A"), ("b-2", HOSTILE)], "b-2")
    assert '<option value="b-2" selected>' in drawn
    assert "<img" not in drawn
    assert "No project open" in shell.brand([("a-1", "A")], "gone")
    assert "disabled" in shell.brand([], "")


def test_the_beat_is_silent_when_nothing_changed(studio: FakeStudio, monkeypatch: pytest.MonkeyPatch) -> None:
    window = small_window(studio, monkeypatch)
    page = next(p for p in window.pages if p.key == "find")
    empty: list[Any] = [{}] * len(window.pages)
    *parts, shown, nudge = window.beat("crane-1", "find", {}, *empty)
    assert all("<" in part for part in parts)
    assert (nudge["look"], nudge["why"]) == ("find", "tick")
    *_, seen = page.look(act(why="tick"), "crane-1", {})
    known = [seen if p is page else {"project": "crane-1"} for p in window.pages]
    assert window.beat("crane-1", "find", shown, *known) == SKIP
    assert window.beat("crane-1", "docs", shown, *known) == SKIP  # only the open page is looked at
    studio.marked = 5
    assert window.beat("crane-1", "find", shown, *known)[-1]["look"] == "find"
    studio.jobs.began = 1.0
    *parts, _, _ = window.beat("crane-1", "home", shown, *known)
    assert [isinstance(p, str) for p in parts] == [False, False, True, False]


def test_opening_a_page_asks_it_to_look(studio: FakeStudio, monkeypatch: pytest.MonkeyPatch) -> None:
    window = small_window(studio, monkeypatch)
    tabs, step, way = window.open(act(step="train", there=True))
    assert (tabs, step, way["look"]) == (SKIP, "train", "train")
    assert window.open(act(step="train"))[0].selected == "train"
    assert window.open(act(step="nowhere"))[1] == "home"


def test_stop_in_the_rail_stops_the_job_and_nothing_else(studio: FakeStudio, monkeypatch: pytest.MonkeyPatch) -> None:
    window = small_window(studio, monkeypatch)
    studio.jobs.began = 1.0
    assert window.attend(act(do="look", id="run-1"), "crane-1") == SKIP
    assert studio.jobs.began
    assert window.attend(act(do="stop", id="run-1"), "crane-1") == SKIP
    assert not studio.jobs.began


def test_the_rail_shows_work_in_another_project_and_opens_it(
    studio: FakeStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = small_window(studio, monkeypatch)
    crane, other = studio.shelf
    studio.jobs.began, studio.jobs.place = time.time(), crane
    assert "Training · " in window.work_card(crane)
    for here in (other, None):
        assert "Training, in Harbour crane: " in window.work_card(here)
    assert window.attend(act(do="open", id="crane-1"), "bad-2") == "crane-1"
    assert studio.jobs.began  # looking at it does not stop it
    studio.jobs.began = 0.0
    assert "Nothing running" in window.work_card(other)


def small_window(studio: FakeStudio, monkeypatch: pytest.MonkeyPatch) -> shell.Shell:
    from tests.ui.window import tabs

    monkeypatch.setattr(shell, "TABS", tabs())
    with gr.Blocks(analytics_enabled=False) as app:
        window = shell.Shell(studio)
        window.build(app)
    return window


# The whole window, with the pages as they are ---------------------------------------------------


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> gr.Blocks:
    return shell.build_app(real_studio(tmp_path_factory.mktemp("home")))


def real_studio(home: Path) -> Any:
    from app import engines
    from ragtune_ui.settings import Settings
    from ragtune_ui.studio.studio import Studio

    settings = Settings.from_env({}, str(home))
    return Studio(settings, engines(settings))


def test_building_the_window_loads_no_heavy_library(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from tests.ui.test_page import real_studio; from ragtune_ui.ui.shell import build_app\n"
        f"build_app(real_studio(pathlib.Path({str(tmp_path)!r})))\n"
        "heavy = {'torch', 'transformers', 'peft', 'lancedb', 'plotly', 'xberg', 'pypdfium2', 'spacy'}\n"
        "print(sorted({m.split('.')[0] for m in sys.modules} & heavy))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert said.stdout.strip() == "[]", said.stderr


def test_no_event_is_public_and_only_generators_queue(window: gr.Blocks) -> None:
    for fn in window.fns.values():
        assert fn.api_visibility == "private", fn.name
        if fn.fn is not None and not inspect.isgeneratorfunction(fn.fn):
            assert not fn.queue or fn.concurrency_id, fn.name


def test_every_handler_can_take_its_inputs(window: gr.Blocks) -> None:
    for fn in window.fns.values():
        if fn.fn is None:
            continue
        named = list(fn.input_keyword_names)
        values = [object()] * (len(fn.inputs) - len(named))
        wants = inspect.signature(fn.fn)
        events = [p for p in wants.parameters.values() if "EventData" in str(p.annotation)]
        wants.bind(*values, *([object()] * len(events)), **dict.fromkeys(named))


@pytest.mark.parametrize("button", ["find-test", "find-advise", "ask-all", "ask-write", "mix-freeze", "train-start",
                                    "train-folder-go"])  # fmt: skip
def test_a_button_far_down_says_its_errors_beside_it(window: gr.Blocks, button: str) -> None:
    (fn,) = wired(window, button)
    told = [c for c, said in zip(fn.outputs, fn.fn("", None), strict=True) if "No project is open" in str(said)]
    (pressed,) = (block for block in window.blocks.values() if block.elem_id == button)
    assert [0 < place._id - pressed._id < 9 for place in told] == [True]  # components are numbered down the page


def test_every_field_has_a_label_and_ids_are_unique(window: gr.Blocks) -> None:
    fields = (gr.Textbox, gr.Number, gr.Slider, gr.Radio, gr.Checkbox, gr.CheckboxGroup, gr.Dropdown, gr.File)
    for block in window.blocks.values():
        if isinstance(block, fields):
            assert block.label, block.elem_id or block
            assert block.interactive is not None, block.elem_id
    ids = Counter(block.elem_id for block in window.blocks.values() if block.elem_id)
    assert [name for name, count in ids.items() if count > 1] == []


def test_our_html_is_plain_and_templates_take_no_text(window: gr.Blocks) -> None:
    for block in window.blocks.values():
        assert not isinstance(block, gr.Plot | gr.Markdown | gr.Chatbot)
        if isinstance(block, gr.HTML):
            assert block.apply_default_css is False, block.elem_id
            assert "{{" not in block.html_template, block.elem_id
            assert block.html_template == "${value}" or "${" not in block.html_template, block.elem_id


def test_no_value_is_computed_when_the_page_loads(window: gr.Blocks) -> None:
    assert [b for b in window.blocks.values() if getattr(b, "load_event_to_attach", None)] == []
    timers = [b for b in window.blocks.values() if isinstance(b, gr.Timer)]
    assert len(timers) == 1


def test_every_page_can_look_without_a_project(tmp_path: Path) -> None:
    studio = real_studio(tmp_path)
    with gr.Blocks(analytics_enabled=False) as app:
        made = shell.Shell(studio)
        made.build(app)
    for page in made.pages:
        values = [getattr(component, "value", None) for component in page.look_inputs]
        *answers, _ = page.look(act(why="open"), "", {}, *values)
        if page.message is not None:
            assert answers[-1] in (SKIP, ""), page.key
