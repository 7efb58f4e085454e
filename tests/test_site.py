"""The documentation as a site: built without a network, every page in its menu."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def test_every_page_is_in_the_menu() -> None:
    menu = set(re.findall(r"[\w]+\.md", (ROOT / "mkdocs.yml").read_text().split("nav:")[1]))
    assert menu == {path.name for path in (ROOT / "docs").glob("*.md")}


def test_it_builds_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason="needs the extra docs")
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict"]
    done = subprocess.run(
        [*command, "--site-dir", str(tmp_path / "site")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "site" / "tutorial.html").read_text()
    assert "ppgnas search --budget 60KB" in page
    loaded = re.findall(r'<(?:script|link|img)[^>]*(?:src|href)="(https?:[^"]+)"', page)
    assert loaded == []


def test_the_example_of_the_api_runs(capsys: pytest.CaptureFixture[str]) -> None:
    page = (ROOT / "docs" / "api.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(compile(code, "docs/api.md", "exec"), {})
    assert len(capsys.readouterr().out.splitlines()) == 2
