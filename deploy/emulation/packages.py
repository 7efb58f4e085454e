"""The one place that imports the optional packages of the extra `emulate`.

unicorn is under the GPLv2, and the wheel of ziglang takes 100 MB: both stay optional, and nothing
else of ppgnas needs them.
"""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from types import ModuleType

from ppgnas.errors import DependencyError, install_line


def _missing(package: str, purpose: str) -> DependencyError:
    return DependencyError(
        f"the package {package} is not installed; {purpose} needs it. Install it: "
        f"{install_line('emulate')}"
    )


def load(module: str, *, package: str, purpose: str) -> ModuleType:
    """Import an optional module.

    Args:
        module: dotted name, for example `elftools.elf.elffile`.
        package: what the package is called where it is installed from.
        purpose: what needs it, for the message.

    Raises:
        DependencyError: the package is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or module.split(".")[0] != error.name.split(".")[0]:
            raise  # the package is there and lacks something of its own
        raise _missing(package, purpose) from None


def zig_program(*, purpose: str) -> Path:
    """The zig executable inside the package ziglang.

    Raises:
        DependencyError: the package is not installed.
    """
    found = importlib.util.find_spec("ziglang")
    if found is None or found.origin is None:
        raise _missing("ziglang", purpose)
    folder = Path(found.origin).parent
    programs = [path for path in (folder / "zig", folder / "zig.exe") if path.is_file()]
    if not programs:
        raise _missing("ziglang", purpose)
    return programs[0]
