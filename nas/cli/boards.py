"""The verbs that look things up: `boards`, `engines`, `bench`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from nas.cli.common import JSON_HELP, emit, verb
from ppgnas.tables import text_table

AsJson = Annotated[bool, typer.Option("--json", help=JSON_HELP)]


def _group(text: str) -> typer.Typer:
    return typer.Typer(help=text, no_args_is_help=True, rich_markup_mode=None)


boards = _group("Boards that a search can aim at.")
engines = _group("Runtimes that execute a network.")
bench = _group("Speed figures.")


def _board_document(board: Any) -> dict[str, Any]:
    return {
        "name": board.name,
        "part": board.part,
        "core": board.core,
        "clock_hz": board.clock_hz,
        "flash_bytes": board.flash_bytes,
        "sram_bytes": board.sram_bytes,
        "core_ratio": board.core_ratio.to_json(),
        "active_mw": board.active_mw.to_json(),
        "sleep_mw": board.sleep_mw.to_json(),
        "clock_limit_hz": board.clock_limit_hz,
        "memories": dict(board.memories),
        "instruction_cache_bytes": board.cache_bytes[0],
        "data_cache_bytes": board.cache_bytes[1],
        "flash_wait_states": board.flash_wait_states,
        "clocks": [
            {"clock_hz": setting.clock_hz, "active_mw": setting.active_mw.to_json()}
            for setting in board.clocks
        ],
        "sleep_states": {name: power.to_json() for name, power in board.sleep_states.items()},
        "assumptions": list(board.assumptions),
        "sources": dict(board.sources),
    }


@boards.command("list")
@verb
def list_boards(as_json: AsJson = False) -> None:
    """Names of the boards that come with ppgnas.

    \b
    ppgnas boards list
    """
    from hwmodels.boards import board_names, load_board
    from nas.run.units import format_bytes

    found = [load_board(name) for name in board_names()]
    if as_json:
        emit({"boards": [_board_document(board) for board in found]})
        return
    rows = [
        (
            board.name,
            board.core,
            f"{board.clock_hz / 1e6:.0f} MHz",
            format_bytes(board.flash_bytes),
            format_bytes(board.sram_bytes),
        )
        for board in found
    ]
    print(text_table(("board", "core", "clock", "flash", "SRAM"), rows))


@boards.command("show")
@verb
def show_board(
    board: Annotated[str, typer.Argument(help="Name, or path of a .toml file.")],
    as_json: AsJson = False,
) -> None:
    """Figures of a board and where each comes from.

    \b
    ppgnas boards show stm32h743
    ppgnas boards show my_board.toml --json
    """
    from hwmodels.boards import load_board

    document = _board_document(load_board(board))
    if as_json:
        emit(document)
        return
    print(board_text(document))


def board_text(document: dict[str, Any]) -> str:
    """Figures and sources of a board as lines of text."""
    from nas.run.units import format_bytes

    def spread(figure: dict[str, float]) -> str:
        return f"{figure['value']:g} ({figure['low']:g} to {figure['high']:g})"

    clock_mhz = document["clock_hz"] / 1e6
    lines = [f"{document['name']}: {document['part']}, {document['core']} at {clock_mhz:g} MHz"]
    lines += [
        f"flash        {format_bytes(document['flash_bytes'])}",
        f"SRAM         {format_bytes(document['sram_bytes'])}",
    ]
    lines += [f"  {name:<10} {format_bytes(n)}" for name, n in document["memories"].items()]
    caches = document["instruction_cache_bytes"], document["data_cache_bytes"]
    if None not in caches:
        lines.append(f"caches       {' + '.join(format_bytes(n) for n in caches)}")
    if document["flash_wait_states"] is not None:
        lines.append(f"wait states  {document['flash_wait_states']}")
    lines += [
        f"core ratio   {spread(document['core_ratio'])} x Cortex-M7",
        f"active       {spread(document['active_mw'])} mW",
    ]
    lines += [
        f"  {setting['clock_hz'] / 1e6:g} MHz".ljust(13) + f"{spread(setting['active_mw'])} mW"
        for setting in document["clocks"]
    ]
    lines.append(f"sleep        {spread(document['sleep_mw'])} mW")
    lines += [f"  {name}: {spread(mw)} mW" for name, mw in document["sleep_states"].items()]
    lines += ["", "Sources"]
    lines += [f"{key:<24} {value}" for key, value in document["sources"].items()]
    return "\n".join(lines)


@boards.command("check")
@verb
def check_board(
    file: Annotated[str, typer.Argument(help="Path of a .toml file.")],
    as_json: AsJson = False,
) -> None:
    """Check a board file: every figure, its unit, its bounds and its source.

    \b
    ppgnas boards check my_board.toml
    """
    from hwmodels.boards import read_board

    board = read_board(Path(file))
    if as_json:
        emit({"ok": True, **_board_document(board)})
        return
    print(f"{file}: {board.part} is complete, {len(board.sources)} figures")
    if board.assumptions:
        print(f"without a source, so with wide bounds: {', '.join(board.assumptions)}")


@boards.command("new")
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

    path = Path(name if name.endswith(".toml") else f"{name.lower()}.toml")
    if path.exists():
        raise BoardError(f"{path} exists; choose another name, or remove the file")
    if not path.stem.replace("_", "").replace("-", "").isalnum():
        raise BoardError(
            f"{name!r} is no name of a part; use letters, digits, - and _, for example stm32g474"
        )
    write_text_atomic(path, template(path.stem))
    if as_json:
        emit({"path": str(path)})
        return
    print(f"{path} written; fill it in, then: ppgnas boards check {path}")


@engines.command("list")
@verb
def list_engines(as_json: AsJson = False) -> None:
    """Names, versions and cores of the runtimes.

    \b
    ppgnas engines list
    """
    from hwmodels.engines.load import engine_names, load_engine

    found = [load_engine(name) for name in engine_names()]
    if as_json:
        emit(
            {
                "engines": [
                    {
                        "name": engine.name,
                        "title": engine.title,
                        "version": engine.version,
                        "date": engine.date,
                        "cores": list(engine.cores),
                        "errors": dict(engine.errors),
                    }
                    for engine in found
                ]
            }
        )
        return
    rows = [(e.name, e.version, ", ".join(e.cores)) for e in found]
    print(text_table(("engine", "version", "cores"), rows))


@bench.command("search")
@verb
def bench_search(
    run: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="A finished run, for its times.")
    ] = None,
    baseline: Annotated[
        str | None, typer.Option(help="With --page: a run to compare with, say of random search.")
    ] = None,
    page: Annotated[
        str | None, typer.Option(help="Write RUN as a Markdown page to this file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Time to judge one architecture, time of --help, and what a run took.

    \b
    ppgnas bench search results/run
    ppgnas bench search results/run --baseline results/random --page run.md
    """
    from nas.bench.search import bench_search as measure
    from nas.run.folder import RunDir
    from nas.run.units import format_duration

    if page is not None:
        from nas.bench.search_page import search_page
        from ppgnas.errors import RunError
        from ppgnas.files import write_text_atomic

        if run is None:
            raise RunError(
                "--page needs the run that it shows: ppgnas bench search RUN --page FILE"
            )
        other = None if baseline is None else RunDir(Path(baseline))
        write_text_atomic(Path(page), search_page(RunDir(Path(run)), other))
    figures = measure(RunDir(Path(run)) if run is not None else None)
    if as_json:
        emit(figures)
        return
    print(f"cost of one architecture   {figures['cost_us']:.0f} us")
    print(f"ppgnas --help              {figures['help_s']:.2f} s")
    if "run" in figures:
        found = figures["run"]
        print(
            f"{found['path']}: {found['considered']} considered, {found['evaluated']} evaluated, "
            f"{found['finalists']} finalists"
        )
        for phase, seconds in found["time_s"].items():
            print(f"{phase:<26} {format_duration(seconds)}")


