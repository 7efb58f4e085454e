"""Pre-training an encoder into a file, or a compact one into a folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nas.encoders.segments import Corpus, check_apart, gather
from nas.models.backend import site_of
from nas.run.config import ConfigError
from nas.run.folder import check_free, held
from nas.run.job.progress import Progress, Silent
from ppg.segments.held_out import FEWEST_HOURS
from ppgnas.parsing import one_of

if TYPE_CHECKING:
    from distill.encoders.files import StoredEncoder
    from distill.encoders.job import Job, Method
    from distill.encoders.training import Ground

DEFAULT_SHARDS = "results/segments"


@dataclass(frozen=True, kw_only=True)
class PretrainConfig:
    """What is asked.

    Attributes:
        sensor: what the encoder reads, `ppg` or `acc`.
        shards: folder for their segments.
        method: `masked` or `contrast`; None with a teacher.
        teacher: file of the PPG encoder that an acceleration encoder is aligned with.
        effort, steps: how long; `steps` counts where it is given.
        batch, seed: of the training; the seed also decides who is held out.
        held_out_hours: that whole people must last who are held out.
    """

    sensor: str
    data: tuple[str, ...]
    shards: str = DEFAULT_SHARDS
    method: str | None = None
    teacher: str | None = None
    net: str = "small"
    effort: str = "standard"
    steps: int | None = None
    batch: int = 128
    seed: int = 0
    held_out_hours: float = FEWEST_HOURS
    device: str = "auto"


def chosen_job(config: PretrainConfig) -> Job:
    """The training that is asked for.

    Raises:
        ConfigError: something that cannot be.
    """
    from distill.encoders.job import CHANNELS, STEPS, Job
    from distill.encoders.transformer import SIZES, EncoderShape

    if config.teacher is not None and config.method is not None:
        raise ConfigError(
            f"`method` {config.method} is for an encoder alone; with a `teacher` it is aligned. "
            "Leave one of them out"
        )
    if config.teacher is not None and config.sensor == "ppg":
        raise ConfigError(
            f"`teacher` {config.teacher} teaches an encoder of acceleration; one of PPG has none"
        )
    sensor = one_of("sensor", config.sensor, tuple(CHANNELS), ConfigError)
    alone: tuple[Method, ...] = ("masked", "contrast")
    method = one_of("method", config.method or alone[0], alone, ConfigError)
    for name, value, allowed in (
        ("net", config.net, tuple(SIZES)),
        ("effort", config.effort, tuple(STEPS)),
    ):
        one_of(name, value, allowed, ConfigError)
    steps = STEPS[config.effort] if config.steps is None else config.steps
    for name, number, least in (("steps", steps, 1), ("batch", config.batch, 4)):
        if number < least:
            raise ConfigError(f"`{name}` is {number}; allowed: {least} or more")
    return Job(
        sensor=sensor,
        method=method if config.teacher is None else "aligned",
        shape=EncoderShape(CHANNELS[sensor], **SIZES[config.net]),
        steps=steps,
        batch=config.batch,
        seed=config.seed,
    )


def pretrain_encoder(config: PretrainConfig, out: Path, *, progress: Progress) -> StoredEncoder:
    """Train, or go on where the same command was stopped.

    Under `torchrun` every process calls this, and they share the training; the first one writes.

    Args:
        out: the file to write; it must not exist.

    Raises:
        ConfigError: something that cannot be.
        RunError: `out` exists, or another training writes it.
        DataError: recordings or people cannot be used.
    """
    from distill.encoders.files import load_encoder
    from distill.encoders.training import pretrain
    from distill.training.team import launched

    job, teacher = chosen_job(config), teacher_of(config)
    if out.suffix != ".safetensors":
        raise ConfigError(f"`out` is {out}; the file of an encoder ends in .safetensors")
    check_free(out)
    site = site_of(config.device)
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(f".{out.name}.part")
    with launched(site.device) as launch:
        rank = 0 if launch is None else launch.rank
        if launch is not None and rank > 0:
            progress = Silent()
            launch.share(lambda: True)  # until the first one has written the shards
        corpus = corpus_of(config, progress)
        if launch is not None and rank == 0:
            launch.share(lambda: True)
        ground = ground_of(config, corpus, teacher)
        lock = out.with_name(f".{out.name}.{rank}.lock")
        with held(lock, out), progress.phase(f"{job.sensor} encoder, {job.method}") as tick:
            pretrain(job, ground, part, progress=tick, device=site.device, launched=launch)
            stored = load_encoder(part)
            if launch is not None:
                launch.share(lambda: True)  # nobody reads it any more
            if rank == 0:
                part.replace(out)
        lock.unlink(missing_ok=True)
    return stored


def corpus_of(config: PretrainConfig, progress: Progress) -> Corpus:
    """The recordings that a training is asked to stand on."""
    return gather(
        config.data,
        Path(config.shards),
        seed=config.seed,
        held_out_hours=config.held_out_hours,
        say=progress.say,
    )


def teacher_of(config: PretrainConfig) -> StoredEncoder | None:
    """The PPG encoder that is asked for, before recordings are cut for minutes.

    Raises:
        RunError: it is no encoder.
        ConfigError: it reads another sensor.
    """
    from distill.encoders.files import load_encoder

    if config.teacher is None:
        return None
    stored = load_encoder(Path(config.teacher))
    if stored.facts.sensor != "ppg":
        raise ConfigError(
            f"`teacher` {config.teacher} reads acceleration; allowed: a PPG encoder, of "
            "`ppgnas pretrain ppg`"
        )
    return stored


def ground_of(config: PretrainConfig, corpus: Corpus, teacher: StoredEncoder | None) -> Ground:
    """What the training stands on, with its teacher.

    Raises:
        DataError: the teacher knows people who are held out.
    """
    from distill.encoders.training import Ground

    if teacher is not None:
        facts = teacher.facts
        check_apart(corpus, facts.people, facts.also_in, what=str(config.teacher))
    shards, encoder = corpus.shards, None if teacher is None else teacher.encoder
    return Ground(
        shards.folder, shards.rows_of(corpus.train), corpus.train, corpus.held_out, encoder
    )
