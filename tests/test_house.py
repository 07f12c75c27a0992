"""The house stands as drawn: who may import whom, nothing acts on import, the README's tree is true."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "ragtune_ui"
FLOORS = ("domain", "store", "engine", "studio", "ui")
MAY_IMPORT = {
    "domain": {"domain"},
    "store": {"store", "domain"},
    "engine": {"engine", "domain", "settings"},
    "studio": {"studio", "store", "domain", "settings"},
    "ui": {"ui", "studio", "domain"},
    "settings": set(),
    "command_line": {"domain"},
    # Front doors join floors: the training process and the window.
    "worker": {"domain", "store", "engine", "studio"},
}
HEAVY = set("torch transformers peft datasets lancedb sentence_transformers accelerate xberg spacy".split())  # noqa: SIM905
FACES = {"gradio", "plotly"}
PURE = {"numpy"}  # all that ``domain`` may use beyond the standard library
MODULES = sorted(p for p in PACKAGE.rglob("*.py"))


def floor_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else path.stem


def imports(tree: ast.AST) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module)
            if node.module.startswith("ragtune_ui"):
                found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def test_there_is_a_house_to_look_at() -> None:
    assert {floor_of(p) for p in MODULES} >= set(FLOORS)
    assert len(MODULES) > 30


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_no_arrow_rises(path: Path) -> None:
    floor = floor_of(path)
    if floor == "__init__":
        return
    used = {name.split(".")[1] for name in imports(parsed(path)) if name.startswith("ragtune_ui.")}
    rising = {name for name in used - MAY_IMPORT[floor] if name in FLOORS or name in MAY_IMPORT}
    assert not rising, f"{floor} must not import {sorted(rising)}"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_libraries_stay_on_their_floor(path: Path) -> None:
    floor = floor_of(path)
    used = {name.split(".")[0] for name in imports(parsed(path))} - {"ragtune_ui"}
    if floor != "engine":
        assert not used & HEAVY
    if floor != "ui":
        assert not used & FACES
    if floor == "domain":
        outside = {u for u in used if u not in sys.stdlib_module_names and u != "__future__"}
        assert outside <= PURE


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_importing_does_nothing(path: Path) -> None:
    """Top-level statements define things; a bare call, loop, ``with`` or file access would act."""
    for node in parsed(path).body:
        if isinstance(node, ast.Expr):
            assert isinstance(node.value, ast.Constant), f"line {node.lineno} acts on import"
        is_main = isinstance(node, ast.If) and "__name__" in ast.unparse(node.test)
        is_typing = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        assert is_main or is_typing or not isinstance(node, ast.If | ast.For | ast.While | ast.With | ast.Try), (
            f"line {node.lineno} acts on import"
        )


def test_heavy_libraries_are_imported_inside_functions() -> None:
    for path in MODULES:
        top = {
            name.split(".")[0]
            for node in parsed(path).body
            if isinstance(node, ast.Import | ast.ImportFrom)
            for name in imports(node)
        }
        assert not top & HEAVY, f"{path.name} imports {top & HEAVY} when it is imported"


def test_there_is_no_circle() -> None:
    graph: dict[str, set[str]] = {}
    names = {".".join(("ragtune_ui", *p.relative_to(PACKAGE).with_suffix("").parts)): p for p in MODULES}
    for name, path in names.items():
        tree = parsed(path)
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
                node.body = []
        graph[name.removesuffix(".__init__")] = {i for i in imports(tree) if i in names or f"{i}.__init__" in names}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, f"circle: {' -> '.join((*trail, name))}"
        if name in done:
            return
        for used in graph.get(name, set()):
            if used != name:
                visit(used, (*trail, name))
        done.add(name)

    for name in graph:
        visit(name, ())


def test_importing_everything_loads_no_torch_and_makes_no_folder(tmp_path: Path) -> None:
    names = [
        ".".join(("ragtune_ui", *p.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")
        for p in MODULES
    ]
    code = (
        "import sys, importlib, threading\n"
        f"[importlib.import_module(n) for n in {names!r} if not n.startswith('ragtune_ui.ui')]\n"
        "assert threading.active_count() == 1, 'a thread was started'\n"
        f"bad = {sorted(HEAVY | FACES)!r}\n"
        "print([b for b in bad if b in sys.modules])\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "HOME": str(tmp_path), "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.strip() == "[]"
    assert [p for p in tmp_path.iterdir() if p.name != ".cache"] == []


def test_the_readme_tree_is_true() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    missing = [p.name for p in MODULES if p.name != "__init__.py" and not re.search(rf"\b{re.escape(p.name)}", readme)]
    assert not missing, f"the README's tree omits {missing}"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_remote_code_and_pickle_stay_out(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "torch.load(" not in text
    assert "pickle" not in {i.split(".")[0] for i in imports(ast.parse(text))}
    assert "trust_remote_code=True" not in text
    assert "delete_unverified" not in text


def test_no_file_outgrows_its_story() -> None:
    """A file over 400 lines or a function over 80 owes a reason; none has one yet."""
    for path in MODULES:
        text = path.read_text(encoding="utf-8")
        assert text.count("\n") <= 430, f"{path.name} has {text.count(chr(10))} lines"
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                assert length <= 90, f"{path.name}: {node.name} has {length} lines"
