"""The bench from recordings to records: what is trained or measured already is not done again."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nas.bench.crossmodal.cells import (
    HAND,
    OWN_MEAN,
    PRESETS,
    SUPERVISED,
    SUPERVISED_SHARES,
    Cell,
    CrossmodalConfig,
    EncoderRecord,
    cells_of,
    file_of,
)
from nas.bench.crossmodal.measure import Retrieval, flat, hand_features, profiles, retrieval
from nas.bench.crossmodal.targets import Target, judged, own_mean, probe_all, targets_of
from nas.encoders.compact import train_compact
from nas.encoders.pretrain import Corpus, gather
from nas.encoders.vectors import Compact, float_vectors, projected, stored_compact
from nas.models.backend import site_of
from nas.run.documents import read_kept, write_kept
from nas.run.folder import held
from nas.run.job.progress import Progress
from nas.run.target import load_target
from ppg.segments.cut import SAMPLES, SEGMENT_S
from ppg.segments.draw import SegmentBank
from ppgnas.defaults import DEFAULT_BOARD, DEFAULT_ENGINE

if TYPE_CHECKING:
    from torch import nn

    from distill.encoders.job import Job
    from distill.encoders.objectives import Aligned
    from distill.encoders.training import Ground
    from distill.encoders.transformer import TransformerEncoder

Floats = NDArray[np.float64]
EVERYWHERE, WITHIN_PERSON, WITHIN_ACTIVITY = "over all", "within one person", "within one activity"


@dataclass(frozen=True, eq=False)
class Crossmodal:
    """A finished bench.

    Attributes:
        records: by name, in the order of the tables.
        labels: labelled segments of training and held-out people, by target.
    """

    config: CrossmodalConfig
    corpus: Corpus
    records: dict[str, EncoderRecord]
    labels: dict[str, tuple[int, int]]


def bench_crossmodal(config: CrossmodalConfig, out: Path, *, progress: Progress) -> Crossmodal:
    """Train and measure what the folder does not hold yet.

    Raises:
        PpgnasError: recordings or people cannot be used, or another bench writes there.
    """
    site_of(config.device)  # before recordings are cut for minutes
    out.mkdir(parents=True, exist_ok=True)
    with held(out / ".lock", out):
        corpus = gather(
            config.data,
            out / "segments",
            seed=config.seed,
            held_out_hours=config.held_out_hours,
            say=progress.say,
        )
        bench = _Bench(config, corpus, targets_of(corpus), out, progress)
        return bench.run()


@dataclass(frozen=True, eq=False)
class _Bench:
    config: CrossmodalConfig
    corpus: Corpus
    targets: list[Target]
    out: Path
    progress: Progress

    def run(self) -> Crossmodal:
        records: dict[str, EncoderRecord] = {}
        teacher: TransformerEncoder | None = None
        for cell in cells_of(self.config):
            if teacher is None:
                teacher = self._teacher(cell)
            record = self._known(cell.name, cell.job.to_json()) or (
                self._compact(cell, teacher)
                if cell.job.arch is not None
                else self._encoder(cell, teacher)
            )
            records[cell.name] = record
        for share in SUPERVISED_SHARES:
            if any(target.name == "hr" for target in self.targets):
                record = self._supervised(share)
                records[record.name] = record
        for name in (HAND, OWN_MEAN):
            records[name] = self._known(name, name) or self._without_training(name)
        labels = {t.name: (len(t.train), len(t.test)) for t in self.targets}
        return Crossmodal(self.config, self.corpus, records, labels)

    # ---- one row ------------------------------------------------------------------------------

    def _made_for(self, what: object) -> str:
        """What a record depends on, as text."""
        corpus = self.corpus
        return json.dumps(
            [what, self.config.method, corpus.shards.fingerprint, corpus.held_out], sort_keys=True
        )

    def _known(self, name: str, what: object) -> EncoderRecord | None:
        path, made_for = file_of(self.out, name), self._made_for(what)
        return read_kept(path, EncoderRecord, anew=True, made_for=made_for)

    def _keep(self, record: EncoderRecord) -> EncoderRecord:
        write_kept(file_of(self.out, record.name), record)
        return record

    def _path(self, name: str) -> Path:
        return self.out / "encoders" / file_of(self.out, name).stem

    def _pretrained(self, name: str, job: Job, ground: Ground) -> tuple[nn.Module, Path]:
        """A trained encoder and its file; at once where it is there."""
        from distill.encoders.training import pretrain

        path = self._path(name).with_suffix(".safetensors")
        path.parent.mkdir(exist_ok=True)
        device = site_of(self.config.device).device
        with self.progress.phase(name) as tick:
            return pretrain(job, ground, path, progress=tick, device=device), path

    def _teacher(self, cell: Cell) -> TransformerEncoder:
        from distill.encoders.files import load_encoder

        return load_encoder(self._pretrained(cell.name, cell.job, self.corpus.ground())[1]).encoder

    def _encoder(self, cell: Cell, teacher: TransformerEncoder) -> EncoderRecord:
        """Train (the teacher is there by now) and measure one with attention."""
        from distill.encoders.files import load_encoder
        from distill.encoders.objectives import Aligned

        shards, corpus = self.corpus.shards, self.corpus
        ground = corpus.ground(teacher if cell.taught else None)
        stored = load_encoder(self._pretrained(cell.name, cell.job, ground)[1])
        with self.progress.phase(f"{cell.name}: measured"):
            vectors = self._spread(
                float_vectors(stored.encoder, shards, self._needed(), cell.job.sensor)
            )
            record = EncoderRecord(
                name=cell.name,
                made_for=self._made_for(cell.job.to_json()),
                parameters=stored.parameters,
                train_s=stored.train_s,
                probes=tuple(probe_all(vectors, self.targets, corpus, seed=self.config.seed)),
            )
            if isinstance(stored.module, Aligned):
                record = self._aligned(record, stored.module, vectors, teacher, picture=True)
        return self._keep(record)

    def _compact(self, cell: Cell, teacher: TransformerEncoder) -> EncoderRecord:
        folder = self._path(cell.name)
        shards, corpus = self.corpus.shards, self.corpus
        ground = corpus.ground(teacher)
        cache = folder.with_name(f".{folder.name}.cache")
        if not self._fits(folder, cell, teacher):
            target = load_target(DEFAULT_BOARD, DEFAULT_ENGINE, period_s=float(SEGMENT_S))
            train_compact(
                cell.job,
                ground,
                corpus,
                folder,
                cache,
                target,
                device=self.config.device,
                progress=self.progress,
            )
        compact = stored_compact(folder)
        with self.progress.phase(f"{cell.name}: measured") as tick:
            vectors = self._spread(
                compact.vectors(
                    shards, self._needed(), progress=lambda done, total: tick(done, total, "")
                )
            )
            card = compact.card
            record = EncoderRecord(
                name=cell.name,
                made_for=self._made_for(cell.job.to_json()),
                weight_bytes=card.weight_bytes,
                latency_ms=card.costs.latency_ms.value,
                differences=None if card.emulated is None else card.emulated.differences,
                probes=tuple(probe_all(vectors, self.targets, corpus, seed=self.config.seed)),
            )
            record = self._aligned(record, compact, vectors, teacher, picture=False)
        return self._keep(record)

    def _supervised(self, share: float) -> EncoderRecord:
        from distill.encoders.job import Supervised

        corpus = self.corpus
        preset = PRESETS[self.config.preset]
        job = replace(
            cells_of(self.config)[2].job,
            method="supervised",
            steps=preset.supervised_steps,
            labels=share,
        )
        name = f"{SUPERVISED} {100 * share:g} %"
        if known := self._known(name, job.to_json()):
            return known
        target = next(target for target in self.targets if target.name == "hr")
        rows = target.subset(share, 0, seed=self.config.seed)
        module, _ = self._pretrained(name, job, replace(corpus.ground(), rows=rows))
        assert isinstance(module, Supervised)
        read = float_vectors(module, corpus.shards, target.test, "acc")[:, 0]
        probe = judged(target, read, corpus, share=share, draw=0, labels=len(rows))
        size = sum(each.numel() for each in module.parameters())
        return self._keep(
            EncoderRecord(
                name=name, made_for=self._made_for(job.to_json()), parameters=size, probes=(probe,)
            )
        )

    def _without_training(self, name: str) -> EncoderRecord:
        corpus, shards = self.corpus, self.corpus.shards
        record = EncoderRecord(name=name, made_for=self._made_for(name))
        if name == OWN_MEAN:
            probes = tuple(own_mean(target, corpus) for target in self.targets)
            return self._keep(replace(record, probes=probes))
        features = self._spread(hand_features(shards, self._needed()))
        probes = tuple(probe_all(features, self.targets, corpus, seed=self.config.seed))
        apart = self._apart()
        found = self._retrieved(*profiles(SegmentBank(shards, apart).pairs(apart)))
        return self._keep(replace(record, probes=probes, retrieval=found))

    # ---- what rows stand on --------------------------------------------------------------------

    def _fits(self, folder: Path, cell: Cell, teacher: TransformerEncoder) -> bool:
        """Whether a compact encoder lies there already, of this training."""
        from distill.training.checkpoint import digest_of

        if not folder.exists():
            return False
        card = stored_compact(folder).card
        return (card.arch, card.steps, card.seed, card.teacher, card.held_out) == (
            cell.job.arch,
            cell.job.steps,
            cell.job.seed,
            digest_of(teacher.state_dict()),
            self.corpus.held_out,
        )

    def _needed(self) -> NDArray[np.int64]:
        """Segments that a figure is made of."""
        rows = [row for target in self.targets for row in (target.train, target.test)]
        return np.unique(np.concatenate([self._apart(), *rows]))

    def _spread(self, vectors: Floats) -> Floats:
        """`(segments, dimensions)` of all shards from those of `_needed`; NaN elsewhere."""
        found = np.full((len(self.corpus.shards), vectors.shape[1]), np.nan)
        found[self._needed()] = vectors
        return found

    # ---- both sensors -------------------------------------------------------------------------

    def _apart(self) -> NDArray[np.int64]:
        """Segments of held-out people that do not overlap."""
        shards = self.corpus.shards
        rows = shards.rows_of(self.corpus.held_out)
        return np.asarray(rows[shards.start[rows] % SAMPLES == 0])

    def _retrieved(self, acc: Floats, ppg: Floats) -> dict[str, Retrieval]:
        """Of unit vectors of the rows of `_apart`, by where candidates come from."""
        shards, rows = self.corpus.shards, self._apart()
        person, activity = shards.person[rows], shards.activity[rows]
        everyone = np.arange(len(rows))
        groups = {
            EVERYWHERE: [everyone],
            WITHIN_PERSON: [everyone[person == who] for who in np.unique(person)],
            WITHIN_ACTIVITY: [
                everyone[activity == one] for one in np.unique(activity[activity >= 0])
            ],
        }
        return {
            name: retrieval(acc, ppg, parts)
            for name, parts in groups.items()
            if any(len(part) > 1 for part in parts)
        }

    def _aligned(
        self,
        record: EncoderRecord,
        projections: Aligned | Compact,
        vectors: Floats,
        teacher: TransformerEncoder,
        *,
        picture: bool,
    ) -> EncoderRecord:
        """With retrieval among held-out people, and the picture of both embeddings."""
        shards, rows = self.corpus.shards, self._apart()
        ppg_vectors = float_vectors(teacher, shards, rows, "ppg")
        found = self._retrieved(*projected(projections, vectors[rows], ppg_vectors))
        record = replace(record, retrieval=found)
        if not picture:
            return record
        acc_xy, how = flat(vectors[rows], seed=self.config.seed)
        ppg_xy, _ = flat(ppg_vectors, seed=self.config.seed)
        return replace(
            record,
            acc_xy=_points(acc_xy),
            ppg_xy=_points(ppg_xy),
            who=tuple(shards.people[who] for who in shards.person[rows]),
            pictured=how,
        )


def _points(places: Floats) -> tuple[tuple[float, float], ...]:
    return tuple((round(float(x), 3), round(float(y), 3)) for x, y in places)
