"""The verb `teachers list`."""

from __future__ import annotations

from dataclasses import asdict

from nas.cli import options
from nas.cli.common import emit, verb
from ppgnas.tables import text_table


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
