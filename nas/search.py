"""A search from budgets to report, in phases that each continue where a killed run stopped.

Order: check that something fits (before anything is read), read the people, teacher, first rungs,
finalists, report. Only the finalists' cards ever see report people.
"""

from __future__ import annotations

import io
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from distill.training.effort import effort_by_name
from distill.training.recipe import load_recipe
from hwmodels.costs import Costs
from nas.explore.evidence import Explorer, amount_for
from nas.explore.finalists import (
    choose_finalists,
    entrants,
    ranked,
    retrain_finalists,
    write_finalists,
)
from nas.explore.pacing import DECISIONS, Pacing, Scale
from nas.explore.problem import Elsewhere, Probe, limits_of, probe
from nas.explore.samplers import check_sampler
from nas.explore.shared import Database, check_storage
from nas.explore.study import StudySettings, front_of, recounted
from nas.explore.study_file import CANDIDATES, FINALISTS, StudyFile
from nas.models.backend import (
    MakeTrainer,
    check_judges,
    check_teacher,
    mix_of,
    site_of,
    torch_trainer,
)
from nas.models.baselines import BASELINES, baseline_rows
from nas.models.folder import Judging
from nas.models.readout import RULES
from nas.run.candidates import Candidate, Candidates
from nas.run.claim import check_same, claim
from nas.run.config import ConfigError, SearchConfig, check_choice
from nas.run.documents import write_rows
from nas.run.folder import RunDir
from nas.run.job.machine import core_seconds
from nas.run.job.progress import Both, LogFile, Progress, logged
from nas.run.people import People, fitting_space, gather, without_acceleration
from nas.run.target import Target, load_target
from nas.tensorboard import TENSORBOARD, Events, check_tensorboard
from ppg.readout.transitions import fit_transitions
from ppgnas.tables import counted
from ppgnas.task import PPG_ACC
from search_spaces.arch import Arch
from search_spaces.space import SearchSpace, load_space

if TYPE_CHECKING:
    from distill.trainer import Trainer
    from distill.training.device import Site


def search(
    config: SearchConfig,
    run: RunDir,
    *,
    command: str,
    progress: Progress,
    make_trainer: MakeTrainer = torch_trainer,
    log: str | None = None,
) -> None:
    """Run a search to its end, or what is left of it.

    Args:
        run: a folder from `run_dir.choose`; its configuration must be `config` if it has one.
        make_trainer: gives the trainer; the real one unless told otherwise.
        log: where else the course of each training goes: `tensorboard`, or None.

    Raises:
        PpgnasError: bad input, nothing fits, or another process holds the folder.
        OSError: the disk is full; what was written before is whole.
    """
    if run.finished:
        check_same(config, run)
        progress.say(f"{run.path} is finished already.")
        return
    from distill.training.jobs import workers
    from nas.report.report import write_report

    started_s = time.monotonic()
    if log is not None:
        check_choice("log", log, (TENSORBOARD,))
        check_tensorboard()
    early = io.StringIO()
    both = Both(progress, LogFile(early))
    ready = prepared(config, run, progress=both, make_trainer=make_trainer)
    run.path.mkdir(parents=True, exist_ok=True)
    with run.lock(), logged(run.log, progress, before=early.getvalue()) as said:
        claim(run, config, ready.space, ready.people, command=command)
        run.record_device(ready.site.name)
        if log is not None:
            said = Events(said, run.metrics, run.path / TENSORBOARD)
        pacing = _pacing(config, run, ready.site, began_s=started_s)
        whole = replace(ready, progress=said, pacing=pacing)
        with ExitStack() as open_:
            open_.callback(lambda: run.record_time("total", time.monotonic() - started_s))
            hands = open_.enter_context(workers(ready.site.side_by_side))
            share = None
            if config.storage is not None:
                share = open_.enter_context(closing(ready.database(config.storage, leads=True)))
            whole = replace(whole, site=replace(ready.site, share=share, workers=hands))
            trainer = whole.go()
        write_report(run.path)
        run.finish()
        trainer.drop_cache()
        shutil.rmtree(run.retrained, ignore_errors=True)


