"""Training one architecture, fixed or published, into a folder that every verb takes as a model.

The folder holds what a finalist of a run has: `arch.json`, `graph.json`, `weights.safetensors`,
`model.tflite`, `model.onnx`, `predictions.csv` of the report people and, last, `card.json`. It
appears whole or not at all; a killed training finds its teacher and its pool again in the hidden
folder beside it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from distill.training.recipe import load_recipe
from hwmodels.path import USUAL
from nas.models.backend import check_judges, check_teacher, mix_of, site_of
from nas.models.folder import Judging, write_model
from nas.models.readout import RULES
from nas.run.card import Card, Origin, SearchErrors
from nas.run.config import TrainConfig
from nas.run.folder import METRICS, check_free, new_folder, new_place
from nas.run.job.progress import Progress
from nas.run.people import People, gather_for
from nas.run.target import load_target
from ppg.augment.bank import PREPARATION
from ppg.readout.transitions import fit_transitions
from ppgnas.files import cache_folder
from ppgnas.task import PPG_ACC
from search_spaces.arch import Arch
from search_spaces.stages import at_task
from search_spaces.streaming import require_streamable

if TYPE_CHECKING:
    from distill.evaluation import Retrained

Train = Callable[[Arch, TrainConfig, People, Path, Progress], "Retrained"]


def train_with_torch(
    arch: Arch, config: TrainConfig, people: People, cache: Path, progress: Progress
) -> Retrained:
    """The real training; imports torch."""
    from distill.fixed import train_fixed

    check_judges(config.teacher, [*people.search, *people.report])
    with progress.phase("training") as tick:
        return train_fixed(
            arch,
            train=people.train,
            search=people.search,
            unlabelled=people.unlabelled.recordings if people.unlabelled else (),
            effort=config.effort,
            seed=config.seed,
            teacher=config.taught_by,
            taught_with_acceleration=config.taught_with_acceleration,
            recipe=config.recipe,
            cache=cache,
            site=site_of(config.device),
            progress=tick,
            say=progress.say,
            rule=RULES[load_target(config.board, config.engine).file],
            distill=config.distill,
            mode=config.mode,
        )


def train_model(
    arch: Arch,
    config: TrainConfig,
    out: Path,
    *,
    command: str,
    progress: Progress,
    train: Train = train_with_torch,
) -> Card:
    """Train an architecture and write its folder.

    Args:
        arch: the architecture; what it reads is what `config.student_inputs` says, if anything.
        out: the folder; it must not exist.
        train: the training; the real one unless told otherwise.

    Raises:
        RunError: `out` exists, or another training writes it.
        PpgnasError: bad input.
    """
    check_free(out)
    check_teacher(config)  # before anything is read
    load_recipe(config.recipe)
    if config.student_inputs is not None:
        arch = replace(arch, acceleration=config.student_inputs == PPG_ACC)
    task = config.windows.task(arch.task)
    arch = at_task(arch, task, streams=config.mode == "streaming")
    if config.mode == "streaming":
        require_streamable(arch)
    config = replace(config, distill=mix_of(config))
    device = site_of(config.device).name
    target = load_target(config.board, config.engine, mode=config.mode, around=USUAL, task=task)
    if config.mode == "streaming":
        target.costs(arch)  # refuses what the engine cannot stream
    progress.say(f"Reading the recordings: {config.data}")
    people = gather_for(config, acceleration=arch.acceleration)
    for note in people.notes:
        progress.say(note)
    with new_place(out) as place:
        # what windows were asked stands in the architecture
        apart = ("device", "windows")
        asked = {name: value for name, value in asdict(config).items() if name not in apart}
        cache = cache_folder(
            place,
            {
                "arch": arch.to_json(),
                "training": asked,
                "fingerprint": people.fingerprint,
                "unlabelled": people.unlabelled.facts.fingerprint if people.unlabelled else None,
                **PREPARATION,
            },
        )
        result = train(arch, config, people, cache, progress)
        judging = Judging(target, people, fit_transitions(people.train, task))
        origin = Origin(
            command=command,
            training={**asked, "device": device},
            split=people.split,
            one_person=people.one_person,
            fingerprint=people.fingerprint,
            search_mae_bpm=SearchErrors(retrained_int8=float(result.search_mae_bpm)),
        )
        with new_folder(out) as folder:
            card = write_model(folder, result.net, result.arch, judging=judging, origin=origin)
        if (cache / METRICS).is_dir():
            shutil.copytree(cache / METRICS, out / METRICS)
        shutil.rmtree(cache, ignore_errors=True)
    return card
