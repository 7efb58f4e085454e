"""The verbs that list what there is: engines, teachers, data sets and forms of files."""

from __future__ import annotations

from dataclasses import asdict

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
        keys = ("name", "title", "version", "date")
        emit(
            {
                "engines": [
                    {
                        **{key: getattr(engine, key) for key in keys},
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


@verb
def list_teachers(as_json: options.AsJson = False) -> None:
    """Teachers that can be trained, their size, and minutes of training on two cores.

    \b
    ppgnas teachers list
    """
    from distill.teachers.names import AUTOMATIC, PRESETS
    from distill.training.effort import EFFORTS

    efforts = [effort for name, effort in EFFORTS.items() if name != "smoke"]
    minutes = {
        name: {each.name: preset.minutes(each.teacher_steps) for each in efforts}
        for name, preset in PRESETS.items()
    }
    if as_json:
        teachers = [
            {"name": name, **asdict(preset), "minutes": minutes[name]}
            for name, preset in PRESETS.items()
        ]
        emit({"teachers": teachers, "auto": dict(AUTOMATIC)})
        return
    header = ("teacher", "parameters", "MAC a window", *(f"{e.name} min" for e in efforts), "")
    rows = [
        (
            name,
            f"{preset.parameters:,}",
            f"{preset.macs:,}",
            *(f"{each:.1f}" for each in minutes[name].values()),
            preset.about,
        )
        for name, preset in PRESETS.items()
    ]
    print(text_table(header, rows))
    print(
        "Each also as NAME-ppg, which reads no acceleration. ensemble:A,B,C averages two to five "
        "of them, or of files. auto is "
        + ", ".join(f"{name} ({effort})" for effort, name in AUTOMATIC.items())
        + "."
    )


@verb
def list_data(as_json: options.AsJson = False) -> None:
    """Data sets that can be read as their authors publish them, and forms of single files.

    \b
    ppgnas data list
    """
    from ppg.loaders.forms import FORMS
    from ppg.loaders.registry import DATA_SETS

    if as_json:
        keys = ("name", "title", "summary", "licence", "home", "size_bytes", "sha256")
        sets = [
            {
                **{key: getattr(known, key) for key in keys},
                "folder": known.level,
                "fetch": known.url is not None,
            }
            for known in DATA_SETS
        ]
        told = [
            {key: getattr(form, key) for key in ("title", "what", "tried_on")} for form in FORMS
        ]
        emit({"datasets": sets, "forms": told})
        return
    for known in DATA_SETS:
        how = f"ppgnas data fetch {known.name}" if known.url else "by hand"
        print(
            f"{known.name}: {known.title}\n  {known.summary}\n  licence  {known.licence}\n"
            f"  folder   {known.level}\n  get it   {how}; {known.home}"
        )
    print("\nForms of single recordings, beside text with rows of cells (docs/forms.md):")
    for form in FORMS:
        print(f"{form.title}: {form.what} ({form.tried_on})")
