"""From raw samples to a heart rate in one model.c: equal to the rules, step by step."""

from __future__ import annotations

import subprocess
from ctypes import CDLL, byref, c_uint32, c_uint64, c_void_p, create_string_buffer
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from deploy.c.build import model_texts
from deploy.c.host import defined
from deploy.c.project import project
from deploy.c.reading import SensorChain, reading_texts
from deploy.c.source import generate, header
from deploy.device.decoder import Decoder
from deploy.device.front_end_c import front_end_c
from deploy.device.normalising import normaliser
from deploy.device.rule import normalise, stream_windows
from deploy.device.settings import FrontEnd
from deploy.device.smoothing import smoother
from deploy.emulation.host import HostCompiler
from deploy.fuzz.random_net import random_net
from deploy.integers import reference
from deploy.integers.quantized import QuantizedNet
from ppgnas.errors import ExportError
from ppgnas.task import TASK, Mode, Task
from search_spaces.arch import Arch
from search_spaces.lower import lower
from search_spaces.space import SearchSpace
from tests.deploy.device.c_device import NOT_RESET, OUT_OF_STEP, FrontEndC, ReadingC
from tests.deploy.shared import build_shared

SHORT, LONG = Task(4, 1, 40, 199), Task(12, 4, 40, 199)


def network(*, acceleration: bool, rate_hz: int, task: Task = TASK) -> tuple[Arch, QuantizedNet]:
    space = SearchSpace.preset("default").at_tasks([task])
    choices = space.choices_of(space.smallest())
    arch = space.build({**choices, "acceleration": acceleration, "rate_hz": rate_hz})
    return arch, random_net(lower(arch), 1)


def around(net: QuantizedNet, front_end: FrontEnd, smoothing: str) -> SensorChain:
    task = net.graph.task
    by = smoother(5.0, jump=1e-6, floor=2e-3, exponent=1.0, classes=task.classes)
    scale = net.activations[net.graph.output][0]
    decoder = Decoder(scale, smoothing, by if smoothing == "hmm" else None, task=task)
    return SensorChain(front_end, decoder)


