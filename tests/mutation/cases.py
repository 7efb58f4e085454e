"""Which verbs read which document, and what one case is."""

from __future__ import annotations

import os
import random
import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.mutation.damage import damage

ODD_NAMES = (
    os.fsdecode(b"\xff\xfe"), "a b", "-x", "a\nb", "<b>&", "n\u00e4me", "x" * 200,
    "%s", "a:b", ".x", "'\"`$(id)`",
)  # fmt: skip

# Document -> command lines that read it, by how often each is drawn. {run}, {model}, ... stand
# for the damaged copy, {world} for what is whole, {out} for where a verb may write.
_MODEL = (
    (6, "score {it}"),
    (2, "score {it} --board nrf5340 --json"),
    (2, "score {it} --engine tflm-cmsis-nn"),
    (3, "predict {it} {world}/people/synthetic/s3p00.npz --out {out}/t.csv --plot {out}/t.html"),
    (2, "predict {it} {world}/people/synthetic/s3p01.npz --json"),
    (1, "evaluate {it} --data {world}/people --json"),
    (1, "evaluate {it} --data {world}/people --file c"),
    (2, "export {it} --format tflite,onnx,c --out {out}"),
    (3, "export {it} --format c --out {out} --ppg-hz 50 --smoothing clip"),
    (2, "calibrate --anchor {it}=5ms --out {out}/e.toml"),
    (1, "personalize {it} --recording {world}/people/synthetic/s3p00.npz --minutes 1 --json"),
    (1, "export {it} --format c --out {out} --adapt low-rank --force"),
    (0.12, "verify {it} --windows 2"),
)
_FOREIGN = (
    (6, "score {it}"),
    (3, "score {it} --board nrf5340 --engine tflm-cmsis-nn --json"),
    (1, "score {it} --engine st-edge-ai"),
    (3, "export {it} --format c --out {out}"),
    (1, "export {it} --format tflite,onnx,c --out {out}"),
    (1, "predict {it} {world}/people/synthetic/s3p00.npz"),
    (2, "calibrate --anchor {it}=5ms --out {out}/e.toml --engine tflm-cmsis-nn"),
    (0.3, "verify {it} --windows 2"),
)
_FINALIST = tuple((share, line.replace("{it}", "{it}:1")) for share, line in _MODEL)
_RUN = (
    (3, "report {it}"),
    (3, "rescore {it} --board nrf5340 --json"),
    (2, "rescore {it} --board stm32f767 --engine st-edge-ai --out {out}/page.html"),
    (3, "search --out {it} --resume"),
    (1, "search --out {it} --resume --json"),
    (0.3, "bench search {it} --page {out}/page.md --json"),
)
_DATA = (
    (3, "data inspect {it}"),
    (1, "data inspect {it} --each"),
    (1, "data inspect {it} --json"),
    (3, "data convert {it} {out}/npz"),
    (1, "evaluate {world}/run:1 --data {it}"),
    (1, "train {world}/arch.json --data {it} --out {out}/net --effort smoke"),
    (1, "search --budget 80KB --space tiny --trials 8 --finalists 1 --data {it} --out {out}/run"),
    (1, "bench records loso --data {it} --network baseline:spectral-peak --out {out}/records"),
    (1, "bench personalize {world}/run:1 --data {it} --minutes 1 --out {out}/wearers"),
)
_BOARD = (
    (4, "boards check {it}"),
    (2, "boards check {it} --json"),
    (3, "boards show {it}"),
    (1, "boards show {it} --json"),
    (4, "score {world}/model.tflite --board {it}"),
    (2, "rescore {world}/run --board {it} --out {out}/page.html"),
    (1, "search --budget 80KB --space tiny --trials 8 --finalists 1 --data {world}/people "
        "--board {it} --out {out}/run"),
)  # fmt: skip
_ENGINE = (
    (4, "score {world}/model.tflite --board stm32f767 --engine {it}"),
    (2, "score {world}/run:1 --board stm32f767 --engine {it} --json"),
    (2, "rescore {world}/run --board stm32f767 --engine {it} --out {out}/page.html"),
    (1, "calibrate --anchor {world}/graph.json=5ms --board stm32f767 --engine {it} "
        "--out {out}/e.toml"),
)  # fmt: skip
_CSV = "data convert {it} {out}/npz --ppg-column green --time-column t"
_OWN = (
    (3, f"{_CSV} --acc-columns ax,ay,az --hr-column hr"),
    (1, f"{_CSV} --acc-columns ax,ay,az"),
    (1, f"{_CSV} --hr-column hr --hr-is window"),
    (1, "data convert {it} {out}/npz --ppg-column green --rate 25"),
)
_FORMS = (
    (3, "data convert {file} {out}/npz"),
    (2, "data convert {file} {out}/npz --lag 1"),
    (2, "data inspect {file} --json"),
    (1, "predict {world}/run:1 {file}"),
    (2, "data convert {world}/own.csv {out}/npz --hr-csv {file}"),
)
_MAPPING = (
    (3, "data convert {it} {out}/npz"),
    (1, "data inspect {it}"),
    (1, "predict {world}/run:1 {it} --recording own"),
)
_SPACE = (
    (1, "search --budget 80KB --trials 8 --finalists 1 --data {world}/people --space {it} "
        "--out {out}/run"),
)  # fmt: skip
_RECIPE = (
    (1, "train {world}/arch.json --data {world}/people --recipe {it} --out {out}/net"),
)  # fmt: skip
_SPLIT = (
    (1, "search --budget 80KB --trials 8 --finalists 1 --space tiny --data {world}/people "
        "--split {it} --out {out}/run"),
    (1, "train {world}/arch.json --data {world}/people --split {it} --out {out}/net"),
)  # fmt: skip
_ARCH = (
    (4, "score {it}"),
    (1, "score {it} --engine tflm-cmsis-nn --json"),
    (1, "train {it} --data {world}/people --out {out}/net --effort smoke"),
    (1, "train {it} --data {world}/people --out {out}/net --effort smoke --mode streaming"),
    (1, "calibrate --anchor {it}=5ms --out {out}/e.toml"),
)  # fmt: skip
_GRAPH = (_ARCH[0], _ARCH[1], _ARCH[3])
_TEACHER = ((1, "train {world}/arch.json --data {world}/people --out {out}/net --teacher {it}"),)
_FOREIGN_TEACHER = (
    (1, "train {world}/arch.json --data {world}/people --out {out}/net "
        "--teacher {it}/model.onnx"),
)  # fmt: skip
_TIMINGS = ((1, "calibrate {it} --out {out}/e.toml"), (1, "calibrate {it} --json --board nrf5340 "
             "--out {out}/e.toml"))  # fmt: skip
