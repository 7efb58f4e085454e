"""What a bench is asked."""

from __future__ import annotations

from dataclasses import dataclass

from distill.teachers.names import NONE, files_of, reading
from distill.training.effort import effort_by_name
from nas.bench.distillation.tables import BENCHES, Bench, Ingredients, Preset, Row
from nas.run.config import ConfigError, TrainConfig, check_choice
from ppgnas.task import PPG

UNLABELLED, SENSORS = "unlabelled", "sensors"


@dataclass(frozen=True, kw_only=True)
class BenchConfig(TrainConfig):
    """What to run.

    Attributes:
        minutes: of one core, see `nas.bench.distillation.cells`.
        distill: the mix where a bench compares none; `auto` is that of the effort.
    """

    bench: str
    preset: Preset = "small"
    minutes: float = 0.0
    distill: str = "auto"
    teacher: str = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("bench", self.bench, tuple(BENCHES))
        if self.minutes <= 0:
            raise ConfigError(f"`minutes` is {self.minutes:g}; it must be above 0")
        if self.teacher == NONE:
            raise ConfigError(
                "`teacher` is none, and the bench compares with labels alone anyway; name a "
                "teacher, or the path of one"
            )
        if files_of(self.teacher) and any(row.recipe.people is not None for row in self.rows):
            raise ConfigError(
                f"`teacher` {self.teacher} is a file, and rows of the bench {self.bench} learn "
                "from few people: a teacher that knows more would answer for them. Name a "
                "teacher that is trained anew for each row, such as auto"
            )
        if self.bench == SENSORS and (
            files_of(self.teacher) or reading(self.taught_by, PPG) == self.taught_by
        ):
            raise ConfigError(
                f"`teacher` {self.teacher} is a file or reads PPG alone, and the bench {SENSORS} "
                "compares it with itself without acceleration; name one that is trained here, "
                "such as auto"
            )
        if (self.unlabelled is not None) != (self.bench == UNLABELLED):
            raise ConfigError(
                f"`unlabelled` is {self.unlabelled or 'not given'}; the bench {UNLABELLED} needs "
                "a folder of recordings there, and the others take none"
            )

    @property
    def rows(self) -> list[Row]:
        """Of the bench."""
        mix = effort_by_name(self.effort).mix if self.distill == "auto" else self.distill
        return self.table.rows(Ingredients(self.preset, self.taught_by, mix))

    @property
    def table(self) -> Bench:
        """The bench."""
        return BENCHES[self.bench]
