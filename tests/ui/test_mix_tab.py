"""Mix: shows and does alone; the slider rule in its own JavaScript."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import pytest

from ragtune_ui.domain.examples import Example, Message
from ragtune_ui.domain.mixes import DatasetMix, Stock, plan_mix, split_exactly
from ragtune_ui.domain.runs import Job
from ragtune_ui.ui import mix_tab, samples
from tests.domain.makers import question
from tests.studio.conftest import House
from tests.ui.pages import Bench

SCRIPT = Path(__file__).resolve().parents[2] / "assets" / "mix.js"
PRESETS = [
    SimpleNamespace(name="Balanced", about="Suits most.", recommended=True, mix=DatasetMix(name="Balanced")),
    SimpleNamespace(name="Assistant", about="Skill.", recommended=False, mix=DatasetMix(name="Assistant", size=99)),
]


def outlook(mix: DatasetMix, stock: Stock, *advice: str) -> SimpleNamespace:
    plan = plan_mix(mix, stock)
    return SimpleNamespace(plan=plan, tokens=12_345, advice=(*(s.sentence for s in plan.shortages), *advice))


def test_a_mix_keeps_a_preset_name_only_while_it_is_that_preset() -> None:
    assert mix_tab.named(PRESETS[0].mix, PRESETS).name == "Balanced"
    assert mix_tab.named(replace(PRESETS[0].mix, size=77), PRESETS).name == "Own mix"
    assert mix_tab.named(replace(PRESETS[0].mix, name="Cranes", size=77), PRESETS).name == "Cranes"
    assert mix_tab.named(replace(PRESETS[0].mix, name=""), PRESETS).name == "Own mix"


def test_the_recommended_preset_says_so() -> None:
    assert mix_tab.preset_choices(PRESETS) == [("Balanced (recommended)", "Balanced"), ("Assistant", "Assistant")]


def test_the_plan_card_names_shortage_advice_and_basis() -> None:
    shown = mix_tab.plan_card(outlook(DatasetMix(), Stock(2, 9, 500), "Below <20> %."), 840.0, "from a trial")
    assert "Only 2 approved questions to learn from: 8 instead of 140." in shown
    assert 'data-go="ask"' in shown and "about 14 min" in shown and "from a trial" in shown
    assert "Below &lt;20&gt; %." in shown and "about 12,345" in shown


def test_the_ring_carries_the_stock_as_numbers_for_the_browser() -> None:
    shown = mix_tab.ring(outlook(DatasetMix(), Stock(40, 9, 500)), DatasetMix(), (40, 9, 500))
    assert "&quot;questions&quot;: 40" in shown and 'data-lane="raft"' in shown


def test_samples_say_what_is_seen_and_what_is_learned_and_escape_it() -> None:
    asked = Message("user", "[1] a: b\n\nQuestion: How <b>fast</b>?")
    raft = Example(
        "e",
        "raft",
        "answer",
        (Message("system", "Rules."), asked, Message("assistant", "15 m/s [1]")),
        passages=("c1", "c2"),
        oracles=("c1",),
    )
    silent = replace(raft, kind="refusal", oracles=())
    text = Example("d", "dap", "text", text="Cranes stand.")
    assert samples.seen(raft) == "“How <b>fast</b>?” + 2 passages, 1 of them useful"
    assert samples.seen(silent).endswith("2 passages, none useful")
    shown = samples.table([raft, silent, text])
    assert "<b>" not in shown.replace("<body", "") and "15 m/s [1]" in shown and "“Your documents do not say”" in shown
    assert "nothing to learn from" in samples.table([])


def test_only_the_latest_frozen_dataset_offers_an_update() -> None:
    made = [
        SimpleNamespace(id=f"d{n}", mix=DatasetMix(), counts={"raft": 7}, made="2026-01-02T03:04:05") for n in (1, 2)
    ]
    behind = mix_tab.frozen_table(made, "3 questions changed")
    assert "3 questions changed" in behind and behind.count('data-do="update"') == 1
    assert "data-do" not in mix_tab.frozen_table(made, "") and "up to date" in mix_tab.frozen_table(made, "")


def test_the_job_line_follows_the_job() -> None:
    assert mix_tab.job_line(None) == ""
    assert "42 %" not in mix_tab.job_line(Job(id="j", state="running", title="Composing", done=42, total=100))
    assert 'aria-valuenow="42"' in mix_tab.job_line(Job(id="j", state="running", title="Composing", done=42, total=100))
    failed = mix_tab.job_line(Job(id="j", state="failed", problem="No <room>.", remedy="Free some."))
    assert "No &lt;room&gt;." in failed and "Free some." in failed


class Desk:
    """A mixing desk that remembers what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, DatasetMix]] = []

    def presets(self) -> list[SimpleNamespace]:
        return PRESETS

    def use_preset(self, project: object, name: str) -> SimpleNamespace:
        return next(p for p in PRESETS if p.name == name)

    def keep(self, project: object, mix: DatasetMix) -> DatasetMix:
        self.asked.append(("keep", mix))
        return mix

    def freeze(self, project: object, mix: DatasetMix) -> str:
        self.asked.append(("freeze", mix))
        return "job"

    def update(self, project: object, dataset: str) -> str:
        self.asked.append(("update", DatasetMix(name=dataset)))
        return "job"