_RECORDS = (
    (1, "bench records loso --data {world}/people --network baseline:spectral-peak --out {it} "
        "--page {out}/page.md"),
)  # fmt: skip
_RANKING = (
    (1, "bench ranking --data {world}/people --space tiny --networks 16 --effort smoke "
        "--out {it} --page {out}/page.md"),
)  # fmt: skip
_LABELS = (
    (1, "bench labels --data {world}/people --effort smoke --seeds 0 --minutes 1 --out {it} "
        "--page {out}/page.md"),
)  # fmt: skip
_WEARERS = (
    (1, "bench personalize {world}/run:1 --data {world}/people --minutes 1 --out {it} "
        "--page {out}/page.md"),
)  # fmt: skip
_PRETRAIN = "--data {world}/people --steps 2 --batch 4 --held-out-hours 0.004 --device cpu"
_EMBED = "--recording {world}/people/synthetic/s3p00.npz"
_ENCODER = (
    (3, f"embed {{it}} {_EMBED} --json"),
    (1, f"embed {{it}} {_EMBED} --out {{out}}/e.csv"),
    (1, f"pretrain acc {_PRETRAIN} --shards {{out}}/s --teacher {{it}} --out {{out}}/a"),
)
_COMPACT = (*_ENCODER[:2], (2, "export {it} --format tflite,onnx,c --out {out}"))
_SEGMENTS = ((1, f"pretrain ppg {_PRETRAIN} --shards {{it}} --out {{out}}/p.safetensors"),)
_FETCH = ((1, "data fetch ppg_dalia --from {it} --out {out}/set"),)

