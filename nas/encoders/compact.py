"""A compact encoder of acceleration: chosen, aligned, made of integers, written and checked."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from nas.encoders.card import FILE, EncoderCard, InEmulation
from nas.encoders.pretrain import (
    Corpus,
    PretrainConfig,
    chosen_job,
    corpus_of,
    ground_of,
    teacher_of,
)
from nas.models.backend import site_of
from nas.models.names import Model
from nas.models.verify import verify
from nas.models.windows import Windows
from nas.run.card import CardCosts
from nas.run.config import ConfigError
from nas.run.folder import check_free, new_folder, new_place
from nas.run.job.machine import versions
from nas.run.job.progress import Progress
from nas.run.target import Target, load_target
from ppg.frontend import FRONT_END
from ppg.segments.cut import HZ, SEGMENT_S
from ppg.segments.draw import SegmentBank
from ppgnas.errors import DependencyError, ExportError, ToolError
from ppgnas.files import write_json_atomic
from search_spaces.space import load_space

if TYPE_CHECKING:
    from deploy.integers.quantized import QuantizedNet
    from distill.encoders.job import Job
    from distill.encoders.training import Ground

PARITY_SEGMENTS, EMULATED_SEGMENTS = 64, 2


def pretrain_compact(
    config: PretrainConfig,
    out: Path,
    *,
    limit_bytes: int,
    space: str,
    board: str,
    engine: str,
    progress: Progress,
) -> EncoderCard:
    """Train a network of a search space as an encoder of acceleration, in int8.

    Args:
        config: with a teacher; `net` and `method` mean nothing here.
        out: folder to write; it must not exist. A stopped training goes on.
        limit_bytes: of weights and biases.

    Raises:
        ConfigError: no teacher is named, or an encoder of PPG is asked for.
        BudgetError: nothing of the space is so small.
        RunError: `out` exists, or another training writes it.
    """
    from distill.encoders.compact import compact_arch
    from distill.encoders.job import CHANNELS

    if config.sensor != "acc":
        raise ConfigError(
            f"`size` asks for a compact encoder, and `sensor` is {config.sensor!r}; allowed: acc"
        )
    if config.teacher is None:
        raise ConfigError("`size` asks for a compact encoder, which is aligned: name a `teacher`")
    check_free(out)
    teacher = teacher_of(config)
    target = load_target(board, engine, period_s=float(SEGMENT_S))
    arch = compact_arch(load_space(space), limit_bytes, channels=CHANNELS["acc"], seed=config.seed)
    job = replace(chosen_job(config), shape=None, arch=arch)
    site_of(config.device)  # before recordings are cut for minutes
    corpus = corpus_of(config, progress)
    ground = ground_of(config, corpus, teacher)
    with new_place(out) as cache:
        card = train_compact(
            job, ground, corpus, out, cache, target, device=config.device, progress=progress
        )
        shutil.rmtree(cache, ignore_errors=True)
    return card


def train_compact(
    job: Job,
    ground: Ground,
    corpus: Corpus,
    out: Path,
    cache: Path,
    target: Target,
    *,
    device: str,
    progress: Progress,
) -> EncoderCard:
    """Train a job of a compact encoder and write its folder.

    Args:
        out: the folder; it appears whole.
    """
    from distill.encoders.objectives import Aligned
    from distill.encoders.training import pretrain, to_integers
    from distill.training.checkpoint import save_checkpoint

    cache.mkdir(parents=True, exist_ok=True)
    with progress.phase("compact encoder") as tick:
        module = pretrain(
            job, ground, cache / "float.safetensors", progress=tick, device=site_of(device).device
        )
    assert isinstance(module, Aligned)
    with progress.phase("the same in integers") as tick:
        qat = to_integers(job, module, ground, cache / "int8.safetensors", progress=tick)
    with new_folder(out) as folder:
        for name, part in (
            ("projection", module.projection),
            ("teacher_projection", module.teacher_projection),
        ):
            path = folder / f"{name}.safetensors"
            save_checkpoint(path, part, dimensions=part.dimensions)
        return _write(folder, qat.quantized(), job, ground, corpus, target)


def _write(
    folder: Path, net: QuantizedNet, job: Job, ground: Ground, corpus: Corpus, target: Target
) -> EncoderCard:
    """Files and card; the card comes last."""
    from deploy.package import write_package
    from distill.encoders.compact import EMBEDDING
    from distill.encoders.job import INTEGER_SHARE
    from distill.training.checkpoint import digest_of
    from hwmodels.scorecard import score

    assert job.arch is not None and ground.teacher is not None
    rows = corpus.shards.rows_of(corpus.train)
    few = rows[:: max(1, len(rows) // PARITY_SEGMENTS)][:PARITY_SEGMENTS]
    x = SegmentBank(corpus.shards, rows).pairs(few).acc
    written = write_package(folder, net, name=job.arch.id, x=x)
    costs = score(
        net.graph,
        target.board,
        target.engine,
        period_s=target.period_s,
        file_bytes=written.tflite_bytes,
    )
    emulated, why = _emulated(
        folder, net, Windows(net.quantize_input(x[:EMULATED_SEGMENTS]), "segments"), target
    )
    card = EncoderCard(
        arch=job.arch,
        dimensions=EMBEDDING,
        segment_s=SEGMENT_S,
        rate_hz=HZ,
        front_end=FRONT_END,
        steps=job.steps,
        integer_steps=max(1, round(INTEGER_SHARE * job.steps)),
        batch=job.batch,
        seed=job.seed,
        people=ground.people,
        held_out=ground.held_out,
        also_in=tuple(sorted({name for each in corpus.shards.sittings for name in each.also_in})),
        fingerprint=corpus.shards.fingerprint,
        synthetic=corpus.shards.synthetic,
        teacher=digest_of(ground.teacher.state_dict()),
        macs=net.graph.total_macs,
        weight_bytes=net.graph.total_weight_bytes,
        costs=CardCosts.from_json(costs.to_json()),
        parity=written.parity,
        c_scratch_bytes=None if isinstance(written.c, ExportError) else written.c.scratch_bytes,
        emulated=emulated,
        not_emulated=why,
        versions=versions(),
    )
    write_json_atomic(folder / FILE, card.to_json())
    return card


def _emulated(
    folder: Path, net: QuantizedNet, segments: Windows, target: Target
) -> tuple[InEmulation | None, str]:
    """Counts of one segment; a reason where nothing can be built or run here."""
    try:
        found = verify(Model(str(folder), net.graph, folder=folder), segments, board=target.board)
    except (DependencyError, ToolError) as error:
        return None, str(error)
    found.check()
    seen = found.emulated
    return (
        InEmulation(
            instructions=seen.instructions,
            cycles=seen.cycles,
            latency_ms=seen.latency_ms,
            stack_bytes=seen.stack_bytes,
            scratch_bytes=seen.scratch_bytes,
            differences=found.parity.c_emulated_differences,
            outputs=found.parity.outputs,
        ),
        "",
    )