@bench.command("deploy")
@verb
def bench_deploy(
    networks: Annotated[int, typer.Option(min=1, help="Random networks to try.")] = 20,
    run: Annotated[
        str | None, typer.Option(help="Run whose finalists are tried too; needs --data.")
    ] = None,
    data: Annotated[str | None, typer.Option(help="Recordings for the finalists.")] = None,
    out: Annotated[
        str, typer.Option(help="Markdown file to write.")
    ] = "results/reference/deploy.md",
    as_json: AsJson = False,
) -> None:
    """Do the files compute what was evaluated, and what do they cost? In emulation.

    \b
    ppgnas bench deploy
    ppgnas bench deploy --run results/run --data recordings/
    """
    from dataclasses import asdict

    from nas.bench.deploy import (
        COMMAND,
        finalist_rows,
        markdown,
        random_rows,
        summary,
        windows_of_recordings,
    )
    from nas.run.folder import RunDir
    from ppgnas.errors import RunError
    from ppgnas.files import write_text_atomic

    if (run is None) != (data is None):
        raise RunError(
            "--run and --data go together: the finalists of the run read windows of the recordings"
        )
    rows = random_rows(networks)
    command = f"{COMMAND} --networks {networks}"
    if run is not None and data is not None:
        rows += finalist_rows(RunDir(Path(run)), windows_of_recordings(data))
        command += f" --run {run} --data {data}"
    path = Path(out)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text_atomic(path, markdown(rows, command))
    if as_json:
        emit({"command": command, "networks": [asdict(row) for row in rows]})
        return
    print(text_table(("what", "goal", "here"), summary(rows)))
    print(f"\nNetwork by network: {path}")


@bench.command("hwmodels")
@verb
def bench_hwmodels(
    out: Annotated[
        str, typer.Option(help="Markdown file to write.")
    ] = "results/reference/hwmodels.md",
    as_json: AsJson = False,
) -> None:
    """Held-out errors of the cost models against their goals, and their speed.

    \b
    ppgnas bench hwmodels
    ppgnas bench hwmodels --json --out hwmodels.md
    """
    from nas.bench.hwmodels import HEADER, markdown, table_rows
    from nas.bench.hwmodels import bench_hwmodels as measure
    from ppgnas.files import write_text_atomic

    document = measure()
    path = Path(out)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text_atomic(path, markdown(document))
    if as_json:
        emit(document)
        return
    print(text_table(HEADER, table_rows(document)))
    print(f"\nWhich rows count, and how: {path}")
