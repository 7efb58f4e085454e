"""A search: begin it, read what came of it, cost it on other boards."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.api.model import Model, Name, load, named
from nas.run.folder import RunDir
from ppgnas.notebook import Shown

if TYPE_CHECKING:
    from nas.explore.rescored import Rescored


@dataclass(frozen=True, repr=False)
class Run(Shown):
    """A run directory: what was searched, and its finalists."""

    folder: RunDir

    @property
    def path(self) -> Path:
        """The folder."""
        return self.folder.path

    @property
    def report(self) -> Path:
        """The page to choose from."""
        return self.folder.report

    @property
    def models(self) -> list[Model]:
        """The finalists, in the order of their numbers."""
        return [load(f"{self.path}:{number}") for number in self.folder.finalists()]

    @property
    def caption(self) -> str:
        """Path, and whether its people are real."""
        synthetic = " (SYNTHETIC recordings)" if self.folder.document().synthetic else ""
        return f"{self.path}: MAE of report people, int8{synthetic}"

    def rows(self) -> list[dict[str, object]]:
        """One row a finalist: errors in BPM on report people, costs on the run's board.

        `mae_bpm`, `search_mae_bpm` and costs are those of `file`; `mae_bpm_c` and
        `mae_bpm_tflite` those of either file, `mae_bpm_onnx` those of the ONNX file.
        """
        rows: list[dict[str, object]] = []
        for number in self.folder.finalists():
            card = self.folder.card(number)
            rows.append(
                {
                    "model": f"{self.path}:{number}",
                    "id": card.id,
                    "mae_bpm": card.report.mae_bpm,
                    "mae_bpm_smoothed": card.report.mae_bpm_smoothed,
                    **card.errors_by_file(),
                    "search_mae_bpm": card.search_mae_bpm and card.search_mae_bpm.retrained_int8,
                    "weight_bytes": card.weight_bytes,
                    "flash_bytes": card.costs.flash_bytes.value,
                    "sram_bytes": card.costs.sram_bytes.value,
                    "latency_ms": card.costs.latency_ms.value,
                    "energy_mj": card.costs.energy_mj.value,
                    "power_mw": card.costs.power_mw.value,
                }
            )
        return rows

    def to_json(self) -> dict[str, Any]:
        """The document of `ppgnas search --json`."""
        from nas.explore.problem import room_left
        from nas.report.choice import choose
        from nas.report.loading import load_run
        from nas.report.order import order_of
        from nas.report.sections.verdict import cautions_of

        whole = load_run(self.path)
        choice = choose(whole)
        document, candidates = self.folder.document(), self.folder.candidates()
        order = order_of({number: self.folder.card(number) for number in self.folder.finalists()})
        return {
            "run": str(self.path),
            "report": str(self.report),
            "synthetic": document.synthetic,
            "considered": candidates.considered,
            "evaluated": candidates.evaluated,
            "recommended": choice and f"{self.path}:{choice.finalist.number}",
            "finalists": self.rows(),
            "room_left": room_left(candidates),
            "order": order and asdict(order),
            "cautions": cautions_of(whole),
            "time_s": document.time_s,
        }


def search(
    budget: str | None = None,
    *,
    data: Name | None = None,
    out: Name | None = None,
    latency: str | None = None,
    sram: str | None = None,
    power: str | None = None,
    resume: bool = False,
    quiet: bool = False,
    **options: Any,
) -> Run:
    """Search networks that fit the budgets, retrain the best and report on them.

    Args:
        budget: flash that inference may add, for example `80KB`.
        data: what `read` takes; `synthetic` unless given.
        out: the run directory; `results/run`, or the next free one, unless given.
        latency, sram, power: further budgets, for example `50ms`, `256KB`, `5mW`.
        resume: continue the run in `out`; options left out are taken from it.
        quiet: do not say how far it is.
        options: any other field of `SearchConfig`; `rate` and `stride`, for example `1s`;
            `window`, `6s,8s`; `bpm`, `40-199`; `config`, another run.toml.

    Raises:
        PpgnasError: bad input, nothing fits, or the folder holds another run.

    >>> run = ppgnas.search(budget="80KB", data="recordings", out="results/new", quiet=True)
    >>> run.models[0].arch in [model.arch for model in run.models]
    True
    """
    from nas import search as searching
    from nas.run.claim import asked_search
    from nas.run.job.progress import Silent, for_terminal

    given = {
        "budget": budget,
        "latency": latency,
        "sram": sram,
        "power": power,
        "data": None if data is None else named(data, "`data`"),
        **options,
    }
    asked, folder = asked_search(
        given, None if out is None else Path(named(out, "`out`")), resume=resume
    )
    progress = Silent() if quiet else for_terminal()
    searching.search(asked, folder, command="ppgnas.search", progress=progress)
    return Run(folder)


def rescore(run: Run | Name, *, board: str, engine: str | None = None, **options: Any) -> Rescored:
    """All candidates of a finished run under another board or engine; nothing is trained.

    Args:
        run: a run, or its folder.
        board: by name or .toml.
        engine, options (`period_s`, `scope`, `around`): the run's own unless given.

    Raises:
        RunError: no finished run.
        BoardError: unknown, malformed, or the engine does not run on the board.

    >>> ppgnas.rescore("results/run", board="nrf5340").after.board
    'nrf5340'
    """
    from nas.explore.rescore import rescore as rescore_run

    folder = run.folder if isinstance(run, Run) else RunDir(Path(named(run, "`run`")))
    return rescore_run(folder, board=board, engine=engine, **options)
