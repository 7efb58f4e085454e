"""Windows that the files of a model are compared on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nas.models.names import Model, ModelError
from nas.run.config import SYNTHETIC
from ppgnas.errors import DataError
from ppgnas.task import Mode

if TYPE_CHECKING:
    from deploy.integers.quantized import QuantizedNet
    from ppg.recording import Recording
    from ppg.windows import InputSpec

Int8 = NDArray[np.int8]
_NOISE = "noise (the input is no PPG window)"


@dataclass(frozen=True)
class Windows:
    """What the files are compared on.

    Attributes:
        x: int8 `(windows, 1, time, channels)`.
        signal: int8 `(time, channels)`, whole blocks, what a streaming network is pushed; None for
            windows.
    """

    x: Int8
    source: str
    signal: Int8 | None = None


def stream_for(model: Model, net: QuantizedNet, *, data: str | None, limit: int) -> Windows:
    """One recording as a streaming network reads it, and the windows in it.

    Args:
        data: see `windows_for`; the longest recording of it.
        limit: how many readings, from the start on.

    Raises:
        DataError, ModelError: see `windows_for`.
    """
    if data is None and not _reads_windows(model):
        shape = net.graph.shape(net.graph.input)
        count = net.graph.task.blocks
        blocks = np.random.default_rng(0).integers(
            -128, 128, (limit + count - 1, shape[2] // count, shape[3])
        )
        return _in_blocks(net, blocks.astype(np.int8), _NOISE)
    return _first(model, data, lambda source: _signal(net, model.inputs, source, limit))


def _signal(net: QuantizedNet, inputs: InputSpec, source: str, limit: int) -> Windows:
    from ppg.windows import every_window, windows_of

    recording = max(_recordings(inputs, source), key=lambda r: r.duration_s)
    passes = windows_of([every_window(recording, inputs.task)], inputs, mode="streaming").passes
    assert passes is not None
    signal = net.quantize_signal(max(passes.x, key=lambda x: x.shape[1]))
    count = net.graph.task.blocks
    hop = net.graph.shape(net.graph.input)[2] // count
    blocks = signal[: (limit + count - 1) * hop].reshape(-1, hop, signal.shape[1])
    return _in_blocks(net, blocks, source)


def _in_blocks(net: QuantizedNet, blocks: Int8, source: str) -> Windows:
    count = net.graph.task.blocks
    at = np.arange(len(blocks) - count + 1)[:, None] + np.arange(count)
    shape = net.graph.shape(net.graph.input)[1:]
    signal = blocks.reshape(-1, blocks.shape[2])
    return Windows(blocks[at].reshape(-1, *shape), source, signal)


def compared_on(
    model: Model, net: QuantizedNet, *, data: str | None, limit: int, mode: Mode | None = None
) -> Windows:
    """`windows_for`, or `stream_for` in mode streaming; in the model's own unless given."""
    cut = stream_for if (mode or model.mode) == "streaming" else windows_for
    return cut(model, net, data=data, limit=limit)


def windows_for(model: Model, net: QuantizedNet, *, data: str | None, limit: int) -> Windows:
    """Real windows where there are any: of `data`, else of the run's own recordings.

    Args:
        data: a folder of recordings or `synthetic`; None for the run's own.
        limit: how many, spread over the recordings.

    Raises:
        DataError: the folder cannot be used.
        ModelError: `data` is given and the network does not read heart-rate windows.
    """
    if data is None and not _reads_windows(model):
        rng = np.random.default_rng(0)
        return Windows(rng.integers(-128, 128, (limit, *net.graph.window)).astype(np.int8), _NOISE)
    return _first(
        model, data, lambda source: Windows(_cut(net, model.inputs, source, limit), source)
    )


def _reads_windows(model: Model) -> bool:
    try:
        return model.inputs is not None
    except ModelError:
        return False


def _first(model: Model, data: str | None, cut: Callable[[str], Windows]) -> Windows:
    """From `data`, from the run's recordings where those can be used, from synthetic ones."""
    source = data
    if source is None and model.run is not None:
        source = model.run.document().config.data
    if source is not None:
        try:
            return cut(source)
        except DataError:
            if data is not None:
                raise
    return cut(SYNTHETIC)


def _recordings(inputs: InputSpec, source: str) -> list[Recording]:
    from nas.run.people import read_source
    from ppg.synthetic.recordings import synthesize

    if source == SYNTHETIC:
        recordings = synthesize(people=3, minutes=2.0, seed=1)
    else:
        recordings = read_source(source, seed=1)
    if inputs.acceleration:
        recordings = [r for r in recordings if r.acc is not None]
    if not recordings:
        raise DataError(f"{source}: no recording has acceleration, and this network reads it")
    return recordings


def _cut(net: QuantizedNet, inputs: InputSpec, source: str, limit: int) -> Int8:
    from ppg.references import at_task
    from ppg.windows import every_window, windows_of

    recordings = _recordings(inputs, source)
    task = inputs.task
    cut = (at_task(r, task) for r in recordings)
    recordings = [r if r.usable.any() else every_window(r, task) for r in cut]
    # Enough recordings for the windows asked for, spread over all of them.
    few = max(1, min(len(recordings), limit))
    chosen = [recordings[i] for i in np.linspace(0, len(recordings) - 1, few).astype(int)]
    return net.quantize_input(windows_of(chosen, inputs).spread(limit))