def test_handlers_ask_the_desk_once() -> None:
    desk = Desk()
    studio = SimpleNamespace(mixing=desk)
    assert mix_tab.use_preset(studio, None, "Assistant")[8]["value"] == 99
    assert mix_tab.keep(studio, None, {"do": "keep"}, DatasetMix(size=5)) == "Own mix"
    assert mix_tab.freeze(studio, None, DatasetMix()) == "Balanced"
    mix_tab.update(studio, None, {"do": "update", "id": "d7"})
    mix_tab.update(studio, None, {"do": "other", "id": "d8"})
    assert [(what, mix.name) for what, mix in desk.asked] == [
        ("keep", "Own mix"),
        ("freeze", "Balanced"),
        ("update", "d7"),
    ]


def test_the_form_is_written_once_for_each_project() -> None:
    project = SimpleNamespace(id="p", choices=lambda: SimpleNamespace(mix=DatasetMix(size=7)))
    written = mix_tab.follow(None, project, "")
    assert written[-1] == "p" and {"value": 7}.items() <= written[8].items()
    assert isinstance(mix_tab.follow(None, project, "p"), dict)


class Free:
    """A bench that ``holder`` may hold, and a desk that makes samples of what its project is called."""

    def __init__(self, holder: str = "") -> None:
        self.jobs = SimpleNamespace(holder=lambda: holder or None)
        self.mixing = SimpleNamespace(samples=self.samples)
        self.made = 0

    def samples(self, project: SimpleNamespace, mix: DatasetMix, turn: int = 0) -> list[Example]:
        self.made += 1
        return [Example("e", "dap", "text", text=f"{project.id} stands {turn}.")]


def crane(id: str) -> SimpleNamespace:
    return SimpleNamespace(id=id, choices=lambda: SimpleNamespace(mix=DatasetMix()), questions=lambda: [])


def test_samples_are_made_once_for_each_mix_and_project() -> None:
    free, one, two = Free(), crane("crane-1"), crane("winch-2")
    sampled = mix_tab.first_samples(free, one, mix_tab.NOTHING)
    assert "crane-1 stands 0." in mix_tab.own_samples(free, one, sampled)
    assert mix_tab.first_samples(free, one, sampled) == gr.skip() and free.made == 1
    more, turn = mix_tab.another(free, one, DatasetMix(), 0)
    assert "crane-1 stands 1." in mix_tab.own_samples(free, one, more) and turn == 1
    assert mix_tab.first_samples(free, one, more) == gr.skip()
    assert mix_tab.first_samples(free, two, sampled)[0] == "winch-2"


def test_samples_follow_what_is_approved() -> None:
    free, project, known = Free(), crane("crane-1"), question("Why?", evidence="Because.", status="proposed")
    project.questions = lambda: [known]
    sampled = mix_tab.first_samples(free, project, mix_tab.NOTHING)
    for status, answer in (("approved", "because"), ("edited", "because so"), ("rejected", "because so")):
        known = replace(known, status=status, answer=answer)
        assert mix_tab.first_samples(free, project, sampled) != gr.skip()
        sampled = mix_tab.first_samples(free, project, sampled)
    known = replace(known, answer="no")  # rejected before and after
    assert mix_tab.first_samples(free, project, sampled) == gr.skip()


def test_samples_of_another_project_are_not_shown_while_the_computer_is_busy() -> None:
    busy, one, two = Free("Training, in Winches"), crane("crane-1"), crane("winch-2")
    sampled = mix_tab.first_samples(Free(), one, mix_tab.NOTHING)
    assert mix_tab.first_samples(busy, two, sampled) == gr.skip() and busy.made == 0
    assert "crane-1" not in mix_tab.own_samples(busy, two, sampled)
    assert "They come when “Training, in Winches” is finished." in mix_tab.own_samples(busy, two, sampled)
    assert "crane-1 stands" in mix_tab.own_samples(busy, one, sampled)
    assert "Looking for examples" in mix_tab.own_samples(Free(), two, sampled)
    assert mix_tab.samples_key(busy, two, sampled) != mix_tab.samples_key(Free(), two, sampled)


