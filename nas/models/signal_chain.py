"""What stands around a network on the device: the user's sensors, and what its card says."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from nas.models.names import ModelError
from nas.models.readout import decoding_of
from nas.run.card import Card
from ppg.readout.confidence import Confidence
from ppg.readout.smoothing import SMOOTHINGS
from ppgnas.parsing import one_of
from ppgnas.task import Mode

if TYPE_CHECKING:
    from deploy.c.reading import SensorChain
    from deploy.integers.quantized import QuantizedNet


@dataclass(frozen=True)
class Sensors:
    """The sensors that the device has.

    Attributes:
        ppg_hz, acc_hz: their rates; None is the rate that the network reads.
        ppg_channels: 1 to 3.
        fifo_s: the longest stretch of samples that a sensor hands out at once.
    """

    ppg_hz: float | None = None
    acc_hz: float | None = None
    ppg_channels: int = 1
    counts_per_g: int = 4096
    smoothing: str = "hmm"
    fifo_s: float = 0.375

    def __post_init__(self) -> None:
        one_of("smoothing", self.smoothing, SMOOTHINGS, ModelError)

    @property
    def stated(self) -> dict[str, object]:
        """What is not as usual."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: value for name, value in values.items() if value != getattr(USUAL, name)}


USUAL = Sensors()


def reading_of(
    net: QuantizedNet, card: Card | None, sensors: Sensors, *, mode: Mode = "window"
) -> SensorChain:
    """Front end and decoder of a network.

    Args:
        net: reads `(1, 1, time, 1 or 4)`.
        card: of the network: smoother and confidence; the defaults where it says nothing.

    Raises:
        ExportError: a rate, a scale or a number of channels that the device's integers do not
            reach, or a network that reads no such window.
    """
    from deploy.c.reading import SensorChain
    from deploy.device.decoder import Decoder
    from deploy.device.decoding import Calibration, calibration_of
    from deploy.device.settings import FrontEnd, exact_hz, slack_of_fifo
    from deploy.device.smoothing import smoother_of

    _, _, steps, channels = net.graph.shape(net.graph.input)
    task = net.graph.task
    rate_hz = steps / task.window_s
    acceleration = channels > 1
    acc_hz = rate_hz if sensors.acc_hz is None else sensors.acc_hz
    front_end = FrontEnd(
        exact_hz(rate_hz if sensors.ppg_hz is None else sensors.ppg_hz, "ppg_hz"),
        exact_hz(acc_hz, "acc_hz") if acceleration else None,
        int(rate_hz),
        ppg_channels=sensors.ppg_channels,
        counts_per_g=sensors.counts_per_g,
        slack_s=slack_of_fifo(sensors.fifo_s),
        mode=mode,
        task=task,
    )
    decoding = decoding_of(card)

    def knots(table: Confidence | None) -> Calibration | None:
        return None if table is None else calibration_of(table.spread_bpm, table.error_bpm)

    by = smoother_of(decoding.transitions, task) if sensors.smoothing == "hmm" else None
    raw = knots(decoding.raw)
    decoder = Decoder(
        net.activations[net.graph.output][0],
        sensors.smoothing,
        by,
        raw_calibration=raw,
        calibration=knots(decoding.smoothed) if by is not None else raw,
        task=task,
    )
    return SensorChain(front_end, decoder)
