"""Training one architecture from scratch: the same pool, schedule and integers.

What a finalist of a search gets: the stages of a recipe, integers at the end. A teacher is
optional.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from deploy.integers.reference import Rule
from distill.compression.retrain import retrain
from distill.evaluation import Retrained
from distill.finalist import FinalistJob
from distill.inputs import stored_rate_hz
from distill.losses.mix import chosen_mix
from distill.pool import make_pool
from distill.teachers.choice import teacher_of
from distill.teachers.names import TEACHER_HZ
from distill.training.checkpoint import save_checkpoint
from distill.training.device import Site
from distill.training.effort import AUTO, Progress, effort_by_name
from distill.training.recipe import load_recipe
from distill.training.team import SHARDS
from distill.unlabelled import unlabelled_bank
from ppg.augment.bank import TrainingBank
from ppg.recording import Recording
from ppg.windows import InputSpec, windows_of
from ppgnas.task import Mode
from search_spaces.arch import Arch
from search_spaces.network import Network
from search_spaces.streaming import past_blocks, require_streamable


def train_fixed(
    arch: Arch,
    *,
    train: Sequence[Recording],
    search: Sequence[Recording],
    unlabelled: Sequence[Recording] = (),
    effort: str,
    seed: int,
    teacher: str,
    cache: Path,
    site: Site,
    progress: Progress,
    rule: Rule = "tflm",
    distill: str = AUTO,
    say: Callable[[str], None] = lambda _: None,
    recipe: str = "direct",
    taught_with_acceleration: bool = False,
    mode: Mode = "window",
) -> Retrained:
    """Train `arch`.

    Args:
        train, search: recordings of training people, and of those who fit the teacher's
            temperature and give the error in the result.
        unlabelled: recordings that the teacher alone labels.
        teacher: its name, see `distill.teachers.names.files_of`.
        cache: folder for what can be made again; a finished teacher and pool in it are taken.
        site: the device and its cores; the result is the same for any number of these.
        rule: the arithmetic of the error in the result, see `distill.evaluation`.
        distill: the mix of losses, see `distill.losses.mix.chosen_mix`.
        recipe: name or path of the stages, see `distill.training.recipe`.
        taught_with_acceleration: whether windows hold it for the teacher where `arch` reads none.
        mode: whether the network reads windows, or streams.

    Raises:
        MixError: the mix cannot be read, needs a teacher that is not there, or learns nothing
            from unlabelled recordings.
        DataError: no usable window.
        RunError: the teacher cannot be used.
        SpaceError: the recipe cannot be read, or the network cannot stream.
    """
    if mode == "streaming":
        require_streamable(arch)
    amount = effort_by_name(effort)
    mix = chosen_mix(distill, effort=amount, taught=teacher != "none")
    acceleration = arch.acceleration or taught_with_acceleration
    further = unlabelled_bank(unlabelled, InputSpec(arch.rate_hz, acceleration, arch.task), mix)
    cache.mkdir(parents=True, exist_ok=True)
    bank = TrainingBank(train, acceleration=acceleration, task=arch.task)
    stages = load_recipe(recipe)
    rates_hz = {arch.rate_hz, *stages.rates_hz} | ({TEACHER_HZ} if teacher != "none" else set())
    rate_hz = stored_rate_hz(tuple(rates_hz))
    taught = teacher_of(
        teacher,
        bank,
        search,
        rate_hz=TEACHER_HZ,
        effort=amount,
        seed=seed,
        path=cache / "teacher.safetensors",
        processes=site.processes,
        progress=progress,
        device=site.device,
    )
    pool = make_pool(
        bank,
        taught,
        unlabelled=further,
        folder=cache / "pool",
        batches=amount.pool_batches,
        batch=amount.batch,
        rate_hz=rate_hz,
        seed=seed,
        progress=progress,
        features=mix.features,
        past_s=0.0 if mode == "window" else float(past_blocks(arch) * arch.stride_s),
    )
    if pool.left_out is not None:
        say(pool.left_out.sentence)
    torch.manual_seed(seed)
    weights = cache / "initial.safetensors"
    save_checkpoint(weights, Network(arch))
    windows = windows_of(search, arch, mode=mode)
    job = FinalistJob(
        arch,
        weights,
        cache / "pool",
        amount,
        seed,
        shards=SHARDS,
        rule=rule,
        device=site.device,
        distill=distill,
        recipe=stages,
        log=cache / "metrics" / "network",
    )
    return retrain(job, windows, progress, processes=site.processes)