def test_no_project_has_no_samples() -> None:
    sampled = mix_tab.first_samples(Free(), crane("crane-1"), mix_tab.NOTHING)
    assert mix_tab.first_samples(Free(), None, sampled) == gr.skip()
    assert mix_tab.own_samples(Free(), None, sampled) == ""


def test_samples_that_come_late_are_drawn_for_the_project_that_is_open(tmp_path: Path) -> None:
    bench = Bench(mix_tab, "mix", House(tmp_path))
    writers = {fn.name for fn in bench.app.fns.values() if "mix-samples" in [c.elem_id for c in fn.outputs]}
    assert writers == {"look"}


node = pytest.mark.skipif(shutil.which("node") is None, reason="the slider rule is JavaScript and node is not on PATH")


def run_js(body: str) -> object:
    code = f"require('vm').runInThisContext(require('fs').readFileSync({json.dumps(str(SCRIPT))}, 'utf8'));"
    code += f"const m = globalThis.ragtune.mix; console.log(JSON.stringify((() => {{ {body} }})()));"
    done = subprocess.run(["node", "-e", code], capture_output=True, text=True, timeout=60, check=True)
    return json.loads(done.stdout)


@node
def test_twenty_thousand_moves_always_add_up_to_100() -> None:
    worst = run_js("""
        let seed = 7, bad = 0; const rnd = (n) => { seed = (seed * 1103515245 + 12345) % 2147483648; return seed % n; };
        m.adopt('p', 50, 30, 20); let now = [50, 30, 20];
        for (let i = 0; i < 20000; i++) {
          const n = rnd(3), value = rnd(101), others = m.move(n, value);
          now = others.slice(); now.splice(n, 0, value);
          if (now.reduce((a, b) => a + b) !== 100 || now.some((v) => v < 0 || !Number.isInteger(v))) bad++;
        }
        return bad;""")
    assert worst == 0


@node
def test_ten_steps_up_and_down_bring_all_three_back() -> None:
    body = """
        m.adopt('p', 50, 30, 20); let up, down;
        for (let v = 51; v <= 60; v++) up = m.move(0, v);
        for (let v = 59; v >= 50; v--) down = m.move(0, v);
        return [up, down];"""
    assert run_js(body) == [[24, 16], [30, 20]]


@node
def test_both_others_at_zero_share_evenly_and_nonsense_moves_nothing() -> None:
    assert run_js("m.adopt('p', 100, 0, 0); return m.move(0, 90);") == [5, 5]
    assert run_js("m.adopt('p', 50, 30, 20); return m.move(0, null);") == [30, 20]
    assert run_js("m.adopt('p', 50, 30, 20); return m.move(1, 400);") == [0, 0]


@node
def test_a_project_is_adopted_once_and_a_preset_always() -> None:
    body = """
        m.adopt('p', 50, 30, 20); m.move(0, 51); m.adopt('p', 51, 29, 20);
        const kept = m.move(0, 50); m.adopt(null, 70, 30, 0); return [kept, m.move(0, 70)];"""
    assert run_js(body) == [[30, 20], [30, 0]]


@node
def test_counts_in_the_browser_are_those_of_the_domain() -> None:
    cases = [(240, (70, 30, 0)), (7, (50, 30, 20)), (101, (33, 33, 34)), (1, (34, 33, 33)), (999, (1, 98, 1))]
    for size, (raft, plain, dap) in cases:
        shares = {"raft": raft, "plain": plain, "dap": dap}
        assert run_js(f"return m.split({size}, [{raft}, {plain}, {dap}]);") == list(
            split_exactly(size, shares).values()
        )
    rng, plans, calls = random.Random(3), [], []
    for _ in range(300):
        a, b = sorted(rng.randint(0, 100) for _ in range(2))
        size, stock = rng.randint(1, 600), Stock(rng.randint(0, 60), rng.randint(0, 90), rng.randint(0, 260))
        mix = DatasetMix(raft=a, plain=b - a, dap=100 - b, size=size)
        plans.append([plan_mix(mix, stock).counts[lane] for lane in ("raft", "plain", "dap")])
        there = {"questions": stock.questions, "chunks": stock.chunks, "prompts": stock.prompts}
        calls.append([size, [a, b - a, 100 - b], 4, there])
    assert run_js(f"return {json.dumps(calls)}.map((c) => m.plan(...c).map((lane) => lane.count));") == plans
