"""Reading TOML on every Python that we support (`tomllib` came with 3.11)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

from ppgnas.errors import BoardError


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML document.

    Raises:
        BoardError: the file is missing, is not UTF-8 or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BoardError(f"{path}: there is no such file; pass the path of a TOML file") from error
    except OSError as error:
        raise BoardError(f"{path}: the file cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise BoardError(f"{path}: the file is not text; a UTF-8 TOML file is expected") from error
    except tomllib.TOMLDecodeError as error:
        raise BoardError(f"{path}: this is not TOML: {error}; correct the line named") from error
