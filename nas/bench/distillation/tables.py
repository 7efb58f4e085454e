"""The benches: a question, rows, what every row is compared with; and what one is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal, get_args

from distill.teachers.names import NONE, WITHOUT_ACCELERATION, files_of, reading
from distill.training.effort import AUTO, effort_by_name
from nas.bench.distillation.cells import DIRECT, LABELS_ALONE, SIZES, Recipe
from nas.run.config import ConfigError, TrainConfig, check_choice
from ppgnas.parsing import refuse_idle
from ppgnas.task import PPG

Preset = Literal["small", "full"]
PRESETS: tuple[Preset, ...] = get_args(Preset)
PRESET_EFFORT: Mapping[Preset, str] = {"small": "quick", "full": "standard"}
"""Of the teacher, and of the size of the pool."""
SEED_STUDENT = "medium@1.85"
"""As many parameters as the network that the table of `distillation` is about: 18 k."""
SEED_PRUNING = "prune-60"  # to 7 k
AS_PRUNED = "large@0.5"  # as many parameters as `prune-70` leaves of `large`, drawn by hand
STUDENTS = ("tiny", "medium", "large")
SPECTRAL, MEDIUM_TEACHER = "spectral", "resnet-medium"
ENSEMBLE = "ensemble:resnet-small,transformer-small,spectral"
MORE_TEACHERS = ("resnet-small-ppg", MEDIUM_TEACHER, "resnet-50", "transformer-small", "recurrent")
HALVES = "label:0.5,soft:0.5"
SMALL_MIXES = (HALVES, "standard", "dkd", "w1", "feature")
MIXES = (
    *(HALVES, "hard", "soft", "soft@t=2", "standard", "dkd@k=0", "dkd", "dist", "w1", "rps"),
    *("feature", "attention", "relation", "pulse", "bounded", "label:0,soft", "dkd,feature,w1"),
)
PLAIN_STUDENTS = ("medium", "mlp:medium", "cornet:medium")
"""A residual network, a perceptron and a recurrent one of equal parameters, all in float."""
PLAIN_MIXES = (HALVES, "standard", "dkd")
FREE = ("mse", "huber")  # mixes that need no teacher


@dataclass(frozen=True)
class Ingredients:
    """What the rows of a bench are made from.

    Attributes:
        teacher, mix: where a bench does not compare teachers, or mixes.
    """

    preset: Preset
    teacher: str
    mix: str

    @property
    def students(self) -> tuple[str, ...]:
        """Those of a bench that compares something else."""
        return STUDENTS[:1] if self.preset == "small" else STUDENTS[:2]


@dataclass(frozen=True)
class Row:
    """A recipe, and the one that it is compared with; None where others are compared with it."""

    recipe: Recipe
    against: Recipe | None = None


@dataclass(frozen=True)
class Bench:
    """One bench.

    Attributes:
        minutes: by preset, see `nas.bench.distillation.cells`.
        scaling: whether laws of error against size are fitted.
        activities: whether differences are shown by activity.
    """

    title: str
    question: str
    rows: Callable[[Ingredients], list[Row]]
    minutes: Mapping[Preset, float]
    scaling: bool = False
    activities: bool = False


def alone(recipe: Recipe) -> Recipe:
    """The same from labels alone."""
    return replace(recipe, teacher=NONE, calibrated=True, unlabelled=False, mix=LABELS_ALONE)


def against(control: Callable[[Recipe], Recipe], recipes: Iterable[Recipe]) -> list[Row]:
    """Rows of recipes, each below its control; a recipe that is its own control stands alone."""
    rows: dict[Recipe, Row] = {}
    for recipe in recipes:
        base = control(recipe)
        rows.setdefault(base, Row(base))
        if recipe != base:
            rows.setdefault(recipe, Row(recipe, base))
    return list(rows.values())


def _strategies(of: Ingredients) -> list[Row]:
    small = of.preset == "small"
    taught = [
        Recipe(student=student, teacher=teacher, mix=mix)
        for student in (STUDENTS[:2] if small else STUDENTS)
        for teacher in ((of.teacher,) if small else (of.teacher, MEDIUM_TEACHER, ENSEMBLE))
        for mix in (SMALL_MIXES if small else MIXES)
    ]
    free = [] if small else [Recipe(student=each, mix=mix) for each in STUDENTS for mix in FREE]
    plain = [
        Recipe(student=each, teacher=of.teacher, mix=mix, quantisation="float")
        for each in ([] if small else PLAIN_STUDENTS)
        for mix in PLAIN_MIXES
    ]
    return against(alone, [*taught, *free, *plain])


def _teachers(of: Ingredients) -> list[Row]:
    more = () if of.preset == "small" else MORE_TEACHERS
    return against(
        alone,
        [
            Recipe(student=student, teacher=name, mix=of.mix, calibrated=calibrated)
            for student in of.students
            for name in (of.teacher, SPECTRAL, *more, ENSEMBLE)
            for calibrated in (True, False)
        ],
    )


def _distillation(of: Ingredients) -> list[Row]:
    taught = Recipe(student=SEED_STUDENT, teacher=of.teacher, mix=of.mix)
    pruned = replace(taught, stages=SEED_PRUNING)

    def control(recipe: Recipe) -> Recipe:
        return alone(replace(recipe, quantisation="aware", stages=DIRECT))

    rounded = [replace(taught, quantisation="float"), taught, pruned, alone(pruned)]
    return [*against(control, rounded), Row(pruned, taught)]


def _stages(of: Ingredients) -> list[Row]:
    direct = [Recipe(student=each, teacher=of.teacher, mix=of.mix) for each in of.students]
    staged = [replace(one, stages=how) for one in direct for how in ("progressive", "born-again")]
    return [*against(alone, direct), *(Row(each, replace(each, stages=DIRECT)) for each in staged)]


def _pruning(of: Ingredients) -> list[Row]:
    large = Recipe(student=STUDENTS[-1], teacher=of.teacher, mix=of.mix)
    drawn, pruned = replace(large, student=AS_PRUNED), replace(large, stages="prune-70")
    return [Row(large), Row(drawn, large), Row(pruned, large), Row(pruned, drawn)]


def _scaling(of: Ingredients) -> list[Row]:
    return against(alone, [Recipe(student=size, teacher=of.teacher, mix=of.mix) for size in SIZES])


def _quantisation(of: Ingredients) -> list[Row]:
    students = STUDENTS[:2] if of.preset == "small" else STUDENTS
    return against(
        lambda recipe: replace(recipe, quantisation="float"),
        [
            Recipe(student=student, teacher=of.teacher, mix=of.mix, quantisation=how)
            for student in students
            for how in ("post", "aware")
        ],
    )


def _unlabelled(of: Ingredients) -> list[Row]:
    rows = []
    for student in of.students:
        for people in (8, None):
            taught = Recipe(student=student, teacher=of.teacher, mix=of.mix, people=people)
            more = replace(taught, unlabelled=True)
            rows += [*against(alone, [taught, more]), Row(more, taught)]
    return rows


def _labels(of: Ingredients) -> list[Row]:
    return against(
        alone,
        [
            Recipe(student=student, teacher=of.teacher, mix=of.mix, people=people)
            for student in of.students
            for people in (4, 8, 16, None)
        ],
    )


def _sensors(of: Ingredients) -> list[Row]:
    rows = []
    for student in of.students:
        watch = Recipe(student=student, teacher=of.teacher, mix=of.mix)
        bare = replace(watch, student=student + WITHOUT_ACCELERATION)
        same = replace(bare, teacher=reading(of.teacher, PPG))
        rows += [*against(alone, [same, bare]), Row(bare, same), Row(watch, bare)]
    return rows


BENCHES: dict[str, Bench] = {
    "distillation": Bench(
        "What a teacher, a smaller network and integers do",
        "What does each step from 18 k parameters to a small int8 network cost and bring?",
        _distillation,
        {"small": 4, "full": 20},
    ),
    "strategies": Bench(
        "Losses of distillation",
        "Which loss makes a small network better than its labels alone do in equal minutes?",
        _strategies,
        {"small": 2, "full": 10},
    ),
    "scaling": Bench(
        "Error against size",
        "How does the error fall with the parameters, with and without a teacher?",
        _scaling,
        {"small": 2, "full": 10},
        scaling=True,
    ),
    "quantisation": Bench(
        "Float, rounded and trained for integers",
        "What do integers cost after training, and when the training knows of them?",
        _quantisation,
        {"small": 3, "full": 10},
    ),
    "stages": Bench(
        "Stages of a training",
        "Do an assistant or a second generation beat one direct training as long?",
        _stages,
        {"small": 3, "full": 10},
    ),
    "pruning": Bench(
        "Seven in ten parameters pruned",
        "What does a network lose with them, and does it beat one drawn as small?",
        _pruning,
        {"small": 5, "full": 20},
    ),
    "teachers": Bench(
        "Teachers",
        "Which teacher teaches best, alone or with others, with and without its temperature?",
        _teachers,
        {"small": 2, "full": 10},
    ),
    "unlabelled": Bench(
        "People without a reference",
        "Do windows that the teacher alone labels help, with few labelled people and with all?",
        _unlabelled,
        {"small": 2, "full": 10},
    ),
    "sensors": Bench(
        "Fewer sensors",
        "Does a teacher that sees PPG and acceleration help a student that sees PPG alone?",
        _sensors,
        {"small": 2, "full": 10},
        activities=True,
    ),
    "labels": Bench(
        "Few labelled people",
        "Does a teacher help more where few people have a reference?",
        _labels,
        {"small": 2, "full": 10},
    ),
}


UNLABELLED, SENSORS, STRATEGIES = "unlabelled", "sensors", "strategies"


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
    distill: str = AUTO
    teacher: str = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("bench", self.bench, tuple(BENCHES))
        if self.bench == STRATEGIES and self.distill != AUTO:
            refuse_idle("the bench compares mixes", distill=self.distill)
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
        mix = effort_by_name(self.effort).mix if self.distill == AUTO else self.distill
        return self.table.rows(Ingredients(self.preset, self.taught_by, mix))

    @property
    def table(self) -> Bench:
        """The bench."""
        return BENCHES[self.bench]
