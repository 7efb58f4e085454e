"""The generated C on this machine: a program of its own, with or without sanitizers.

It is never loaded into this process: what it may do to memory, time and files is bounded by
`deploy.emulation.processes.run_generated`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True)
class HostProgram:
    """A program of several networks.

    Attributes:
        path: of the program.
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
            net: that network.
            x: int8 `(windows, 1, time, channels)`.

        Raises:
            ToolError: windows of another type or shape, a sanitizer found something, or the
                program failed.
        """
        expected = net.graph.shape(net.graph.input)[1:]
        if x.dtype != np.int8 or x.shape[1:] != expected:
            raise ToolError(
                f"input is {x.dtype} of shape {x.shape}; this network takes int8 of shape "
                f"(windows, {', '.join(map(str, expected))})"
            )
        given = self.path.with_name(f"windows-{number}.bin")
        answer = self.path.with_name(f"logits-{number}.bin")
        given.write_bytes(np.ascontiguousarray(x).tobytes())
        run_generated(
            [self.path, str(number), given, answer],
            f"running network {number} on the host",
            sanitized=self.sanitized,
        )
        shape = net.graph.shape(net.graph.output)[1:]
        return np.frombuffer(answer.read_bytes(), np.int8).reshape(len(x), *shape)


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
        write_text_atomic(
            source, f'#define ppg_infer {name}_infer\n#include "{written.source.resolve()}"\n'
        )
        sources.append(source)
        declarations.append(f"int {name}_infer(const int8_t *, int8_t *, void *);")
        text = written.header.read_text(encoding="utf-8")
        sizes = [defined(text, key) for key in ("PPG_STEPS", "PPG_CHANNELS", "PPG_CLASSES")]
        at = defined(text, "PPG_INPUT_OFFSET")
        rows.append(
            f"    {{{name}_infer, {sizes[0] * sizes[1]}, {sizes[2]}, {written.scratch_bytes}, "
            f"{at}}},"
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
