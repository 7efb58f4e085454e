"""The report in a real browser: no console message, every plot drawn, nothing overflows.

Chromium's log does not tell an error from a note, so every console line counts, save those of the
WebGL driver of a machine without a GPU, and advice on how Plotly draws text in three dimensions.
"""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from nas.explore.rescore import rescore
from nas.report.report import write_report
from nas.report.rescore import rescore_page
from nas.run.config import Scope
from nas.run.folder import RunDir
from tests.nas.report.report_run import ODD_NAMES, make_run

_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    "--v=0",
    "--virtual-time-budget=15000",
    "--dump-dom",
)
_DRIVER = re.compile(
    r'"(\[\]Automatic fallback to software WebGL|\[\.WebGL-\w+\]|Canvas2D: Multiple readback)'
)
_CONSOLE = re.compile(r":CONSOLE:\d+\] (.*)")
_PLOTS = [
    "pareto",
    "parallel",
    "people",
    "stretch-1",
    "stretch-2",
    "stretch-3",
    "rates",
    "shares",
    "agreement",
    "limits",
    "risk",
    "reliability",
]
_PLOTS += ["datasets", "history", "memory"]

# Runs within the page: on a laptop it chooses every option of every selector, and one of each that
# repeats another; tells what it sees.
_PROBE = """<script>addEventListener("load", async () => {
  const rest = () => new Promise((done) => setTimeout(done, 150));
  await window.ready;
  await rest();
  const chosen = [];
  for (const menu of innerWidth < 1000 ? [] : document.querySelectorAll("select")) {
    const group = [...document.querySelectorAll(`select[data-group="${menu.dataset.group}"]`)];
    const options = [...menu.options].reverse(), at = group.indexOf(menu);
    for (const option of at ? [options[(at - 1) % options.length]] : options) {
      menu.value = option.value;
      menu.dispatchEvent(new Event("change"));
      await rest();
      chosen.push(group.every((other) => other.value === option.value));
    }
  }
  const wide = [...document.querySelectorAll("main *")].filter((node) => {
    return node.getBoundingClientRect().right > innerWidth + 1 && !node.closest(".scroll, code");
  });
  parent.postMessage(JSON.stringify({
    width: innerWidth,
    overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    wide: wide.map((node) => node.outerHTML.slice(0, 80)),
    cut: [...document.querySelectorAll("nav a")].filter((node) => {
      return node.getBoundingClientRect().right > node.parentNode.getBoundingClientRect().right;
    }).length,
    shadows: [...document.querySelectorAll(".scroll:has(> table)")].filter((node) => {
      return node.scrollWidth > node.clientWidth;
    }).map((node) => getComputedStyle(node).backgroundImage.includes("gradient")),
    chosen,
    canvases: document.querySelectorAll("#plot-parallel canvas").length,
    panels: [...document.querySelectorAll("[data-panel]:not([hidden])")].length,
    plots: Object.fromEntries([...document.querySelectorAll(".plot")].map((plot) => [
      plot.id.slice(5), [plot.querySelectorAll("svg.main-svg").length, plot.clientWidth,
        plot.querySelector("svg.main-svg")?.clientWidth],
    ])),
  }), "*");
});</script>"""
_FRAME = """<!DOCTYPE html><iframe src="probe.html" style="border:0;width:{width}px;height:900px">
</iframe><script>addEventListener("message", (event) => {{
  document.body.dataset.seen = event.data;
}});</script>"""


def _browser() -> str:
    names = ("chromium", "chromium-browser", "google-chrome")
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if not found:
        pytest.skip("no Chromium: set CHROMIUM to its path, or install the chromium package")
    return found


