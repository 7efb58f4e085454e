"""One call in emulation, with all that is known of it.

Emulated, not measured: instructions, stack and outputs are exact for the image; cycles are those
of the model in `deploy.emulation.pipeline`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deploy.emulation.counting import Counter, Counts
from deploy.emulation.image import Image, read_image
from deploy.emulation.machine import Machine


@dataclass(frozen=True)
class EmulationResult(Counts):
    """What one call did, beside the counts.

    Attributes:
        result: r0 at the return, unsigned.
        outputs: bytes of the objects asked for, after the call.
        stack_bytes: deepest stack written by the call.
    """

    result: int
    outputs: Mapping[str, bytes] = field(repr=False)
    stack_bytes: int


class Emulator:
    """A machine and a counter for many calls of one image.

    Args:
        shared: how names of functions begin that count as part of their caller.

    Raises:
        DependencyError: a package of the extra `emulate` is not installed.
    """

    def __init__(self, image: Image | Path, *, shared: tuple[str, ...] = ()) -> None:
        self.image = read_image(image) if isinstance(image, Path) else image
        self.machine = Machine(self.image, shared=shared)
        self._counter = Counter(self.image)

    def call(
        self,
        function: str,
        inputs: Mapping[str, bytes] | None = None,
        *,
        arguments: Sequence[int] = (),
        outputs: Mapping[str, int] | None = None,
        timeout_s: float = 120.0,
    ) -> EmulationResult:
        """Write the inputs, call, read the outputs, count.

        Args:
            inputs: bytes to write before, by symbol.
            arguments: integers and addresses for r0 and on.
            outputs: how many bytes to read after, by symbol.

        Raises:
            ToolError: an unknown name, a fault, or no return in time.
        """
        for where, content in (inputs or {}).items():
            self.machine.write(where, content)
        record = self.machine.call(function, *arguments, timeout_s=timeout_s)
        found = {
            where: self.machine.read(where, count) for where, count in (outputs or {}).items()
        }
        counts = self._counter.count(record.edges)
        return EmulationResult(
            **vars(counts), result=record.result, outputs=found, stack_bytes=record.stack_bytes
        )
