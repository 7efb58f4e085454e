"""What the search asks of `distill`, as an interface: so that torch is imported late, and tests
can hand in something that takes no time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from distill.teachers.names import NONE, files_of, members_of
from distill.training.effort import Effort, effort_by_name
from distill.training.jobs import Rung
from nas.run.config import ConfigError, TrainConfig
from nas.run.job.machine import available_cores
from nas.run.job.progress import Tick
from ppg.recording import Recording
from search_spaces.arch import Arch
from search_spaces.space import SearchSpace

if TYPE_CHECKING:
    from distill.evaluation import Retrained
    from distill.first_rung import Begun
    from distill.pace import Pace
    from distill.teachers.facts import TeacherFacts
    from distill.training.device import Site
    from distill.unlabelled import LeftOut


class Trainer(Protocol):
    """Teacher, first rungs and whole trainings of one run; see `distill.trainer.Trainer`."""

    @property
    def effort(self) -> Effort:
        """How long everything is trained."""

    def pace(self) -> Pace:
        """Seconds that a step of each training takes here and now."""

    def at(self, effort: Effort) -> Trainer:
        """The same trainer with other numbers of steps."""

    def prepare_teacher(self, progress: Tick) -> TeacherFacts | None:
        """Train the teacher, or return at once when it is there; what is known of it."""

    @property
    def left_out(self) -> LeftOut | None:
        """Windows of unlabelled recordings that the teacher is least sure of, once it labelled."""

    def train_supernet(self, progress: Tick) -> None:
        """Train the supernet, or return at once when it is there."""

    @property
    def inherit(self) -> bool:
        """Whether networks begin with its weights."""

    def search_mae(self, arch: Arch) -> float:
        """Inherited MAE on search people in BPM, once there is a supernet."""

    def begin_many(
        self, archs: Sequence[Arch], progress: Tick, kind: Rung = "first rungs"
    ) -> Sequence[Begun]:
        """Train each up to a rung; what was begun before costs nothing."""

    def begin(self, archs: Sequence[Arch], progress: Tick, kind: Rung = "first rungs") -> None:
        """The same for those that nobody else has begun, without asking what they say."""

    def retrain_many(
        self,
        archs: Sequence[Arch],
        progress: Tick,
        on_done: Callable[[int, Retrained], None],
        *,
        enough: Callable[[], bool],
    ) -> None:
        """Retrain all; `on_done(index, result)` in this process, in any order.

        Where it is `enough`, no further one begins once one has ended.
        """

    def drop_cache(self) -> None:
        """Remove what only an unfinished run needs."""


MakeTrainer = Callable[..., Trainer]
"""The arguments are those of `distill.trainer.Trainer`."""


def torch_trainer(space: SearchSpace, **options: Any) -> Trainer:
    """The real one; imports torch."""
    from distill.trainer import Trainer

    return Trainer(space, **options)


def site_of(device: str, *, dask: str | None = None) -> Site:
    """What trains, with the cores of this process; imports torch.

    Args:
        dask: see `distill.training.device.Site`.

    Raises:
        DependencyError: `cuda` is asked for, and there is none, or dask is not installed.
        RunError: no cluster that could work answers at `dask`.
    """
    from distill.training import device as training

    if dask is not None:
        from distill.training.cluster import check_cluster

        check_cluster(dask)
    return replace(training.site_of(device, cores=available_cores()), dask=dask)


def mix_of(config: TrainConfig) -> str:
    """The mix of losses that a training learns from, said in full; imports torch.

    Raises:
        MixError: it cannot be read, or needs a teacher that is not there.
    """
    from distill.losses.mix import chosen_mix

    effort, taught = effort_by_name(config.effort), config.teacher != NONE
    return chosen_mix(config.distill, effort=effort, taught=taught).text


def check_teacher(config: TrainConfig) -> None:
    """Refuse a teacher that is not there, or reads other inputs than it is asked to.

    Raises:
        TeacherNameError: it is neither a name nor a file.
        ConfigError: its inputs are not `teacher_inputs`.
        RunError: a file cannot be used.
    """
    files_of(config.taught_by)
    if config.teacher_inputs is None:
        return
    from distill.teachers.choice import reads_acceleration

    asked = f"`teacher_inputs` is {config.teacher_inputs}"
    reading = [m for m in members_of(config.taught_by) if reads_acceleration(m)]
    if config.taught_with_acceleration and not reading:
        raise ConfigError(
            f"`teacher` {config.teacher} reads PPG alone, and {asked}; name one that reads "
            "acceleration, such as `teacher` auto, or leave `teacher_inputs` out"
        )
    if reading and not config.taught_with_acceleration:
        raise ConfigError(
            f"`teacher` {reading[0]} reads acceleration, and {asked}: a finished network cannot "
            "do without. Name one that reads PPG alone or is trained here, such as `teacher` auto"
        )


def check_judges(teacher: str, judges: Iterable[Recording]) -> None:
    """Refuse a teacher's files that were made from people who judge: search and report people.

    Raises:
        TeacherNameError: it is neither a name nor a file.
        RunError: it knows one of them, or does not say whom it was trained on.
    """
    if paths := files_of(teacher):
        from distill.teachers.files import check_unseen

        judging = [*judges]
        for path in paths:
            check_unseen(path, judging)
