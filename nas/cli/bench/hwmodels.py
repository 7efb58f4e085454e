"""The verb `bench hwmodels`."""

from __future__ import annotations

from nas.cli import options
from nas.cli.common import emit, new_file, verb
from ppgnas.tables import text_table


@verb
def bench_hwmodels(
    out: options.MarkdownOut = "results/reference/hwmodels.md", as_json: options.AsJson = False
) -> None:
    """Held-out errors of the cost models against their goals, and their speed.

    \b
    ppgnas bench hwmodels
    ppgnas bench hwmodels --json --out hwmodels.md
    """
    from nas.bench.hwmodels import HEADER, markdown, table_rows
    from nas.bench.hwmodels import bench_hwmodels as measure
    from ppgnas.files import write_text_atomic

    page = new_file(out, option="out", example="hwmodels.md")
    found = measure()
    write_text_atomic(page, markdown(found))
    if as_json:
        emit(found.to_json())
        return
    print(text_table(HEADER, table_rows(found)))
    print(f"\nWhich rows count, and how: {out}")
