"""Arguments and options that several verbs share."""

from __future__ import annotations

from typing import Annotated

import typer

ANY_NETWORK = (
    "NAME timeppg-small, kd-pulse-student, mobilenet-1d, tiny, small, medium or large (these four "
    "also with -ppg: no acceleration, and with -4s: pools over the newest 4 s)."
)
Text = str | None

AsJson = Annotated[
    bool,
    typer.Option(
        "--json", help="Print one JSON document on stdout; everything else goes to stderr."
    ),
]
Run = Annotated[str, typer.Argument(metavar="RUN", help="Run directory.")]
Weights = Annotated[
    str,
    typer.Argument(
        metavar="MODEL", help="RUN:ID (a finalist), a folder of `ppgnas train`, or a .tflite file."
    ),
]
BoardName = Annotated[str, typer.Option(help="Board by name or .toml.")]
EngineName = Annotated[str, typer.Option(help="Runtime by name.")]
Data = Annotated[str, typer.Option(help="Folder of recordings, or synthetic.")]
ReportData = Annotated[
    Text, typer.Option(help="Folder of the report people; default: drawn from --data.")
]
ReportFrom = Annotated[
    Text, typer.Option(help="Data set (top folder) that the report people are drawn from.")
]
Split = Annotated[Text, typer.Option(help="JSON file with the lists train, search and report.")]
EFFORT_HELP = "Training time: smoke (tries the path), quick, standard, thorough."
Effort = Annotated[str, typer.Option(help=EFFORT_HELP)]
TEACHERS = (
    "auto, a name of `ppgnas teachers list` (with -ppg: no acceleration), a .safetensors or .onnx "
    "file, or ensemble:A,B,C."
)
Teacher = Annotated[str, typer.Option(help=f"none, {TEACHERS}")]
Unlabelled = Annotated[
    Text,
    typer.Option(
        help="Folder of recordings that a teacher alone labels, without a reference; see "
        "docs/distillation.md."
    ),
]
Distill = Annotated[
    Text,
    typer.Option(
        help="What a student learns from beside its labels: terms with weights, for example "
        "soft:1,dkd@k=3:0.5; none; or auto (default). See docs/distillation.md."
    ),
]
RECIPE_HELP = (
    "born-again, direct, post-training, progressive, prune-60, prune-70 or a .toml of stages."
)
Recipe = Annotated[str, typer.Option(help=f"Stages of the training: {RECIPE_HELP}")]
StudentInputs = Annotated[
    Text,
    typer.Option(
        help="What a network reads: ppg, or ppg+acc (acceleration beside it). See docs/sensors.md."
    ),
]
TeacherInputs = Annotated[
    Text,
    typer.Option(
        help="What its teacher reads; default: as the networks. With ppg+acc a network that reads "
        "PPG alone learns from one that sees the movement."
    ),
]
MODE_HELP = (
    "window: networks read a window anew every stride. streaming: they run over what is new and "
    "keep what they need of the past; see docs/streaming.md."
)
Mode = Annotated[str, typer.Option(help=MODE_HELP)]
ModelMode = Annotated[Text, typer.Option("--mode", help=f"Default: the model's own. {MODE_HELP}")]
WINDOW_HELP = "Window that a network reads, 4s to 16s"
Window = Annotated[
    Text,
    typer.Option(help=f"{WINDOW_HELP}; default 8s, or the network's own. See docs/windows.md."),
]
Stride = Annotated[
    Text, typer.Option(help="From one window, and one reading, to the next, 1s to 4s; default 2s.")
]
Bpm = Annotated[
    Text,
    typer.Option(help="Heart rates that a network can answer with, 1 BPM apart; default 30-209."),
]
Device = Annotated[
    str, typer.Option(help="What trains: auto (a GPU if there is one), cpu or cuda.")
]
Smoothing = Annotated[
    str,
    typer.Option(
        help="hmm (hidden-Markov smoother, default), clip (within 10 % of the mean of the last "
        "ten readings, as published networks are reported) or none."
    ),
]
BudgetScope = Annotated[
    Text,
    typer.Option(
        help="What is counted. total (default): the network with its code and runtime, and the "
        "path around it, sensors in the power; network: without that path; model: as network, "
        "and of the flash the weights alone."
    ),
]
Rate = Annotated[
    Text,
    typer.Option(
        "--rate",
        "--period",
        help="Time from one reading to the next, for example 4s; default: as the run, else the "
        "network's stride. (Where recordings are read, --rate is of the rows of a file.)",
    ),
]
PpgHz = Annotated[
    float | None,
    typer.Option(help="Rate of the PPG sensor in Hz; default: what the network reads."),
]
AccHz = Annotated[
    float | None, typer.Option(help="Rate of the accelerometer in Hz; default: as above.")
]
PpgChannels = Annotated[
    int | None, typer.Option(help="Channels of the PPG sensor, 1 to 3; default 1.")
]
PathSmoothing = Annotated[
    Text, typer.Option("--smoothing", help="Of the readings: hmm (default), clip or none.")
]
PpgSensor = Annotated[
    Text,
    typer.Option(
        help="What the PPG sensor draws, LEDs included, for example 150uW; default: by rate."
    ),
]
Accelerometer = Annotated[
    Text, typer.Option(help="What the accelerometer draws, for example 12uW; default: by rate.")
]
Channels = Annotated[
    Text,
    typer.Option(
        help="PPG channels to use, numbers from 1 with commas; a minus turns one over: 1,-3."
    ),
]
MarkdownOut = Annotated[str, typer.Option(help="Markdown file to write.")]
Page = Annotated[Text, typer.Option(help="Write a Markdown page to this file.")]
CsvOut = Annotated[Text, typer.Option("--out", help="CSV file to write; default: stdout.")]
RecordingName = Annotated[Text, typer.Option("--name", help="Which recording of a folder.")]
Seed = Annotated[int, typer.Option(help="Decides everything that is drawn.")]
SPACE_HELP = "default, tiny, wide, or a .toml file."
Space = Annotated[str, typer.Option(help=SPACE_HELP)]
Sources = Annotated[
    list[str],
    typer.Option("--data", help="Folder of recordings, or synthetic; may be given several times."),
]
PretrainSeed = Annotated[
    int, typer.Option("--seed", help="Decides who is held out and everything that is drawn.")
]
HeldOut = Annotated[
    float, typer.Option(help="Hours of whole people that must be held out, at least.")
]
