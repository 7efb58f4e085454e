"""European Data Format and BioSemi's: signals of their own rates and a start by local time.

Read with the package pyEDFlib.
"""

from __future__ import annotations

from datetime import timezone
from pathlib import Path

import numpy as np

from ppg.loaders.devices.packages import package
from ppg.loaders.own.table import Rows, Table, table_of
from ppgnas.errors import DataError


def is_edf(path: Path, start: bytes) -> bool:
    """Whether a file is EDF or BDF."""
    return path.suffix.lower() in (".edf", ".bdf") or start.startswith(b"\xffBIOSEMI")


def _check_size(path: Path) -> None:
    """Refuse a file that was cut off: pyEDFlib would write of it to stdout, amid our JSON."""
    content = path.read_bytes()
    head, records, count = (int(content[a:b]) for a, b in ((184, 192), (236, 244), (252, 256)))
    sizes = (256 + 216 * count + 8 * place for place in range(count))
    samples = sum(int(content[at : at + 8]) for at in sizes)
    wanted = head + records * samples * (3 if content[:1] == b"\xff" else 2)
    if wanted != len(content):
        raise ValueError(f"it has {len(content)} bytes, its header says {wanted}")


def read(path: Path) -> Table:
    """Read a file.

    Raises:
        DataError: it is damaged or has holes (EDF+D).
        DependencyError: pyEDFlib is not installed.
    """
    edf = package("pyedflib", "EDF")
    try:
        _check_size(path)
        with edf.EdfReader(str(path)) as reader:
            names = [name.strip() for name in reader.getSignalLabels()]
            begin_s = reader.getStartdatetime().replace(tzinfo=timezone.utc).timestamp()
            cells = {name: reader.readSignal(place) for place, name in enumerate(names)}
            rates = [float(reader.getSampleFrequency(place)) for place in range(len(names))]
            units = {n: reader.getPhysicalDimension(i).strip() for i, n in enumerate(names)}
    except (OSError, ValueError, IndexError) as error:
        raise DataError(f"{path}: unreadable as EDF ({error}); copy it again.") from error
    rows = {
        name: Rows(begin_s + np.arange(len(cells[name])) / hz, hz)
        for name, hz in zip(names, rates, strict=True)
    }
    return table_of(path, cells, rows=rows, units=units, base="local")