def visit(page: Path, profile: Path, *flags: str) -> tuple[str, list[str]]:
    """The document after its scripts ran, and what they wrote to the console."""
    done = subprocess.run(
        [_browser(), *_FLAGS, *flags, f"--user-data-dir={profile}", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    )
    lines = [m.group(1) for m in _CONSOLE.finditer(done.stderr)]
    return done.stdout, [line for line in lines if not _DRIVER.match(line)]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("browser") / "run"
    make_run(run, names=ODD_NAMES, people=12, windows=150, synthetic=True)
    return write_report(run)


def probe(page: Path, tmp_path: Path, width: int) -> dict[str, Any]:
    document = page.read_text(encoding="utf-8").replace("</body>", f"{_PROBE}</body>")
    (tmp_path / "probe.html").write_text(document, encoding="utf-8")
    frame = tmp_path / "frame.html"
    frame.write_text(_FRAME.format(width=width))
    dom, console = visit(frame, tmp_path / "profile", "--window-size=1700,1000")
    assert console == []
    found = re.search(r'data-seen="([^"]*)"', dom)
    assert found, "the probe did not report"
    return dict(json.loads(found.group(1).replace("&quot;", '"').replace("&amp;", "&")))


@pytest.mark.parametrize("width", [400, 1400])
def test_draws_within_the_width_and_every_choice_works(
    page: Path, tmp_path: Path, width: int
) -> None:
    seen = probe(page, tmp_path, width)
    assert seen["width"] == width
    assert seen["overflow"] == 0
    assert seen["wide"] == []
    # cost 6, against 7, colour and third axis 8 each, lines 3, finalist 6 and 5 menus, data sets 2
    assert seen["chosen"] == [True] * ((6 + 7 + 8 + 8 + 3 + 6 + 5 + 2) if width == 1400 else 0)
    assert (seen["panels"], seen["canvases"]) == (5, 3)
    assert seen["cut"] == 0  # every entry of the navigation is in sight
    assert all(seen["shadows"])
    assert bool(seen["shadows"]) == (width == 400)  # a laptop shows all columns
    assert sorted(seen["plots"]) == sorted(_PLOTS)
    for plot, (drawn, room, taken) in seen["plots"].items():
        assert drawn >= 1, plot
        assert taken == pytest.approx(room, abs=1), plot
        assert plot == "parallel" or taken < width


@pytest.mark.parametrize(
    ("board", "scope"), [("nrf5340", None), ("nrf52840", "model"), ("stm32g0b1", "network")]
)
def test_a_rescored_page_fits_too(
    page: Path, tmp_path: Path, board: str, scope: Scope | None
) -> None:
    found = rescore(RunDir(page.parent), board=board, scope=scope)
    assert found.finalists and (found.front.enters or found.front.leaves)
    (tmp_path / "rescored.html").write_text(rescore_page(found), encoding="utf-8")
    seen = probe(tmp_path / "rescored.html", tmp_path, 1400)
    assert (seen["overflow"], seen["wide"], seen["cut"], seen["shadows"]) == (0, [], 0, [])


def test_without_webgl_the_rest_is_drawn(page: Path, tmp_path: Path) -> None:
    dom, console = visit(page, tmp_path / "profile", "--disable-3d-apis")
    assert console == []
    shown = re.sub(r"<script.*?</script>", "", dom, flags=re.DOTALL)
    assert "This plot needs WebGL" in shown
    assert shown.count("js-plotly-plot") == len(_PLOTS) - 1


def test_a_browser_that_cannot_unpack_says_so_and_shows_the_rest(
    page: Path, tmp_path: Path
) -> None:
    old = "<head><script>delete window.DecompressionStream</script>"
    (tmp_path / "old.html").write_text(page.read_text(encoding="utf-8").replace("<head>", old))
    dom, console = visit(tmp_path / "old.html", tmp_path / "profile")
    assert console == []
    shown = re.sub(r"<script.*?</script>", "", dom, flags=re.DOTALL)
    assert shown.count("This browser cannot unpack the plots") == len(_PLOTS)
    assert "finalists keep these limits" in shown


def test_a_broken_page_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "broken.html"
    page.write_text("<script>missing()</script>")
    _, console = visit(page, tmp_path / "profile")
    assert len(console) == 1
    assert "missing is not defined" in console[0]


# What an engineer asks, and the clicks that answer it; each answer is read off the page.
_TASKS = """<script>addEventListener("load", async () => {
  const rest = () => new Promise((done) => setTimeout(done, 200));
  const one = (query) => document.querySelector(query);
  const numbers = () => [...one("#choose").tBodies[0].rows].filter((row) => !row.hidden)
    .map((row) => Number(row.dataset.number));
  const slide = (key, most) => {
    const slider = one(`input[data-limit=${key}]`);
    const stops = slider.dataset.stops.split(" ").map(Number);
    slider.value = stops.filter((stop) => stop <= most).length - 1;
    slider.dispatchEvent(new Event("input"));
    return stops[slider.value];
  };
  const pareto = one("#plot-pareto"), parallel = one("#plot-parallel"), seen = {};
  const kept = () => pareto._fullData.filter((trace) => trace.meta === "candidates")
    .map(({ selectedpoints, customdata }) => {
      return selectedpoints ? selectedpoints.map((at) => customdata[at][0]) : null;
    });
  await window.ready;
  await rest();
  const rows = JSON.parse(one("#rows").textContent);
  const middle = (key) => {
    return rows.map((row) => row[key]).sort((a, b) => a - b)[Math.floor(rows.length / 2)];
  };
  const finalist = () => one("select[data-group=finalist]").value;
  seen.limits = [slide("mae_bpm", middle("mae_bpm")), slide("latency_ms", middle("latency_ms"))];
  seen.smallest = [numbers(), one("#fits").textContent, kept()];
  one("button[data-reset]").click();
  seen.reset = [numbers().length, kept()];
  one("button[data-sort=worst_bpm]").click();
  one("button[data-sort=worst_bpm]").click();
  seen.worst = [numbers(), one("#choose tbody tr .person").textContent];
  one("button[data-sort=latency_ms]").click();
  one("#choose tbody tr button[data-select]").click();
  await rest();
  seen.fastest = [numbers(), one(".command.chosen code").textContent, finalist()];
  const data = pareto._fullData.find((trace) => trace.meta === "finalists");
  const point = { data, customdata: data.customdata[0] };
  pareto.emit("plotly_click", { points: [point] });
  await rest();
  seen.clicked = [point.customdata[0], one("tr.chosen").dataset.number, finalist()];
  const axis = parallel._fullData[0].dimensions.length - 1;
  const ends = parallel._fullData[0].dimensions[axis].range;
  const low = [ends[0], (ends[0] + ends[1]) / 2];
  await Plotly.restyle(parallel, { [`dimensions[${axis}].constraintrange`]: [low] });
  await rest();
  const { values, constraintrange } = parallel._fullData[0].dimensions[axis]; // snapped to ticks
  const inside = [...values].filter((value) => value <= constraintrange[1]);
  seen.brushed = [kept().flat().length, inside.length];
  const up = one("select[data-group=against]");
  up.value = "flash_bytes";
  up.dispatchEvent(new Event("change"));
  await rest();
  const { y, customdata } = pareto._fullData.find((trace) => trace.meta === "candidates");
  const hidden = pareto.data.filter((trace) => trace.visible === false);
  seen.against = [pareto.layout.yaxis.title.text, Array.from(y),
    Array.from(customdata, (row) => row[3]), hidden.map((trace) => trace.meta ?? "line")];
  const deep = one("select[data-group=depth]");
  const third = async (key) => {
    deep.value = key;
    deep.dispatchEvent(new Event("change"));
    await rest();
    return pareto._fullData.filter((trace) => trace.meta === "candidates");
  };
  const solid = await third("energy_mj");
  seen.third = [solid.map((trace) => trace.type),
    solid.flatMap((trace) => Array.from(trace.z)).length,
    pareto.layout.scene.zaxis.title.text, (await third("")).map((trace) => trace.type)];
  dispatchEvent(new Event("beforeprint"));
  seen.printed = [...document.querySelectorAll("details")].every((part) => part.open);
  document.body.dataset.seen = JSON.stringify(seen);
});</script>"""


def test_tasks_take_two_interactions(page: Path, tmp_path: Path) -> None:
    text = page.read_text(encoding="utf-8")
    (tmp_path / "tasks.html").write_text(text.replace("</body>", f"{_TASKS}</body>"))
    dom, console = visit(tmp_path / "tasks.html", tmp_path / "profile")
    assert console == []
    found = re.search(r'<body data-seen="([^"]*)"', dom)
    assert found, "the tasks were not done"
    seen = json.loads(html.unescape(found.group(1)))
    written = re.search(r'id="rows">(.*?)</script>', text)
    assert written
    rows = {row["number"]: row for row in json.loads(written.group(1))}

    # the smallest network below an error and a latency: two sliders
    error_bpm, latency_ms = seen["limits"]
    fitting = {
        n for n, r in rows.items() if r["mae_bpm"] <= error_bpm and r["latency_ms"] <= latency_ms
    }
    assert 0 < len(fitting) < len(rows)
    visible, sentence, kept = seen["smallest"]
    assert set(visible) == fitting
    smallest = min(fitting, key=lambda number: rows[number]["flash_bytes"])
    assert f"Smallest: finalist {smallest} ({rows[smallest]['flash_bytes']:.1f} KB)" in sentence
    assert kept and all(places is not None for places in kept)
    assert seen["reset"] == [len(rows), [None] * len(kept)]
    # who is worst, and under which network: one heading, twice
    order, person = seen["worst"]
    assert order == sorted(rows, key=lambda number: -rows[number]["worst_bpm"]) and person
    # the command of the fastest: a heading and a number
    order, command, shown = seen["fastest"]
    assert order == sorted(rows, key=lambda number: rows[number]["latency_ms"])
    assert f":{order[0]} " in command and shown == str(order[0])
    # a marker shows its network everywhere: one click
    number, row, shown = seen["clicked"]
    assert str(number) == row == shown
    # which candidates err least: one brush
    bright, inside = seen["brushed"]
    assert bright == inside > 0
    # flash against latency: one menu
    title, drawn, flash, hidden = seen["against"]
    assert title == "Flash" and drawn == flash
    assert "reported" in hidden and "finalists" not in hidden and "candidates" not in hidden
    # a third axis shows what the brush keeps, and goes away again
    solid, drawn, title, flat = seen["third"]
    assert set(solid) == {"scatter3d"} and drawn == bright and title.startswith("Energy")
    assert set(flat) == {"scatter"}
    assert seen["printed"]
