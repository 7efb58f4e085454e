"""What verbs ask of `distill`, so that torch is imported late."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from distill.teachers.names import NONE, files_of, members_of
from distill.training.effort import effort_by_name
from nas.run.config import ConfigError, TrainConfig
from nas.run.job.machine import available_cores
from ppg.recording import Recording
from search_spaces.space import SearchSpace

if TYPE_CHECKING:
    from distill.trainer import Trainer
    from distill.training.device import Site


MakeTrainer = Callable[..., "Trainer"]
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
