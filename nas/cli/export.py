"""The verb `export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nas.cli import options
from nas.cli.common import emit, note_idle, verb
from ppgnas.parsing import refuse_idle


@verb
def export(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="RUN:ID, a folder of `ppgnas train`, or of `ppgnas pretrain acc --size`, or a "
            ".tflite file.",
        ),
    ],
    formats: Annotated[
        str, typer.Option("--format", help="tflite, onnx, c, or several with a comma.")
    ] = "tflite",
    out: Annotated[str, typer.Option(help="Folder to write to.")] = ".",
    ppg_hz: Annotated[
        float | None, typer.Option(help="c: rate of the PPG sensor; default: the network's.")
    ] = None,
    acc_hz: Annotated[
        float | None, typer.Option(help="c: rate of the acceleration; default: the network's.")
    ] = None,
    ppg_channels: Annotated[int, typer.Option(help="c: channels of the PPG sensor, 1 to 3.")] = 1,
    counts_per_g: Annotated[
        int, typer.Option(help="c: counts of the acceleration sensor to 1 g.")
    ] = 4096,
    smoothing: Annotated[str, typer.Option(help="c: none, clip or hmm.")] = "hmm",
    fifo_s: Annotated[
        float,
        typer.Option(
            "--fifo",
            help="c: seconds of samples that a sensor's FIFO hands out at once, up to 3.",
        ),
    ] = 0.375,
    prefix: Annotated[
        str, typer.Option(help="c: of its names; two of them link into one image.")
    ] = "ppg",
    mode: options.ModelMode = None,
    adapt: Annotated[
        str | None,
        typer.Option(
            help="c: what the head can learn of its wearer on the device: bias, scale-bias, head "
            "or low-rank; see docs/personalisation.md."
        ),
    ] = None,
    adapt_minutes: Annotated[
        float | None,
        typer.Option(help="c: the longest calibration that --adapt has room for; default 5."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over files of before.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Hand out the files of a finalist, checked against the fingerprints in its card.

    c writes model.c and model.h (from raw samples of the sensors to a heart rate) with a README.md
    (memory map, how to call), an example project, and files for CMake, Zephyr, PlatformIO, Arduino
    and CMSIS packs.

    \b
    ppgnas export results/run:1 --format tflite,onnx --out firmware/
    ppgnas export results/run:1 --format c --out firmware/ --ppg-hz 64 --acc-hz 32
    ppgnas export results/run:2 --format c --out second/ --prefix second
    ppgnas export results/run:1 --format c --out firmware/ --mode streaming
    ppgnas export results/run:1 --format c --out firmware/ --adapt low-rank
    ppgnas export model.tflite --format c,onnx --out firmware/
    """
    from deploy.personal.example import adapting_asked
    from hwmodels.path import USUAL, shape_of
    from nas.encoders.export import export_encoder, is_encoder
    from nas.models.export import export_files
    from nas.models.foreign import export_foreign
    from nas.models.names import find_model
    from nas.models.signal_chain import Sensors
    from nas.run.windows import mode_of

    sensors = Sensors(ppg_hz, acc_hz, ppg_channels, counts_per_g, smoothing, fifo_s)
    of_readings = {"adapt": adapt, "adapt_minutes": adapt_minutes, "mode": mode, **sensors.stated}
    if is_encoder(Path(model)):
        refuse_idle(f"{model} is an encoder of whole segments", **of_readings)
        written = export_encoder(Path(model), formats, Path(out), prefix=prefix, force=force)
    elif (found := find_model(model)).file is not None:
        refuse_idle(f"{model} is a network alone", **of_readings)
        written = export_foreign(found, formats, Path(out), prefix=prefix, force=force)
    else:
        written = export_files(
            found,
            formats,
            Path(out),
            sensors=sensors,
            prefix=prefix,
            mode=None if mode is None else mode_of(mode),
            adapting=adapting_asked(adapt, adapt_minutes, found.graph.task),
            force=force,
        )
        if (path := shape_of(found.graph, USUAL)) and not path.acc_hz:
            said = {name: sensors.stated.get(name) for name in ("acc_hz", "counts_per_g")}
            note_idle(f"{model} reads PPG alone", **said)
    if as_json:
        emit({"files": [str(path) for path in written]})
    else:
        print("\n".join(str(path) for path in written))
