"""The theme: tokens as designed, contrasts recomputed, nothing that asks for the network."""

from __future__ import annotations

import re

import pytest

from ragtune_ui.ui.page import ASSETS

CSS = re.sub(r"/\*.*?\*/", "", (ASSETS / "theme.css").read_text(encoding="utf-8"), flags=re.DOTALL)
SCRIPT = (ASSETS / "shell.js").read_text(encoding="utf-8")


def tokens(block: str) -> dict[str, str]:
    found = re.search(rf"{block} \{{(.*?)\}}", CSS, re.DOTALL)
    assert found
    return dict(re.findall(r"(--[\w-]+):\s*([^;]+);", found[1]))


LIGHT = tokens(":root")
DARK = {**LIGHT, **tokens(r":root\.dark, :root \.dark")}
DESIGNED = {
    "--bg": ("#F5F6F8", "#12161C"),
    "--surface": ("#FFFFFF", "#1A2028"),
    "--sunken": ("#ECEEF2", "#0D1015"),
    "--border": ("#D5DAE1", "#2E3742"),
    "--border-strong": ("#858F9D", "#6B7685"),
    "--text": ("#17202B", "#E8ECF1"),
    "--text-2": ("#4A5563", "#A7B1BD"),
    "--accent": ("#1F5FBF", "#7FB0F5"),
    "--accent-hover": ("#174C9C", "#A3C7FA"),
    "--on-accent": ("#FFFFFF", "#0B1A2E"),
    "--accent-soft": ("#E3EDFB", "#1C2F4A"),
    "--ok": ("#1B7A43", "#63CC8D"),
    "--ok-soft": ("#E2F4E9", "#173324"),
    "--warn": ("#8A5A00", "#F0B94A"),
    "--warn-soft": ("#FFF3D6", "#3A2C0B"),
    "--error": ("#B3261E", "#FF8A80"),
    "--error-soft": ("#FCE8E6", "#411A18"),
    "--c1": ("#1A5FC4", "#5C9DF5"),
    "--c2": ("#9A4A00", "#FFB454"),
    "--c3": ("#17A673", "#5FE3B3"),
    "--c4": ("#B8357F", "#E0569B"),
    "--c5": ("#2B333E", "#D5DBE3"),
}


def luminance(colour: str) -> float:
    """Relative luminance of ``#RRGGBB`` (WCAG 2.2)."""
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_the_tokens_are_the_designed_ones() -> None:
    assert {name: (LIGHT[name], DARK[name]) for name in DESIGNED} == DESIGNED


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("ink", "ground"),
    [
        ("--text", "--bg"), ("--text", "--surface"), ("--text", "--sunken"), ("--text", "--accent-soft"),
        ("--text-2", "--bg"), ("--text-2", "--surface"), ("--text-2", "--sunken"), ("--text-2", "--accent-soft"),
        ("--on-accent", "--accent"), ("--on-accent", "--accent-hover"), ("--accent", "--surface"),
        ("--accent", "--accent-soft"), ("--accent", "--bg"),
        ("--ok", "--ok-soft"), ("--warn", "--warn-soft"), ("--error", "--error-soft"), ("--error", "--surface"),
        ("--text", "--ok-soft"), ("--text", "--warn-soft"), ("--text", "--error-soft"),
        ("--surface", "--ok"), ("--surface", "--error"),
    ],
)  # fmt: skip
def test_text_can_be_read(theme: dict[str, str], ink: str, ground: str) -> None:
    assert contrast(theme[ink], theme[ground]) >= 4.5


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_controls_and_lines_of_charts_can_be_seen(theme: dict[str, str]) -> None:
    for ink in ("--border-strong", "--accent", "--c1", "--c2", "--c3", "--c4", "--c5"):
        assert contrast(theme[ink], theme["--surface"]) >= 3, ink


def test_colours_stand_in_tokens_only() -> None:
    below = CSS.split("--grid: #262E38;", 1)[1]
    assert re.findall(r"#[0-9a-fA-F]{3,8}\b(?=[^{}]*;)", below) == []


def test_every_variable_that_is_used_is_ours_or_gradios() -> None:
    defined = set(re.findall(r"(--[\w-]+):", CSS))
    assert set(re.findall(r"var\((--[\w-]+)", CSS)) - defined == set()


def test_every_mapped_variable_exists_in_gradio() -> None:
    import gradio as gr

    mapped = re.search(r":root, :root body[^{]*\{(.*?)\}", CSS, re.DOTALL)
    assert mapped
    names = {n[2:].replace("-", "_") for n in re.findall(r"(--[\w-]+):", mapped[1])}
    assert len(names) > 100
    known = set(vars(gr.themes.Base()))
    assert names - known - {n for n in names if n in ("font", "font_mono")} == set()


def test_nothing_comes_from_the_network() -> None:
    from ragtune_ui.ui import shell

    for written in (CSS, SCRIPT, (ASSETS / "logo.svg").read_text(encoding="utf-8")):
        assert not re.search(r"@import|url\(|https?://(?!www\.w3\.org/2000/svg)|//cdn", written)
    theme = shell.theme()
    assert theme._stylesheets == []
    assert "googleapis" not in theme._get_theme_css()
    assert "system-ui" in theme.font


def test_motion_stops_where_it_is_not_wanted() -> None:
    assert re.search(r"prefers-reduced-motion: reduce\) \{ \*, \*::before, \*::after \{ animation: none", CSS)


def test_no_text_is_smaller_than_twelve_points_on_screen() -> None:
    sizes = {float(s) for s in re.findall(r"font-size:\s*([\d.]+)px", CSS)} - {10.0}  # 10: inside the scaled donut
    assert min(sizes) >= 12


def test_the_scripts_keep_to_what_the_design_allows() -> None:
    assert "innerHTML" not in SCRIPT  # text from the server is only ever set as text
    assert "eval(" not in SCRIPT
    assert not re.search(r"fetch\(\"(?!ragtune/)", SCRIPT)
