"""What `doctor` finds, and what it says of what is missing."""

from __future__ import annotations

import json
from importlib import metadata

import pytest
from typer.testing import CliRunner

from nas import doctor
from nas.cli.main import app


def test_all_that_ppgnas_needs_is_here() -> None:
    findings = {finding.what: finding for finding in doctor.examine()}
    for name in ("torch", "numpy", "optuna", "typer"):
        assert findings[name].found == metadata.version(name) and findings[name].needed
    assert not any(finding.wrong for finding in findings.values())
    assert int(findings["cores"].found or 0) >= 1
    assert "extra emulate" in findings


def test_what_is_missing_has_a_line_that_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real = metadata.version

    def version(name: str) -> str:
        if name in ("scipy", "unicorn"):
            raise metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(metadata, "version", version)
    findings = {finding.what: finding for finding in doctor.examine()}
    assert findings["scipy"].wrong and findings["scipy"].remedy.endswith("-m pip install scipy")
    emulate = findings["extra emulate"]
    assert emulate.found is None and not emulate.wrong
    assert "missing: unicorn" in emulate.purpose and "unicorn>=" in emulate.remedy
    done = CliRunner().invoke(app, ["doctor"])
    assert done.exit_code == 1 and "scipy" in done.output and "MISSING" in done.output


def test_requirements_of_other_pythons_are_not_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = ["numpy>=2", "tomli>=2; python_version < '3'", "unicorn>=2; extra == 'emulate'"]
    monkeypatch.setattr(metadata, "requires", lambda name: wanted)
    assert doctor._requirements(None) == ["numpy"]
    assert doctor._requirements("emulate") == ["unicorn"]
    assert doctor._requirements("tflm") == []


def test_json() -> None:
    done = CliRunner().invoke(app, ["doctor", "--json"])
    assert done.exit_code == 0
    found = json.loads(done.stdout)["findings"]
    assert {"what", "found", "purpose", "remedy", "needed"} == set(found[0])
