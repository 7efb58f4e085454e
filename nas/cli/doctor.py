"""The verb `doctor`."""

from __future__ import annotations

import typer

from nas.cli import options
from nas.cli.common import emit, verb


@verb
def doctor(as_json: options.AsJson = False) -> None:
    """Tell what this machine has of what ppgnas can use, and how to get what is missing.

    Leaves with exit code 1 where something is missing that ppgnas cannot do without.

    \b
    ppgnas doctor
    """
    from dataclasses import asdict

    from nas.doctor import examine

    findings = examine()
    if as_json:
        emit({"findings": [asdict(finding) for finding in findings]})
    else:
        width = max(len(finding.what) for finding in findings)
        for finding in findings:
            seen = finding.found or ("MISSING" if finding.needed else "not there")
            print(f"{finding.what:{width}}  {seen}  ({finding.purpose})")
            if finding.remedy:
                print(f"{'':{width}}  {finding.remedy}")
    if any(finding.wrong for finding in findings):
        raise typer.Exit(1)
