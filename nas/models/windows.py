"""Windows that the files of a model are compared on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nas.models.names import Model, ModelError
from ppgnas.errors import DataError

if TYPE_CHECKING:
    from deploy.integers.quantized import QuantizedNet
    from ppg.windows import InputSpec

Int8 = NDArray[np.int8]
_SYNTHETIC = "synthetic"


@dataclass(frozen=True)
class Windows:
    """What the files are compared on.

    Attributes:
        x: int8 `(windows, 1, time, channels)`.
        source: where it comes from, in words.
    """

    x: Int8
    source: str


def windows_for(model: Model, net: QuantizedNet, *, data: str | None, limit: int) -> Windows:
    """Real windows where there are any: of `data`, else of the run's own recordings.

    Args:
        model, net: what will read them.
        data: a folder of recordings or `synthetic`; None for the run's own.
        limit: how many, spread over the recordings.

    Raises:
        DataError: the folder cannot be used.
        ModelError: `data` is given and the network does not read heart-rate windows.
    """
    try:
        inputs = model.inputs
    except ModelError:
        if data is not None:
            raise
        shape = net.graph.shape(net.graph.input)
        rng = np.random.default_rng(0)
        noise = rng.integers(-128, 128, (limit, *shape[1:])).astype(np.int8)
        return Windows(noise, "noise (the input is no PPG window)")
    source = data
    if source is None and model.run is not None:
        source = model.run.document().config.data
    if source is not None:
        try:
            return Windows(_cut(net, inputs, source, limit), source)
        except DataError:
            if data is not None:
                raise
    return Windows(_cut(net, inputs, _SYNTHETIC, limit), _SYNTHETIC)


def _cut(net: QuantizedNet, inputs: InputSpec, source: str, limit: int) -> Int8:
    from nas.run.people import read_source
    from ppg.synthetic.recordings import synthesize
    from ppg.windows import every_window, windows_of

    if source == _SYNTHETIC:
        recordings = synthesize(people=3, minutes=2.0, seed=1)
    else:
        recordings = read_source(source, seed=1)
    if inputs.acceleration:
        recordings = [r for r in recordings if r.acc is not None]
    if not recordings:
        raise DataError(f"{source}: no recording has acceleration, and this network reads it")
    recordings = [r if r.usable.any() else every_window(r) for r in recordings]
    # Enough recordings for the windows asked for, spread over all of them.
    few = max(1, min(len(recordings), limit))
    chosen = [recordings[i] for i in np.linspace(0, len(recordings) - 1, few).astype(int)]
    return net.quantize_input(windows_of(chosen, inputs).spread(limit))