@pytest.mark.parametrize(
    ("acceleration", "rate_hz", "smoothing", "task"),
    [
        (True, 32, "hmm", TASK),
        (False, 16, "clip", TASK),
        (True, 16, "none", TASK),
        (True, 16, "hmm", SHORT),
        (False, 64, "hmm", LONG),
    ],
)
def test_raw_samples_to_readings(
    acceleration: bool,
    rate_hz: int,
    smoothing: str,
    task: Task,
    tmp_path: Path,
    host: HostCompiler,
) -> None:
    _, net = network(acceleration=acceleration, rate_hz=rate_hz, task=task)
    acc_hz = Fraction(32) if acceleration else None
    front_end = FrontEnd(
        Fraction(64), acc_hz, rate_hz, ppg_channels=2, counts_per_g=2048, task=task
    )
    reading = around(net, front_end, smoothing)
    made = generate(net)
    source, head = model_texts(net, made, reading)
    (tmp_path / "model.c").write_text(source, encoding="utf-8")
    (tmp_path / "model.h").write_text(head, encoding="utf-8")
    sources, out = [tmp_path / "model.c"], tmp_path / "model.so"
    library = CDLL(str(build_shared(host, sources, out, include=[tmp_path], flags=["-O0"])))
    sizes = reading_texts(net, made, header(net, made), reading)
    assert defined(head, "PPG_MEMORY_BYTES") == sizes.memory_bytes

    rng = np.random.default_rng(3)
    seconds = task.window_s + 6 * task.stride_s
    t = np.arange(64 * seconds) / 64
    pulse = 4000 * np.sin(2 * np.pi * 1.4 * t)[:, None] + rng.normal(0, 200, (len(t), 2))
    ppg = np.asarray(90_000 + pulse, np.int32)
    acc = rng.integers(-3000, 3000, (32 * seconds, 3)).astype(np.int16) if acceleration else None
    scale, zero_point = net.activations[net.graph.input]
    part = front_end_c(front_end, scale=scale, zero_point=zero_point)
    windows = FrontEndC(front_end, library, part).windows(ppg, acc)
    expected = stream_windows(front_end, ppg, acc)
    x = normalise(
        expected, normaliser(front_end, scale=scale, zero_point=zero_point), ppg_channels=2
    )
    assert len(windows) == len(x) >= 5
    logits = reference.run(net, x[:, None], rule="c")
    steps = np.r_[0, np.ones(len(x) - 1, np.int64)]
    raw, smoothed = reading.decoder.read(logits, steps)

    memory = (c_uint64 * (sizes.memory_bytes // 8))()
    state = create_string_buffer(sizes.state_bytes[1])
    library.ppg_smoother_reset(state)
    for number, window in enumerate(windows):
        seen = ReadingC(), ReadingC()
        words = np.ascontiguousarray(window)
        status = library.ppg_predict(
            c_void_p(words.ctypes.data),
            c_uint32(int(steps[number])),
            memory,
            state,
            *map(byref, seen),
        )
        assert status == 0
        for found, rule in zip(seen, (raw, smoothed), strict=True):
            for field in ("bpm_q8", "spread_q8", "confidence_q15", "error_q8"):
                assert getattr(found, field) == getattr(rule, field)[number], field


def test_what_does_not_fit_is_refused() -> None:
    _, net = network(acceleration=True, rate_hz=32)
    made = generate(net)
    for wrong in (
        FrontEnd(Fraction(64), None, 32),
        FrontEnd(Fraction(64), Fraction(32), 16),
    ):
        with pytest.raises(ExportError, match=r"the network reads \(1, 256, 4\)"):
            model_texts(net, made, around(net, wrong, "none"))


@pytest.mark.parametrize(
    ("acceleration", "mode", "task"),
    [
        (True, "window", TASK),
        (False, "window", TASK),
        (True, "streaming", TASK),
        (True, "window", LONG),
        (True, "streaming", SHORT),
    ],
)
def test_the_vectors_of_the_whole_path(
    acceleration: bool, mode: Mode, task: Task, tmp_path: Path, host: HostCompiler
) -> None:
    """Two minutes of samples give every window, all logits and every reading of the rules."""
    _, net = network(acceleration=acceleration, rate_hz=16, task=task)
    acc_hz = Fraction(24_999, 998) if acceleration else None  # beside many samples of the PPG
    end = FrontEnd(Fraction(49_999, 999), acc_hz, 16, ppg_channels=1, mode=mode, task=task)
    window = np.zeros(net.graph.shape(net.graph.input)[1:], np.int8)
    reading = around(net, end, "hmm")
    made = project(net, window, title="a network", reading=reading, prefix="own", mode=mode)
    names = {name: tmp_path / Path(name).name for name in made.texts if "zephyr" not in name}
    for name, path in names.items():
        path.write_text(made.texts[name])
    # The last window is due at 120 s, and the acceleration ends before.
    rows = made.texts["example/path.h"].count("{0x")
    due = (120 - task.window_s) // task.stride_s
    assert rows == due + (not acceleration) + 3 * (mode == "streaming")
    assert f"then every {task.stride_s} s;" in made.texts["own_model.h"]

    def passes() -> bool:
        sources = [tmp_path / "path.c", tmp_path / "own_model.c"]
        program = host.build_program(sources, tmp_path / "path", sanitize=False, optimise="-O0")
        return subprocess.run([program], capture_output=True).stdout == b"PASS\n"

    assert passes()
    if mode == "streaming" or task != TASK:
        return
    text = made.texts["example/path.h"]
    digit = text.rindex("{0x") + 3
    other = "1" if text[digit] == "0" else "0"
    (tmp_path / "path.h").write_text(text[:digit] + other + text[digit + 1 :])
    assert not passes()


@pytest.mark.parametrize(
    ("acceleration", "mode"), [(True, "window"), (False, "window"), (True, "streaming")]
)
def test_the_code_of_the_readme_compiles_and_reads(
    acceleration: bool, mode: Mode, tmp_path: Path, host: HostCompiler
) -> None:
    _, net = network(acceleration=acceleration, rate_hz=32)
    acc_hz = Fraction(32) if acceleration else None
    end = FrontEnd(Fraction(64), acc_hz, 32, ppg_channels=1, mode=mode)
    window = np.zeros(net.graph.shape(net.graph.input)[1:], np.int8)
    made = project(net, window, title="a network", reading=around(net, end, "hmm"), mode=mode)
    for name in ("model.c", "model.h"):
        (tmp_path / name).write_text(made.texts[name])
    for name, head in (("logits.c", "## Call"), ("sensors.c", "## From raw samples")):
        readme = made.texts["README.md"].split(head, 1)[1].split("\n## ", 1)[0]
        lines = [line[4:] for line in readme.splitlines() if line.startswith("    ") or not line]
        code = "\n".join(lines) + "\n"
        (tmp_path / name).write_text(code)
    assert ("acc" in code) == acceleration and "#if" not in code
    library = CDLL(
        str(
            build_shared(
                host,
                [tmp_path / name for name in ("model.c", "logits.c", "sensors.c")],
                tmp_path / "sensors.so",
                include=[tmp_path],
                flags=["-Wall", "-Wextra", "-Wconversion", "-Werror"],
            )
        )
    )
    raw, smoothed = ReadingC(), ReadingC()
    light = np.zeros(1, np.int32)

    def push(index: int, *, valid: bool = True) -> list[int]:
        light[0] = round(90_000 + 4000 * np.sin(2 * np.pi * 1.4 * index / 64))
        where = c_void_p(light.ctypes.data if valid else None)
        results = [library.sensors_ppg(where, byref(raw), byref(smoothed))]
        if acceleration and index % 2 == 0:
            axes = np.array([0, 0, 4096], np.int16)
            pointer = c_void_p(axes.ctypes.data)
            results.append(library.sensors_acc(pointer, byref(raw), byref(smoothed)))
        return results

    logits = create_string_buffer(net.graph.shape(net.graph.output)[-1])
    assert library.logits_of(window.ctypes.data_as(c_void_p), logits) == 0
    assert set(push(0)) == {NOT_RESET}
    library.sensors_start()
    found = []
    for index in range(64 * 20):
        if 1 in push(index, valid=not 64 * 9 <= index < 64 * 10):
            found.append((raw.invalid_steps, smoothed.invalid_steps))
            assert 30 <= raw.bpm_q8 / 256 <= 209
    assert [one for one, _ in found] == [two for _, two in found]
    assert [steps for steps, _ in found[:6]] == [0, 32, 32, 32, 32, 0]  # a second of 32 Hz
    results = {result for index in range(128) for result in push(index)[:1]}
    if acceleration:
        silent = {library.sensors_ppg(None, byref(raw), byref(smoothed)) for _ in range(192)}
        assert OUT_OF_STEP in silent
    assert results <= {0, 1}
