"""The verb `report`."""

from __future__ import annotations

import shlex
from pathlib import Path

from nas.cli.common import emit, verb
from nas.cli.options import AsJson, Run


@verb
def report(
    run: Run,
    as_json: AsJson = False,
) -> None:
    """Write report.html of a run anew.

    \b
    ppgnas report results/run
    """
    from nas.report.report import write_report
    from nas.run.folder import RunDir

    directory = RunDir(Path(run))
    directory.document()
    directory.candidates()
    path = write_report(directory.path)
    if as_json:
        emit({"report": str(path)})
    else:
        print(shlex.quote(str(path)))
