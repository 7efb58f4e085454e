"""The verb `engines list`."""

from __future__ import annotations

from nas.cli import options
from nas.cli.common import emit, verb
from ppgnas.tables import text_table


@verb
def list_engines(as_json: options.AsJson = False) -> None:
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
