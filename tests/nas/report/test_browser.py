"""The report in a real browser: no console message, every plot drawn, nothing overflows.

Chromium's log does not tell an error from a note, so every console line counts, save those of the
WebGL driver of a machine without a GPU.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from nas.report.report import write_report
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
_DRIVER = re.compile(r'"\[(\]Automatic fallback to software WebGL|\.WebGL-\w+\])')
_CONSOLE = re.compile(r":CONSOLE:\d+\] (.*)")
_PLOTS = ["pareto", "parallel", "people", "agreement", "limits", "risk", "reliability"]
_PLOTS += ["datasets", "history"]

# Runs within the page: chooses every option of every selector, then tells what it sees.
_PROBE = """<script>addEventListener("load", async () => {
  const rest = () => new Promise((done) => setTimeout(done, 150));
  await rest();
  const chosen = [];
  for (const menu of document.querySelectorAll("select")) {
    for (const option of [...menu.options].reverse()) {
      menu.value = option.value;
      menu.dispatchEvent(new Event("change"));
      await rest();
      const others = document.querySelectorAll(`select[data-group="${menu.dataset.group}"]`);
      chosen.push([...others].every((other) => other.value === option.value));
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
        timeout=120,
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


def test_opens_without_console_messages_and_draws(page: Path, tmp_path: Path) -> None:
    dom, console = visit(page, tmp_path / "profile")
    assert console == []
    for plot in _PLOTS:
        body = dom.split(f'id="plot-{plot}"', 1)[1].split("</section>", 1)[0]
        assert 'class="main-svg"' in body, plot
    parallel = dom.split('id="plot-parallel"', 1)[1].split("</section>", 1)[0]
    assert parallel.count("<canvas") == 3


@pytest.mark.parametrize("width", [400, 1600])
def test_fits_the_width_and_every_choice_works(page: Path, tmp_path: Path, width: int) -> None:
    seen = probe(page, tmp_path, width)
    assert seen["width"] == width
    assert seen["overflow"] == 0
    assert seen["wide"] == []
    # cost 6, lines 3, finalist 4 menus of 6, data sets 2
    assert seen["chosen"] == [True] * (6 + 3 + 4 * 6 + 2)
    assert seen["panels"] == 4
    assert seen["cut"] == 0  # every entry of the navigation is in sight
    assert all(seen["shadows"])
    assert seen["shadows"] or width > 400
    assert sorted(seen["plots"]) == sorted(_PLOTS)
    for plot, (drawn, room, taken) in seen["plots"].items():
        assert drawn >= 1, plot
        assert taken == pytest.approx(room, abs=1), plot
        assert plot == "parallel" or taken < width


def test_without_webgl_the_rest_is_drawn(page: Path, tmp_path: Path) -> None:
    dom, console = visit(page, tmp_path / "profile", "--disable-3d-apis")
    assert console == []
    shown = re.sub(r"<script.*?</script>", "", dom, flags=re.DOTALL)
    assert "This plot needs WebGL" in shown
    assert shown.count("js-plotly-plot") == len(_PLOTS) - 1


def test_a_broken_page_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "broken.html"
    page.write_text("<script>missing()</script>")
    _, console = visit(page, tmp_path / "profile")
    assert len(console) == 1
    assert "missing is not defined" in console[0]
