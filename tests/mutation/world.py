"""Every document that a verb reads, well-formed: what the mutator damages one of."""

from __future__ import annotations

import csv
import io
import json
import shutil
import zipfile
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

import nas.bench.distillation.worker
import nas.bench.ranking.measure
import nas.encoders.compact
import nas.search
from distill.teachers.files import description
from distill.teachers.resnet import ResNetShape, ResNetTeacher
from distill.training.checkpoint import save_checkpoint
from hwmodels.boards import load_board, template
from hwmodels.engines.load import engine_text, load_engine
from hwmodels.fit.calibrate import from_networks, raw_cycles, render
from hwmodels.graph import Graph
from nas.run.folder import RunDir
from ppg.augment.bank import PREPARATION
from ppg.loaders.forms import guess_mapping
from tests.distill.teachers.made import SAID
from tests.distill.teachers.made import write as write_foreign
from tests.nas.bench.distillation.made import FakeWorker
from tests.nas.bench.ranking.made import BenchTrainer
from tests.nas.fakes import FakeTrainer, few_drawn, write_people
from tests.ppg.loaders import upstream
from tests.ppg.loaders.devices import made

ROOT = Path(__file__).parents[2]
whole_search = nas.search.search


def fake_search(*given: Any, **named: Any) -> None:
    """A search whose trainings take no time; its page is that of `report`."""
    with few_drawn(page=False):
        whole_search(*given, make_trainer=FakeTrainer, **named)


def make_world(folder: Path) -> Path:
    """Write all documents; takes some seconds.

    Returns:
        `folder`.
    """
    folder.mkdir(parents=True)
    people = write_people(folder / "people")
    _run(folder, people)
    _hardware(folder)
    _csv(folder / "own.csv")
    (folder / "forms").mkdir()
    for write in made.WRITERS:
        write(folder / "forms")
    (folder / "study").mkdir()
    shutil.copy(folder / "own.csv", folder / "study" / "own.csv")
    text, _ = guess_mapping(folder / "study", say=lambda _: None)
    (folder / "study" / "recordings.toml").write_text(text)
    _teacher(folder / "teacher.safetensors")
    _encoders(folder, people)
    (folder / "taught").mkdir()
    write_foreign(folder / "taught" / "model.onnx", width=5)
    (folder / "taught" / "model.toml").write_text(SAID.format("embedding"), encoding="utf-8")
    upstream.write_wesad(folder / "wesad", 2)
    upstream.write_dalia(folder / "dalia", 1)
    upstream.write_spc(folder / "spc")
    upstream.write_bami(folder / "bami")
    upstream.write_bidmc(folder / "bidmc", 1)
    upstream.write_welltory(folder / "welltory")
    shutil.copytree(ROOT / "tests" / "deploy" / "tflite" / "files", folder / "foreign")
    (folder / "foreign" / "README.md").unlink()
    _archive(folder / "dalia.zip", folder / "dalia")
    return folder


def _call(line: str) -> None:
    from nas.cli.main import main

    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            main(line.split())
    except SystemExit as left:
        assert left.code == 0


def _run(folder: Path, people: Path) -> None:
    run = folder / "run"
    with mock.patch.object(nas.search, "search", fake_search):
        _call(
            f"search --budget 80KB --data {people} --space tiny --trials 12 --finalists 1 "
            f"--out {run}"
        )
    _call(
        f"bench records loso --data {people} --network baseline:spectral-peak "
        f"--out {folder / 'records'}"
    )
    with few_drawn(), mock.patch.object(nas.bench.ranking.measure, "Trainer", BenchTrainer):
        _call(
            f"bench ranking --data {people} --space tiny --networks 16 --effort smoke "
            f"--out {folder / 'ranking'}"
        )
    with mock.patch.object(nas.bench.distillation.worker, "Processes", lambda _: FakeWorker()):
        _call(
            f"bench labels --data {people} --effort smoke --seeds 0 --minutes 1 "
            f"--out {folder / 'labels'}"
        )
    _call(f"bench personalize {run}:1 --data {people} --minutes 1 --out {folder / 'wearers'}")
    unfinished = shutil.copytree(run, folder / "unfinished")
    document = RunDir(unfinished).document()
    RunDir(unfinished).write_document(replace(document, finished=None))
    split = [f"synthetic/s3p{number:02d}" for number in range(6)]
    _json(folder / "split.json", {"train": split[:3], "search": split[3:4], "report": split[4:]})
    for name in ("arch.json", "graph.json", "model.tflite"):
        (folder / name).write_bytes((run / "front" / "1" / name).read_bytes())


