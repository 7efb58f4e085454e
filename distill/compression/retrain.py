"""A whole training of one network: the stages of a recipe, one after the other.

Between two stages a network lies in a file with everything that the next one needs, so a killed
training goes on from the stage that it was in, and within that from its checkpoint, to the same
result.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import numpy as np
import torch

from distill.compression.pruning import goals, prune
from distill.evaluation import Retrained, predict_windows
from distill.finalist import OBSERVED_BATCHES, FinalistJob, checkpoint_of, fit_finalist, take_part
from distill.losses.features import Adaptor, beside
from distill.pool import label, open_pool
from distill.qat import QatNetwork
from distill.training.checkpoint import load_checkpoint, read_facts, save_checkpoint
from distill.training.device import placed
from distill.training.effort import Progress
from distill.training.fit import ALONE, settle_norms
from distill.training.metrics import note_search
from distill.training.recipe import Assistant, BornAgain, Prune, Quantise, Stage
from distill.training.team import team
from ppg.people.metrics import mean_over_people
from ppg.windows import WindowSet
from search_spaces.arch import Arch
from search_spaces.lower import lower
from search_spaces.network import Network
from search_spaces.stages import at_task

FOLDER_NAME, STATE_NAME, ADAPTOR_NAME = "recipe", "state.safetensors", "adaptor.safetensors"


@dataclass(frozen=True)
class Part:
    """One training of a recipe.

    Attributes:
        parameters: channels leave first until there are at most so many; None leaves all.
        before, course: of one whose network goes on from another's, see
            `distill.training.fit.Schedule`.
    """

    stage: Stage
    steps: int
    parameters: int | None = None
    before: int = 0
    course: int | None = None


def parts_of(job: FinalistJob) -> Iterator[Part]:
    """The trainings of a job in order; the last one makes the integers.

    Trainings between which channels leave are one, on one fall of the learning rate: a network
    that has lost some then learns at a high rate for most of its steps.
    """
    for one, together in groupby(_parts(job), lambda part: part.stage.do in ("train", "prune")):
        parts, before = [*together], 0
        course = sum(part.steps for part in parts)
        for part in parts:
            yield replace(part, before=before, course=course) if one else part
            before += part.steps


def _parts(job: FinalistJob) -> Iterator[Part]:
    have = lower(job.arch).total_parameters
    for stage in job.recipe.stages:
        if isinstance(stage, Quantise):
            yield Part(stage, job.effort.qat_steps if stage.how == "aware" else 0)
            continue
        steps = stage.steps * job.effort.finetune_steps
        if isinstance(stage, Prune):
            wanted = goals(have, stage.removed, stage.rounds)
            yield from (Part(stage, max(1, round(steps / len(wanted))), n) for n in wanted)
            have = wanted[-1]
        else:
            times = stage.generations if isinstance(stage, BornAgain) else 1
            yield from [Part(stage, max(1, round(steps)))] * times


def retrain(
    job: FinalistJob, search: WindowSet, progress: Progress, *, processes: int = 1
) -> Retrained:
    """Do the recipe of a job, and measure on `search` (windows at the rate of the arch).

    Raises:
        RunError: a checkpoint is damaged or of another network.
    """
    parts = list(parts_of(job))
    total = sum(part.steps for part in parts)
    done, own = _continued(job)
    for index, part in enumerate(parts[done:], start=done):
        before = sum(earlier.steps for earlier in parts[:index])
        note = f", {part.stage.do}, {index + 1} of {len(parts)}" if len(parts) > 2 else ""

        def tick(done: int, _: int, said: str, *, before: int = before, note: str = note) -> None:
            progress(before + done, total, said + note)

        if not isinstance(part.stage, Quantise):
            labelled = _folder(job) / f"pool-{index}"
            own, network, adaptor = _trained(own, part, labelled, tick, processes)
            own = _keep(job, own, network, adaptor, done=index + 1)
    made = _quantised(own, parts[-1].steps, search, tick)
    note_search(job.log, total, arithmetic="int8", mae_bpm=made.search_mae_bpm)
    return made


def _folder(job: FinalistJob) -> Path:
    """What a recipe leaves between its trainings, beside the weights that it starts from."""
    folder = job.weights.with_name(f"{FOLDER_NAME}-{job.arch.id}")
    folder.mkdir(exist_ok=True)
    return folder


def _identity(job: FinalistJob) -> dict[str, object]:
    recipe = job.recipe.model_dump(mode="json")
    return {**checkpoint_of(job, FOLDER_NAME).identity, "recipe": recipe}


def float_network(job: FinalistJob) -> Network:
    """What `retrain` made of a job before it made integers of it."""
    _, own = _continued(job)
    network = Network(own.arch)
    load_checkpoint(own.weights, network)
    return network.eval()


def _keep(
    job: FinalistJob, own: FinalistJob, network: Network, adaptor: Adaptor | None, *, done: int
) -> FinalistJob:
    """Write what the next training starts from; the job that starts from it."""
    path = _folder(job) / STATE_NAME
    beside_it = path.with_name(ADAPTOR_NAME)
    if adaptor is not None:
        save_checkpoint(beside_it, adaptor)
    else:  # one of before is of another teacher's features: an assistant labels now
        beside_it.unlink(missing_ok=True)
    save_checkpoint(
        path,
        network,
        identity=_identity(job),
        done=done,
        arch=own.arch.to_json(),
        pool=None if own.pool == job.pool else own.pool.name,
        seen=own.seen,
    )
    return replace(own, weights=path)


def _continued(job: FinalistJob) -> tuple[int, FinalistJob]:
    """Trainings that are done, and the job as the next one finds it."""
    path = _folder(job) / STATE_NAME
    facts = read_facts(path)
    if facts.get("identity") != _identity(job):
        return 0, job
    return facts["done"], replace(
        job,
        arch=Arch.from_json(facts["arch"]),
        weights=path,
        pool=job.pool if facts["pool"] is None else path.with_name(facts["pool"]),
        seen=facts["seen"],
    )


def _trained(
    job: FinalistJob, part: Part, labelled: Path, progress: Progress, processes: int
) -> tuple[FinalistJob, Network, Adaptor | None]:
    """What a part leaves to the next one.

    Args:
        job: the network before, its pool, and the batches that were seen.
        labelled: folder for a pool that it labels anew.
        processes: how many may share the training.

    Returns:
        The job with another arch or pool, the network to go on with, and what was learnt beside
        it.
    """
    after = replace(job, seen=job.seen + part.steps)
    before = Network(job.arch).eval()
    load_checkpoint(job.weights, before)
    begun = labelled.with_name("begun.safetensors")
    if isinstance(part.stage, Assistant):
        named = replace(part.stage.network, acceleration=job.arch.acceleration)
        arch = at_task(named, job.arch.task)
        own = replace(job, arch=arch, weights=begun)
        save_checkpoint(begun, _fresh(own))
        assistant, _ = _fitted(own, part.steps, progress, processes)
        label(job.pool, assistant, labelled)
        return replace(after, pool=labelled), before, None
    if isinstance(part.stage, BornAgain):
        label(job.pool, placed(before, job.device), labelled)
        after = replace(after, pool=labelled)
        save_checkpoint(begun, _fresh(job))
    elif part.parameters is not None:
        pruned = prune(before, part.parameters)
        after = replace(after, arch=pruned.arch)
        save_checkpoint(begun, pruned)
    else:
        begun = job.weights
    own = replace(after, weights=begun, seen=job.seen, before=part.before, course=part.course)
    return after, *_fitted(own, part.steps, progress, processes)


def _fresh(job: FinalistJob) -> Network:
    """Random weights."""
    torch.manual_seed(int(np.random.default_rng((job.seed, 4, job.seen)).integers(2**31)))
    return Network(job.arch)


def _fitted(
    job: FinalistJob, steps: int, progress: Progress, processes: int
) -> tuple[Network, Adaptor | None]:
    """The network after so many float steps, its statistics settled, and its adaptor."""
    job = replace(job, effort=replace(job.effort, finetune_steps=steps, qat_steps=0))
    network = placed(Network(job.arch), job.device)
    load_checkpoint(job.weights, network)
    pool = open_pool(job.pool, device=job.device)
    adaptor = job.adaptor(pool)
    with team(processes, take_part, job, shards=job.shards) as whole:
        fit_finalist(job, network, whole, progress, adaptor=adaptor)
    settle_norms(network, (pool.of(x, job.arch) for x in pool.inputs(OBSERVED_BATCHES)))
    return network, adaptor


def _quantised(job: FinalistJob, steps: int, search: WindowSet, progress: Progress) -> Retrained:
    """The network in integers, after so many steps that simulate them."""
    job = replace(job, effort=replace(job.effort, finetune_steps=0, qat_steps=steps))
    network = placed(Network(job.arch), job.device)
    load_checkpoint(job.weights, network)
    qat = QatNetwork(network.eval())
    checkpoint = checkpoint_of(job, "int8")
    pool = open_pool(job.pool, device=job.device)
    adaptor = job.adaptor(pool)
    if checkpoint.steps() is None:
        learnt = job.weights.with_name(ADAPTOR_NAME)
        if adaptor is not None and learnt.exists():
            load_checkpoint(learnt, adaptor)
        qat.observe(pool.of(x, job.arch) for x in pool.inputs(OBSERVED_BATCHES))
        checkpoint.save(beside(qat, adaptor), 0)
    fit_finalist(job, qat, ALONE, progress, adaptor=adaptor)
    net = qat.cpu().quantized()
    error = predict_windows(net, search, rule=job.rule).raw.bpm - search.hr_bpm
    return Retrained(net, mean_over_people(abs(error), search.person), job.arch)