def prepared(
    config: SearchConfig, run: RunDir, *, progress: Progress, make_trainer: MakeTrainer
) -> Search:
    """All that can be known before a folder is touched.

    Raises:
        PpgnasError: bad input, or nothing fits.
    """
    check_teacher(config)  # before anything is read
    load_recipe(config.recipe)
    mix_of(config)
    check_sampler(config.sampler, len(config.objectives))
    check_storage(config)
    space = _asked_space(config)
    target, *others = (
        load_target(
            board,
            config.engine,
            period_s=config.period_s,
            mode=config.mode,
            around=config.around,
            path_counts=config.budgets.count_path,
            task=space.task,
        )
        for board in (config.board, *config.also)
    )
    site = site_of(config.device, dask=config.dask)
    cost_of = lru_cache(maxsize=1 << 16)(target.costs)
    probed_in = partial(
        probe,
        cost_of=cost_of,
        budgets=config.budgets,
        objectives=config.objectives,
        board=target.board,
        period_s=config.period_s,
        elsewhere=[
            Elsewhere(
                each.board.name,
                lru_cache(maxsize=1 << 16)(each.costs),
                limits_of(config.budgets, each.board, config.period_s),
            )
            for each in others
        ],
    )
    probed = probed_in(space)  # before minutes of reading
    progress.say(f"Reading the recordings: {config.data}")
    people = gather(config, space)
    cautions = [note for each in (target, *others) for note in each.engine.caution(each.board)]
    for note in (*cautions, *people.notes):
        progress.say(note)
    fitting = fitting_space(space, people)
    if fitting != space:
        lacking = len(without_acceleration(people))
        progress.say(
            f"{counted(lacking, 'recording has', 'recordings have')} no acceleration: searching "
            "PPG alone."
        )
        probed = probed_in(fitting)
    return Search(
        config, run, target, fitting, people, probed, cost_of, progress, make_trainer, site
    )


def _asked_space(config: SearchConfig) -> SearchSpace:
    """The space, with those networks alone that read `student_inputs`."""
    space = load_space(config.space)
    tasks = tuple(replace(space.task, window_s=each) for each in space.window_s)
    asked = config.windows.tasks(tasks)
    if asked != tasks:
        space = space.at_tasks(asked)
    if config.mode == "streaming":
        space = space.streaming()
    if config.student_inputs is None:
        return space
    acceleration = config.student_inputs == PPG_ACC
    if acceleration not in space.acceleration:
        raise ConfigError(
            f"`student_inputs` is {config.student_inputs}, and no network of the space "
            f"{space.name!r} reads {'acceleration' if acceleration else 'PPG alone'}; choose a "
            "`space` that has some, such as default, or leave `student_inputs` out"
        )
    return space.restricted(acceleration=acceleration)


def _pacing(config: SearchConfig, run: RunDir, site: Site, *, began_s: float) -> Pacing | None:
    if config.time_s is None:
        return None
    spent_s = run.document().time_s.get("total", 0.0)
    ends_s = began_s + config.time_s - spent_s
    path = run.path / DECISIONS
    return Pacing(
        path,
        config.time_s,
        ends_s,
        site.side_by_side,
        _scale(config),
        team=site.processes,
        recipe=load_recipe(config.recipe),
    )


def _scale(config: SearchConfig) -> Scale:
    amount = amount_for(config.effort, config.time_s)
    return Scale(amount, config.finalists, config.trials)


