"""The options of a single file: which column is what, and what else is not in it.

Every verb that reads a recording of one's own has them, and hands them on by their names.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from nas.cli.options import Text
from ppgnas.errors import DataError
from ppgnas.parsing import listed

_LISTS = {"ppg", "acc", "names"}
LABELS = (
    "lag_s",
    "drift_ppm",
    "hr",
    "rr",
    "ecg",
    "activity",
    "hr_file",
    "hr_time",
    "hr_rate_hz",
    "hr_is",
)


def _options(
    lag_s: Annotated[
        float | None,
        typer.Option(
            "--lag", help="Seconds to add to the clock of the labels; default: as documented."
        ),
    ] = None,
    drift_ppm: Annotated[
        float | None,
        typer.Option(
            "--drift",
            help="Millionths by which the clock of the labels must run faster, as data inspect "
            "says; with --lag.",
        ),
    ] = None,
    names: Annotated[
        Text,
        typer.Option(
            "--columns",
            help="Names of all columns in their order, with commas, instead of the file's own: "
            "t,green,ax,ay,az,hr.",
        ),
    ] = None,
    ppg: Annotated[
        Text,
        typer.Option(
            "--ppg-column",
            help="Column of the PPG; several with commas. Left out, columns are guessed by name.",
        ),
    ] = None,
    acc: Annotated[
        Text,
        typer.Option(
            "--acc-columns", help="Three columns with commas; leave out if there is none."
        ),
    ] = None,
    hr: Annotated[
        Text,
        typer.Option(
            "--hr-column",
            help="Column of the reference heart rate in BPM; without a reference the recording "
            "can be predicted alone.",
        ),
    ] = None,
    rr: Annotated[
        Text,
        typer.Option("--rr-column", help="Instead of it: intervals from beat to beat, s or ms."),
    ] = None,
    ecg: Annotated[
        Text, typer.Option("--ecg-column", help="Instead of it: an electrocardiogram.")
    ] = None,
    time: Annotated[
        Text,
        typer.Option(
            "--time-column", help="Column of the time, numbers or dates; it gives the rates."
        ),
    ] = None,
    time_unit: Annotated[
        Text,
        typer.Option(
            help="s, ms, us, ns, min, 1/1024, 1/32768 ... (s, ticks), of all time columns; "
            "default: as found."
        ),
    ] = None,
    activity: Annotated[
        Text, typer.Option("--activity-column", help="Column that says what the person does.")
    ] = None,
    subject_column: Annotated[
        Text, typer.Option("--subject-column", help="Column of people: a recording for each.")
    ] = None,
    rate_hz: Annotated[
        float | None,
        typer.Option(
            "--rate",
            help="Rows of the file a second, for example 64, where there is no time column. "
            "(Where networks are costed, --rate is the time from one reading to the next.)",
        ),
    ] = None,
    acc_file: Annotated[
        Text, typer.Option("--acc-csv", help="File of the acceleration if it has its own.")
    ] = None,
    acc_rate_hz: Annotated[
        float | None, typer.Option("--acc-rate", help="Its rows a second, without a time column.")
    ] = None,
    acc_per_g: Annotated[
        float | None,
        typer.Option(
            help="Values per g; 9.80665 for m/s2, 64 for counts of 1/64 g; default: as found."
        ),
    ] = None,
    hr_file: Annotated[
        Text,
        typer.Option("--hr-csv", help="File of the reference, of any form, if it has its own."),
    ] = None,
    hr_time: Annotated[
        Text,
        typer.Option("--hr-time-column", help="Its column of the time; default: --time-column."),
    ] = None,
    hr_rate_hz: Annotated[
        float | None, typer.Option("--hr-rate", help="Its rows a second, without a time column.")
    ] = None,
    hr_is: Annotated[
        Text,
        typer.Option(
            help="instant (the default: a rate at a time, averaged over 8 s) or window (the "
            "mean of the 8 s from a time)."
        ),
    ] = None,
    subject: Annotated[Text, typer.Option(help="Who; default: the file's name.")] = None,
    dataset: Annotated[Text, typer.Option(help="Name of your data set; default: own.")] = None,
) -> None:
    """What they are, for their names, kinds and helps."""


def reads_a_file(function: Callable[..., None]) -> Callable[..., None]:
    """A verb with these options, of which its argument `given` has those that were given."""
    added = inspect.signature(_options, eval_str=True).parameters

    @functools.wraps(function)
    def wrapped(*args: Any, **rest: Any) -> None:
        given = {name: rest.pop(name, None) for name in added}
        given = {name: value for name, value in given.items() if value is not None}
        for name in _LISTS & given.keys():
            given[name] = listed(name, given[name], DataError, example="ax,ay,az")
        function(*args, given=given, **rest)

    # get_type_hints of Python 3.10 makes an Optional of what is None, and typer sees no option.
    signature = inspect.signature(function, eval_str=True)
    kept = [p for name, p in signature.parameters.items() if name != "given"]
    parameters = [*kept, *added.values()]
    wrapped.__annotations__ = {p.name: p.annotation for p in parameters}
    vars(wrapped)["__signature__"] = signature.replace(parameters=parameters)
    return wrapped