def _hardware(folder: Path) -> None:
    board_text = (ROOT / "hwmodels" / "boards" / "stm32f767.toml").read_bytes()
    (folder / "board.toml").write_bytes(board_text)
    (folder / "template.toml").write_text(template("mine"), encoding="utf-8")
    (folder / "engine.toml").write_text(
        engine_text("tflm-cmsis-nn", name_as="mine"), encoding="utf-8"
    )
    board, engine = load_board("stm32f767"), load_engine("tflm-cmsis-nn")
    graph = Graph.from_json(json.loads((folder / "graph.json").read_text(encoding="utf-8")))
    cycles = [1.3 * raw_cycles(graph, board, engine)]
    found = from_networks(["a"], [graph], cycles, board, engine)
    text = render(found, "tflm-cmsis-nn", name="fitted", source="a test")
    (folder / "fitted.toml").write_text(text, encoding="utf-8")
    space = (ROOT / "search_spaces" / "presets" / "tiny.toml").read_bytes()
    (folder / "space.toml").write_bytes(space)
    recipe = (ROOT / "distill" / "training" / "recipes" / "prune-70.toml").read_bytes()
    (folder / "recipe.toml").write_bytes(recipe)
    names = ("graph.json", "model.tflite", "published:tiny", "published:small")
    timed = [(name, f"{2 + i}.5") for i, name in enumerate(names)]
    _table(folder / "networks.csv", [("model", "latency_ms"), *timed])
    header = ("op", "in_shape", "out_shape", "kernel_w", "stride_w", "cycles")
    layers = [
        ("conv", f"1x1x16x{4 * i}", f"1x1x8x{8 * i}", "3", "2", str(5000 * i + i * i))
        for i in range(1, 10)
    ]
    _table(folder / "layers.csv", [header, *layers])


def _encoders(folder: Path, people: Path) -> None:
    """An encoder of PPG, a compact one that it taught, and their segments."""
    how = f"--data {people} --shards {folder / 'segments'} --steps 2 --batch 4"
    how = f"{how} --held-out-hours 0.004 --device cpu"
    ppg = folder / "ppg.safetensors"
    _call(f"pretrain ppg {how} --out {ppg}")
    with mock.patch.object(nas.encoders.compact, "_emulated", lambda *_, **__: (None, "a test")):
        _call(f"pretrain acc {how} --teacher {ppg} --size 2KB --out {folder / 'compact'}")


def _teacher(path: Path) -> None:
    teacher = ResNetTeacher(ResNetShape(4, 32, stem=8, widths=(8,), blocks=(1,)))
    identity = {"steps": 1, "people": ["synthetic/nobody"], **PREPARATION}
    save_checkpoint(path, teacher, step=1, identity=identity, **description(teacher))


def _csv(path: Path) -> None:
    hz, seconds = 25, 30
    time_s = np.arange(hz * seconds) / hz
    ppg, acc = upstream.pulse(hz, seconds=seconds), upstream.gravity(hz, seed=1, seconds=seconds)
    rows = [
        tuple(f"{value:.6g}" for value in (t, 500 + p, *a, 72 + 0.1 * t))
        for t, p, a in zip(time_s, ppg, acc, strict=True)
    ]
    _table(path, [("t", "green", "ax", "ay", "az", "hr"), *rows])


def _archive(path: Path, folder: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        for file in sorted(folder.rglob("*.pkl")):
            archive.write(file, f"PPG_FieldStudy/{file.relative_to(folder)}")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data.zip", inner.getvalue())


def _table(path: Path, rows: Sequence[tuple[str, ...]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows(rows)


def _json(path: Path, document: object) -> None:
    path.write_text(json.dumps(document), encoding="utf-8")
