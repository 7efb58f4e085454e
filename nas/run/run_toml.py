"""`run.toml`: what a search was asked, with whose recordings and which versions, and its times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from pydantic import TypeAdapter

from distill.teachers.names import TeacherFacts
from nas.run.config import SearchConfig
from nas.run.unlabelled import UnlabelledFacts
from ppg.people.split import Split
from ppg.readout.transitions import Transitions

FORMAT = "ppgnas-run"


@dataclass(frozen=True)
class RunDocument:
    """What `run.toml` holds.

    Attributes:
        created, finished: UTC; not finished is None.
        space_size: number of architectures, as text: it is beyond the integers of TOML.
        front_end, recipe: how training windows are prepared, see `ppg.augment.bank.PREPARATION`;
            None in a run of an older version, as is `smoothing`.
        one_person: other names of people in the data, see `nas.run.people.People`; None in a run
            of an older version, which did not look for them.
        unlabelled: of the recordings that the teacher alone labels.
        smoothing: how heart rate moves, from training people.
        devices: that trained, in the order of their first use: `cpu`, or the name of a GPU.
        time_s, core_s: seconds by phase, and those of cores that it took, see
            `nas.run.job.machine.core_seconds`; these lack in a run of an older version.
        taught_by: what is known of the teacher; None before it is trained, without one, and in a
            run of an older version.
    """

    config: SearchConfig
    version: str
    command: str
    created: str
    space_size: str
    synthetic: bool
    fingerprint: str
    recordings: int
    people: int
    split: Split
    versions: dict[str, str]
    devices: tuple[str, ...] = ()
    front_end: str | None = None
    recipe: str | None = None
    smoothing: Transitions | None = None
    one_person: dict[str, tuple[str, ...]] | None = None
    unlabelled: UnlabelledFacts | None = None
    time_s: dict[str, float] = field(default_factory=dict)
    core_s: dict[str, float] = field(default_factory=dict)
    taught_by: TeacherFacts | None = None
    finished: str | None = None

    @property
    def preparation(self) -> dict[str, str | None]:
        """As `ppg.augment.bank.PREPARATION`."""
        return {"front_end": self.front_end, "recipe": self.recipe}

    def to_toml(self) -> dict[str, Any]:
        """The tables; `from_toml` gives the same back."""
        tables = self.config.to_tables()
        tables["run"] = {
            "format": FORMAT,
            "version": self.version,
            "command": self.command,
            "created": self.created,
            **tables["run"],
            "devices": [*self.devices] or None,
            "finished": self.finished,
        }
        tables["search"]["space_size"] = self.space_size
        tables["data"] |= {
            "synthetic": self.synthetic,
            "fingerprint": self.fingerprint,
            **self.preparation,
            "recordings": self.recordings,
            "people": self.people,
        }
        tables["split"] = {**self.split.to_json()}
        if self.one_person is not None:
            tables["one_person"] = {name: [*also] for name, also in self.one_person.items()}
        if self.unlabelled is not None:
            tables["unlabelled"] = asdict(self.unlabelled)
        if self.smoothing is not None:
            tables["smoothing"] = {**self.smoothing.to_json()}
        if self.taught_by is not None:
            tables["taught_by"] = self.taught_by.to_json()
        tables |= {"versions": {**self.versions}, "time_s": {**self.time_s}}
        if self.core_s:
            tables["core_s"] = {**self.core_s}
        return {
            name: {key: value for key, value in table.items() if value is not None}
            for name, table in tables.items()
        }

    @staticmethod
    def from_toml(document: Mapping[str, Any]) -> RunDocument:
        """Read `to_toml`'s tables.

        Raises:
            ValueError, KeyError, TypeError: a key is missing or of the wrong type.
        """
        run = document.get("run")
        if not isinstance(run, dict) or run.get("format") != FORMAT:
            raise ValueError(f"no format = {FORMAT!r} in [run]: it is not a ppgnas run")
        # The tables last: [time_s] is of phases, `time_s` in [search] is what was asked.
        own = {**document["search"], **document["data"], **run, **document}
        return _ADAPTER.validate_python({**own, "config": SearchConfig.from_tables(document)})


_ADAPTER = TypeAdapter(RunDocument)
