"""The verb `boards new`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from nas.cli.common import emit, verb
from nas.cli.options import AsJson


@verb
def new_board(
    name: Annotated[str, typer.Argument(help="Name of the part; NAME.toml is written.")],
    as_json: AsJson = False,
) -> None:
    """Write a commented board file to fill in.

    \b
    ppgnas boards new stm32g474
    """
    from hwmodels.boards import template
    from ppgnas.errors import BoardError
    from ppgnas.files import write_text_atomic

    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", name.removesuffix(".toml")):
        raise BoardError(
            f"{name!r} is no name of a part; use up to 64 of a-z, 0-9, - and _, for example "
            "stm32g474. The file is written to the working folder"
        )
    path = Path(name if name.endswith(".toml") else f"{name.lower()}.toml")
    if path.exists():
        raise BoardError(f"{path} exists; choose another name, or remove the file")
    write_text_atomic(path, template(path.stem))
    if as_json:
        emit({"path": str(path)})
        return
    print(f"{path} written; fill it in, then: ppgnas boards check {path}")
