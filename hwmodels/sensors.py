"""What the sensors of a wrist draw while they measure, from the table `[sensors]` of a board file.

A sensor draws a base while it is on and an energy for each sample: the pulse of an LED, the
conversion. So with f the rate of a sensor and n the channels (LEDs) of the PPG,

    P_ppg = base + n f E        P_accelerometer = base + f E

A board file without the table has that of `data/sensors.toml`; figures of one's own device
replace it, or a power as a whole (`Surroundings.ppg_sensor_mw`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from hwmodels.estimate import Estimate
from hwmodels.figures import Figure, in_unit
from ppgnas.errors import BoardError
from ppgnas.toml_file import FileModel, read_as

MOST = {"power": 1000.0, "energy": 10.0}  # mW, and mJ a sample: no sensor of a wrist draws more
SENSORS_TOML = Path(__file__).parent / "data" / "sensors.toml"
_HELP = 'A figure reads { value = 6, unit = "uJ", source = "..." } with optional low and high'


class SensorsFile(FileModel):
    """The table `[sensors]`."""

    ppg_base: Figure
    ppg_sample: Figure
    accelerometer_base: Figure
    accelerometer_sample: Figure


class _File(FileModel):
    sensors: SensorsFile


@dataclass(frozen=True)
class Sensors:
    """What two sensors draw.

    Attributes:
        ppg_base_mw, accelerometer_base_mw: while they are on.
        ppg_sample_mj, accelerometer_sample_mj: for a sample of one LED, of all axes.
    """

    ppg_base_mw: Estimate
    ppg_sample_mj: Estimate
    accelerometer_base_mw: Estimate
    accelerometer_sample_mj: Estimate

    def ppg_mw(self, hz: float, channels: int = 1) -> Estimate:
        """Power of LEDs and their front end at a rate."""
        return self.ppg_base_mw + self.ppg_sample_mj.times(hz * channels)

    def accelerometer_mw(self, hz: float) -> Estimate:
        """Power of the accelerometer at a rate."""
        return self.accelerometer_base_mw + self.accelerometer_sample_mj.times(hz)


def sensors_of(file: SensorsFile, path: Path) -> Sensors:
    """The figures in our units.

    Raises:
        BoardError: names the file, the key and what is allowed.
    """
    found = []
    for key, figure in file:
        kind = "power" if key.endswith("base") else "energy"
        found.append(in_unit(figure, kind, where=f"{path}: sensors.{key}"))
        if found[-1].high > MOST[kind]:
            unit = "mW" if kind == "power" else "mJ"
            raise BoardError(
                f"{path}: sensors.{key} is up to {found[-1].high:g} {unit}; no sensor of a wrist "
                f"draws above {MOST[kind]:g} {unit}. Correct the unit"
            )
    return Sensors(*found)


@cache
def usual_sensors() -> Sensors:
    """Those of `data/sensors.toml`."""
    return sensors_of(read_as(SENSORS_TOML, _File, help_text=_HELP).sensors, SENSORS_TOML)
