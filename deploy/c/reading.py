"""From raw samples to a heart rate: what stands around the network in `model.c`.

`deploy.device` gives the parts before and after the network; `ppg_predict` joins them in one
caller-owned memory: the logits, whole words of 8 bytes, then the scratch buffer, which the decoder
uses again.
"""

from __future__ import annotations

from ctypes import sizeof
from dataclasses import dataclass
from math import prod

from deploy.c.source import Source, text_of
from deploy.device.c_text import helpers_c
from deploy.device.decoder import Decoder
from deploy.device.decoder_c import decoder_c
from deploy.device.front_end_c import front_end_c, gain_structure
from deploy.device.settings import FrontEnd
from deploy.integers.quantized import QuantizedNet
from hwmodels.generated_c.streaming import StreamProgram
from ppgnas.errors import ExportError


@dataclass(frozen=True)
class SensorChain:
    """What stands around a network.

    Attributes:
        front_end: sensors, their rates, and the rate that the network reads.
    """

    front_end: FrontEnd
    decoder: Decoder


@dataclass(frozen=True)
class ReadingTexts:
    """C around a network.

    Attributes:
        header: declarations, without what the network's own header declares.
        before, after: definitions that stand before and after those of the network.
        memory_bytes: what `ppg_predict` wants.
        state_bytes: of the front end's and of the smoother's state.
        stream_bytes: of what a stream keeps between blocks; 0 for windows.
        table_bytes: constants of both.
    """

    header: str
    before: str
    after: str
    memory_bytes: int
    state_bytes: tuple[int, int]
    stream_bytes: int
    table_bytes: int


def reading_texts(
    net: QuantizedNet, made: Source, network_header: str, reading: SensorChain
) -> ReadingTexts:
    """C of the front end, the decoder and `ppg_predict`.

    Args:
        network_header: declarations of the network alone.

    Raises:
        ExportError: the network does not read such windows, or puts out other classes than the
            decoder's; a rate or a scale that the integers do not reach.
    """
    _check(net, reading)
    if (made.stream is not None) != (reading.front_end.mode == "streaming"):
        raise ExportError("front end and network have different modes; give both the same")
    scale, zero_point = net.activations[net.graph.input]
    front = front_end_c(reading.front_end, scale=scale, zero_point=zero_point)
    decoder = decoder_c(reading.decoder, heard_steps=reading.front_end.heard_steps)
    logits_bytes = -(-reading.decoder.task.classes // 8) * 8
    memory = logits_bytes + max(made.program.bytes, decoder.scratch_bytes)
    predict = "predict" if made.stream is None else "predict_stream"
    declared = {line for line in network_header.splitlines() if line.startswith("#define")}
    header = "\n".join(
        [
            _without(front.header, declared),
            _without(decoder.header, declared),
            text_of(f"{predict}.h", memory=memory),
        ]
    )
    return ReadingTexts(
        header=header,
        before=helpers_c([front, decoder]) + "\n" + front.functions,
        after=decoder.functions + "\n" + text_of(f"{predict}.c", logits=logits_bytes),
        memory_bytes=memory,
        state_bytes=(front.state_bytes, decoder.state_bytes),
        stream_bytes=0 if made.stream is None else _stream_bytes(made.stream, reading.front_end),
        table_bytes=front.table_bytes + decoder.table_bytes,
    )


def _stream_bytes(stream: StreamProgram, front_end: FrontEnd) -> int:
    """Size of `ppg_stream_t`, whose sums are aligned to 8."""
    return -(-(sizeof(gain_structure(front_end)) + stream.state_bytes) // 8) * 8


def _check(net: QuantizedNet, reading: SensorChain) -> None:
    graph, front = net.graph, reading.front_end
    channels = 4 if front.acceleration else 1
    expected = (1, 1, front.window_steps, channels)
    if graph.shape(graph.input) != expected:
        raise ExportError(
            f"the network reads {graph.shape(graph.input)[1:]} (1, time, channels); a front end "
            f"at {front.rate_hz} Hz with {channels} channels gives {expected[1:]}"
        )
    tasks = {graph.task, front.task, reading.decoder.task}
    if len(tasks) > 1:
        raise ExportError(
            f"network, front end and decoder are of {' and '.join(sorted(map(str, tasks)))}; "
            "give all three one task"
        )
    classes = graph.task.classes
    if prod(graph.answer) != classes:
        raise ExportError(
            f"the network puts out {prod(graph.answer)} values; the decoder reads "
            f"{classes} classes of heart rate"
        )


def _without(text: str, declared: set[str]) -> str:
    return "\n".join(line for line in text.splitlines() if line not in declared) + "\n"
