"""What the wrapper of every verb does with errors."""

from __future__ import annotations

from typing import Annotated

import pytest
import typer

from nas.cli.common import verb
from ppgnas.errors import DataError


@verb
def broken(
    message: Annotated[str, typer.Argument()],
    report_data: Annotated[str, typer.Option(help="Plain.")] = "",
    rate_hz: Annotated[float, typer.Option("--rate", "--period", help="Renamed.")] = 1.0,
) -> None:
    raise DataError(message)


def test_arguments_are_shown_as_options(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as caught:
        broken("`report_data` x and `rate_hz` 3; not report_data, `seed` or `ppgnas train`")
    assert caught.value.exit_code == 2
    printed = capsys.readouterr().err
    assert printed == (
        "ppgnas: --report-data x and --rate 3; not report_data, `seed` or `ppgnas train`\n"
    )