Lines = tuple[tuple[float, str], ...]
# Share, what is copied, the file in it that is damaged, the verbs.
DOCUMENTS: tuple[tuple[float, str, str, Lines], ...] = (
    (6, "run", "front/1/card.json", _FINALIST + _RUN),
    (5, "run", "front/1/graph.json", _FINALIST + _RUN[:3]),
    (2, "run", "front/1/arch.json", _FINALIST + _RUN[:4]),
    (3, "run", "front/1/weights.safetensors", _FINALIST),
    (2, "run", "front/1/predictions.csv", _RUN),
    (1, "run", "front/1/model.tflite", _FINALIST),
    (0.5, "run", "front/1/model.onnx", _FINALIST),
    (0.5, "run", "front/1/model.c", _FINALIST),
    (1, "run", "front/1/stretches.json", _RUN[:1]),
    (1, "run", "baselines.json", _RUN),
    (4, "run", "candidates.json", _RUN),
    (4, "run", "run.toml", _RUN + _FINALIST[:8]),
    (2, "unfinished", "study.journal", (_RUN[3],)),
    (1, "unfinished", "run.toml", (_RUN[3],)),
    (0.5, "unfinished", "front/1/card.json", (_RUN[3],)),
    (0.5, "unfinished", "", (_RUN[3],)),
    (5, "model.tflite", "", _MODEL),
    (8, "foreign", "", _FOREIGN),
    (3, "arch.json", "", _ARCH),
    (3, "graph.json", "", _GRAPH),
    (4, "board.toml", "", _BOARD),
    (1, "template.toml", "", _BOARD),
    (4, "engine.toml", "", _ENGINE),
    (2, "fitted.toml", "", _ENGINE),
    (2, "space.toml", "", _SPACE),
    (2, "recipe.toml", "", _RECIPE),
    (2, "split.json", "", _SPLIT),
    (2, "teacher.safetensors", "", _TEACHER),
    (1, "taught", "model.onnx", _FOREIGN_TEACHER),
    (1, "taught", "model.toml", _FOREIGN_TEACHER),
    (2, "ppg.safetensors", "", _ENCODER),
    (2, "compact", "encoder.json", _COMPACT),
    (1, "compact", "", _COMPACT),
    (1, "segments", "", _SEGMENTS),
    (2, "networks.csv", "", _TIMINGS),
    (2, "layers.csv", "", _TIMINGS),
    (4, "own.csv", "", _OWN),
    (8, "forms", "", _FORMS),
    (2, "study", "recordings.toml", _MAPPING),
    (1, "study", "own.csv", (*_MAPPING, (1, "data convert {it} {out}/x.toml --guess"))),
    (8, "people", "synthetic/s3p02.npz", (*_DATA, (3, "predict {world}/run:1 {file}"))),
    (1, "wesad", "WESAD/S2/S2.pkl", _DATA[:3]),
    (1, "dalia", "PPG_FieldStudy/S1/S1.pkl", _DATA[:3]),
    (1, "spc", "Training_data/DATA_01_TYPE01.mat", _DATA[:3]),
    (1, "bami", "BAMI-1/BAMI1_6.mat", _DATA[:3]),
    (1, "bidmc", "bidmc_csv/bidmc_01_Signals.csv", _DATA[:3]),
    (1, "bidmc", "bidmc_csv/bidmc_01_Numerics.csv", _DATA[:3]),
    (1, "welltory", "subject_07/PPG.csv", _DATA[:3]),
    (1, "welltory", "subject_07/RR.txt", _DATA[:3]),
    (1, "records", "", _RECORDS),
    (1, "ranking", "", _RANKING),
    (1, "labels", "", _LABELS),
    (1, "wearers", "", _WEARERS),
    (1, "dalia.zip", "", _FETCH),
)


@dataclass(frozen=True)
class Case:
    """One damaged document and the command that reads it.

    Attributes:
        document: its kind, as counted.
        way: how it was damaged.
        damaged: the file.
        arguments: of the command line.
        may_change: folders and files that the command may write.
    """

    document: str
    way: str
    damaged: Path
    arguments: list[str]
    may_change: tuple[Path, ...]


def make_case(world: Path, folder: Path, *, seed: int, number: int) -> Case:
    """Write a case's document into an empty folder; the same for the same numbers."""
    rng = random.Random(f"{seed}/{number}")
    shares = [share for share, *_ in DOCUMENTS]
    ((_, source, inner, lines),) = rng.choices(DOCUMENTS, shares)
    it, out = folder / source, folder / "out"
    out.mkdir()
    if source == "foreign":  # each stands alone
        file = it / rng.choice(sorted(path.name for path in (world / source).iterdir()))
        it.mkdir()
        shutil.copyfile(world / source / file.name, file)
    elif (world / source).is_dir():
        shutil.copytree(world / source, it, copy_function=shutil.copyfile)
        files = sorted(file for file in it.rglob("*") if file.is_file())
        file = it / inner if inner else rng.choice(files)
    else:
        shutil.copyfile(world / source, it)
        file = it
    way, content = damage(rng, file.read_bytes(), file.suffix)
    file.write_bytes(content)
    ((_, line),) = rng.choices(lines, [share for share, _ in lines])
    if source == "foreign":
        it = file
    elif rng.random() < 0.06:  # a name that is no word
        odd = it.with_name(rng.choice(ODD_NAMES) + it.suffix)
        file, it = odd / file.relative_to(it), it.rename(odd)
        way = f"{way} of {odd.name!a}"
    values = {"it": it, "world": world, "out": out, "file": file}
    arguments = [word.format(**values) for word in line.split()]
    name = f"{source}/{inner}" if inner else source
    may_change = [out]
    if arguments[0] == "report":
        may_change.append(it / "report.html")
    if arguments[0] == "rescore" and "--out" not in arguments:
        may_change += [it / f"rescore-{arguments[3]}.html"]
    if "--shards" in arguments and arguments[arguments.index("--shards") + 1] == str(it):
        may_change.append(it)
    if "--out" in arguments and arguments[arguments.index("--out") + 1] == str(it):
        may_change.append(it)
    return Case(name, way, file, arguments, tuple(may_change))
