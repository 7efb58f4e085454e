"""The generated C on this machine: a program of its own, with or without sanitizers.

It is never loaded into this process: what it may do to memory, time and files is bounded by
`deploy.emulation.processes.run_generated`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deploy.c.build import ModelFiles
from deploy.c.source import text_of
from deploy.emulation.host import HostCompiler
from deploy.emulation.processes import run_generated
from deploy.integers.quantized import QuantizedNet
from ppgnas.errors import ToolError
from ppgnas.files import write_text_atomic

_NAMES = ("infer", "step", "network_reset")
_DECLARED = """
void NETWORK_start(void *state);
int NETWORK_run(void *state, const int8_t *input, int8_t *logits, void *memory);
"""
_WINDOW = (
    _DECLARED
    + """
void NETWORK_start(void *state) { (void)state; }
int NETWORK_run(void *state, const int8_t *input, int8_t *logits, void *memory)
{
    const int status = ppg_infer(input, logits, memory);
    (void)state;
    return status == PPG_OK ? 1 : status;
}
"""
)
_STREAM = (
    _DECLARED
    + """
void NETWORK_start(void *state) { ppg_network_reset(state); }
int NETWORK_run(void *state, const int8_t *input, int8_t *logits, void *memory)
{
    return ppg_step(state, input, logits, memory);
}
"""
)


@dataclass(frozen=True)
class HostProgram:
    """A program of several networks.

    Attributes:
        sanitized: sanitizers watch it.
    """

    path: Path
    sanitized: bool

    def run(self, number: int, net: QuantizedNet, x: NDArray[np.int8]) -> NDArray[np.int8]:
        """Outputs of one network, which is called twice for each window.

        The second time the input stands where the network wants it and is not copied; outputs that
        differ end the program with 4.

        Args:
            number: of the network, as given to `host_program`.
            x: int8 `(windows, *net.graph.window)`.

        Raises:
            ToolError: windows of another type or shape, a sanitizer found something, or the
                program failed.
        """
        expected = net.graph.window
        if x.dtype != np.int8 or x.shape[1:] != expected:
            raise ToolError(
                f"input is {x.dtype} of shape {x.shape}; this network takes int8 of shape "
                f"(windows, {', '.join(map(str, expected))})"
            )
        return self._answer(number, x).reshape(len(x), *net.graph.answer)

    def stream(self, number: int, net: QuantizedNet, x: NDArray[np.int8]) -> NDArray[np.int8]:
        """Readings of a streaming network after each block from the last one of a window on.

        Two states run beside each other, as `run` calls a network twice.

        Args:
            number, net: see `run`.
            x: int8 `(blocks * hop_samples, channels)`.

        Raises:
            ToolError: see `run`.
        """
        return self._answer(number, x).reshape(-1, prod(net.graph.shape(net.graph.output)))

    def _answer(self, number: int, x: NDArray[np.int8]) -> NDArray[np.int8]:
        given = self.path.with_name(f"windows-{number}.bin")
        answer = self.path.with_name(f"logits-{number}.bin")
        given.write_bytes(np.ascontiguousarray(x).tobytes())
        run_generated(
            [self.path, str(number), given, answer],
            f"running network {number} on the host",
            sanitized=self.sanitized,
        )
        return np.frombuffer(answer.read_bytes(), np.int8)


def host_program(
    files: Sequence[ModelFiles],
    folder: Path,
    compiler: HostCompiler,
    *,
    optimise: str = "-O1",
    sanitize: bool = True,
    flags: Sequence[str] = (),
) -> HostProgram:
    """One program of many networks, each in a file and a folder of its own.

    Raises:
        ToolError: the compiler fails or has no sanitizers.
    """
    sources, declarations, rows = [], [], []
    for number, written in enumerate(files):
        source = folder / f"network_{number}.c"
        name = f"network_{number}"
        renamed = "\n".join(f"#define ppg_{what} {name}_{what}" for what in _NAMES)
        calls = _STREAM if written.state_bytes else _WINDOW
        text = f'{renamed}\n#include "{written.source.resolve()}"\n{calls}'
        write_text_atomic(source, text.replace("NETWORK", name))
        sources.append(source)
        declarations.append(f"void {name}_start(void *);")
        declarations.append(f"int {name}_run(void *, const int8_t *, int8_t *, void *);")
        text = written.header.read_text(encoding="utf-8")
        sizes = [defined(text, key) for key in ("PPG_STEPS", "PPG_CHANNELS", "PPG_CLASSES")]
        several = "#define PPG_INPUTS " in text
        at = written.scratch_bytes if several else defined(text, "PPG_INPUT_OFFSET")
        rows.append(
            f"    {{{name}_start, {name}_run, {sizes[0] * sizes[1]}, {sizes[2]}, "
            f"{written.scratch_bytes}, {at}, {written.state_bytes}}},"
        )
    main = folder / "check.c"
    text = text_of("check.c", declarations="\n".join(declarations), rows="\n".join(rows) + "\n")
    write_text_atomic(main, text)
    program = compiler.build_program(
        [*sources, main], folder / "check", optimise=optimise, sanitize=sanitize, flags=flags
    )
    return HostProgram(program, sanitize)


def defined(header: str, name: str) -> int:
    """The number that a header defines.

    Raises:
        ToolError: it does not define the name.
    """
    for line in header.splitlines():
        words = line.split()
        if words[:2] == ["#define", name]:
            return int(words[2])
    raise ToolError(f"model.h does not define {name}")