@dataclass(frozen=True)
class Search:
    """One run with everything that its phases read."""

    config: SearchConfig
    run: RunDir
    target: Target
    space: SearchSpace
    people: People
    probed: Probe
    cost_of: Callable[[Arch], Costs]
    progress: Progress
    make_trainer: MakeTrainer
    site: Site
    pacing: Pacing | None = None

    def go(self) -> Trainer:
        """All phases up to the report, or what is left of them."""
        with StudyFile(self.run.study, self.probed.problem, self.space) as file:
            return self._go(file)

    def _go(self, file: StudyFile) -> Trainer:
        config, run, progress = self.config, self.run, self.progress
        pacing, scale, trainer = self.pacing, _scale(config), self.trainer()
        if pacing is not None:
            pacing, trainer = pacing.from_the_start(trainer, progress.say)
            scale = pacing.scale
        self._train(trainer)
        candidates = file.candidates()
        if not candidates:
            if pacing is not None:
                trainer = pacing.before_first_rungs(trainer)
            with self._timed("search"):
                candidates = self._explorer(trainer, file, scale).explore(scale.amount)
                candidates = recounted(candidates, self.probed.problem)
            file.write(CANDIDATES, candidates)
        explorer = self._explorer(trainer, file, scale)
        explorer.begun.update((c.arch, c.first_bpm) for c in candidates if c.first_bpm is not None)
        problem, count = self.probed.problem, scale.finalists
        self._write_candidates(candidates, {})
        with self._timed("finalists"):
            chosen = entrants(candidates, problem, count, known=explorer.known)
            planned = trainer.effort.finetune_steps
            if pacing is not None:
                trainer = pacing.before_finalists(trainer, [c.arch for c in chosen])
            if 2 * trainer.effort.finetune_steps <= planned + 1:
                chosen = chosen[:count]  # late: nobody begins who will not end
            if len(chosen) > count:
                explorer = replace(explorer, trainer=trainer)
                half_way = explorer.half_way(chosen)
                picked = choose_finalists(half_way, problem, count, known=explorer.known)
                chosen = [next(c for c in chosen if c.number == p.number) for p in picked]
            if len(chosen) < count:
                progress.say(
                    f"{counted(len(chosen), 'finalist')} of {count} wanted: the others that were "
                    "begun are beaten in every objective."
                )
            enough = pacing.over() if pacing is not None else lambda: False
            with progress.phase("retraining finalists") as tick:
                chosen = retrain_finalists(chosen, trainer, run, tick, enough=enough)
            finalists = ranked(chosen, run)
            judging, threads = self._judging(), self.site.side_by_side
            with progress.phase("writing finalists") as tick:
                write_finalists(finalists, judging, run=run, progress=tick, threads=threads)
            rows = baseline_rows(self.people.train, self.people.report, self.space.task)
            write_rows(run.path, BASELINES, rows)
        numbers = {f.candidate.number: index + 1 for index, f in enumerate(finalists)}
        whole = {f.candidate.arch: f.search_mae_bpm for f in finalists}
        file.write(
            FINALISTS,
            [
                replace(f.candidate, mae_bpm=f.search_mae_bpm, finalist=index + 1)
                for index, f in enumerate(finalists)
            ],
        )
        after = recounted(explorer.judged(candidates, whole), self.probed.problem)
        self._write_candidates(after, numbers)
        return trainer

    def _explorer(self, trainer: Trainer, file: StudyFile, scale: Scale) -> Explorer:
        config = self.config
        settings = StudySettings(config.sampler, scale.trials, config.seed)
        return Explorer(
            self.space, self.probed, settings, self.cost_of, trainer, self.progress, file
        )

    def database(self, url: str, *, leads: bool) -> Database:
        """The trainings that machines share, of a run whose folder is claimed."""
        return Database(
            url,
            f"{self.run.path.resolve().name} {self.run.document().created}",
            problem=self.probed.problem,
            cost_of=self.cost_of,
            leads=leads,
        )

    def trainer(self) -> Trainer:
        """Teacher and networks of this run."""
        config = self.config

        def accept(arch: Arch) -> bool:
            return self.probed.problem.fits(arch, self.cost_of(arch))

        return self.make_trainer(
            self.space,
            train=self.people.train,
            search=self.people.search,
            unlabelled=self.people.unlabelled.recordings if self.people.unlabelled else (),
            effort=effort_by_name(config.effort),
            seed=config.seed,
            teacher=config.taught_by,
            taught_with_acceleration=config.taught_with_acceleration,
            # the machines of a cluster share it, and stand in folders of their own
            folder=self.run.path if config.dask is None else self.run.path.resolve(),
            site=self.site,
            accept=accept,
            rule=RULES[self.target.file],
            recipe=load_recipe(config.recipe),
            distill=config.distill,
            inherit=config.supernet,
        )

    def _train(self, trainer: Trainer) -> None:
        check_judges(self.config.teacher, [*self.people.search, *self.people.report])
        with self._timed("teacher"), self.progress.phase("teacher") as tick:
            taught_by = trainer.prepare_teacher(tick)
        if taught_by is not None:
            self.run.record_teacher(taught_by)
        if trainer.left_out is not None:
            self.progress.say(trainer.left_out.sentence)
        if self.config.supernet:
            with self._timed("supernet"), self.progress.phase("supernet") as tick:
                trainer.train_supernet(tick)

    @contextmanager
    def _timed(self, phase: str) -> Iterator[None]:
        start_s, before_s = time.monotonic(), core_seconds()
        try:
            yield
        finally:
            took_s = core_seconds() - before_s
            self.run.record_time(phase, time.monotonic() - start_s, core_s=took_s)

    def _judging(self) -> Judging:
        stored = self.run.document().smoothing  # None in a run of an older version
        transitions = (
            fit_transitions(self.people.train, self.space.task) if stored is None else stored
        )
        return Judging(self.target, self.people, transitions)

    def _write_candidates(
        self, candidates: Sequence[Candidate], finalists: Mapping[int, int]
    ) -> None:
        problem = self.probed.problem
        front = {candidate.number for candidate in front_of(list(candidates), problem)}
        marked = (
            replace(each, on_front=each.number in front, finalist=finalists.get(each.number))
            for each in candidates
        )
        self.run.write_candidates(
            Candidates(
                objectives=problem.objectives,
                budgets=self.config.budgets,
                board=self.config.board,
                engine=self.config.engine,
                synthetic=self.people.synthetic,
                reference_point=dict(problem.reference),
                candidates=tuple(marked),
                mode=self.config.mode,
            )
        )
