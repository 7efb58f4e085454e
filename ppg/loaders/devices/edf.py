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


def read(path: Path) -> Table:
    """Read a file.

    Raises:
        DataError: it is damaged or has holes (EDF+D).
        DependencyError: pyEDFlib is not installed.
    """
    edf = package("pyedflib", "EDF")
    try:
        with edf.EdfReader(str(path)) as reader:
            names = [name.strip() for name in reader.getSignalLabels()]
            begin_s = reader.getStartdatetime().replace(tzinfo=timezone.utc).timestamp()
            cells = {name: reader.readSignal(place) for place, name in enumerate(names)}
            rates = [float(reader.getSampleFrequency(place)) for place in range(len(names))]
            units = {n: reader.getPhysicalDimension(i).strip() for i, n in enumerate(names)}
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: unreadable as EDF ({error}); copy it again.") from error
    rows = {
        name: Rows(begin_s + np.arange(len(cells[name])) / hz, hz)
        for name, hz in zip(names, rates, strict=True)
    }
    return table_of(path, cells, rows=rows, units=units, base="local")
