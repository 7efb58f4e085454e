"""Which search a run directory belongs to: `run.toml` when it begins, the same when it goes on.

A run that goes on with another configuration, other recordings, another split or training windows
that are prepared in another way would mix two searches, so it is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from nas.run.config import ConfigError, SearchConfig
from nas.run.documents import read_document
from nas.run.folder import RunDir, choose, timestamp
from nas.run.job.machine import versions
from nas.run.people import People
from nas.run.resolve import resolve
from nas.run.run_toml import RunDocument
from ppg.augment.bank import PREPARATION
from ppg.readout.transitions import fit_transitions
from ppgnas import __version__
from ppgnas.errors import RunError
from search_spaces.space import SearchSpace

# Keys of `run.toml` that are called otherwise than their arguments, beside the unit at their end.
_ARGUMENTS = {
    "flash_bytes": "budget",
    "scope": "budget_scope",
    "period_s": "rate",
    "split_file": "split",
}
_UNIT = re.compile("_(bytes|ms|mw|s)$")


def check_same(config: SearchConfig, run: RunDir) -> None:
    """Whether a run was started with this configuration.

    Raises:
        RunError: it differs; names the keys.
    """
    different = differences(config, run.document().config)
    if different:
        raise RunError(
            f"`resume`: {run.path} was started with another configuration ({told(different)}). "
            "Leave those options out to continue it, or choose another `out` for a new run"
        )


def differences(asked: SearchConfig, found: SearchConfig) -> dict[str, tuple[Any, Any]]:
    """Keys in which two configurations differ, as `table.key` -> (asked, found)."""
    if asked.distill != found.distill:
        from distill.losses.mix import parse_mix  # imports torch

        if parse_mix(asked.distill) == parse_mix(found.distill):  # said in two ways
            asked = replace(asked, distill=found.distill)
    left, right = _flat(asked.to_tables()), _flat(found.to_tables())
    return {
        key: (left.get(key), right.get(key))
        for key in sorted(left.keys() | right.keys())
        if left.get(key) != right.get(key)
    }


def told(different: Mapping[str, tuple[Any, Any]]) -> str:
    """What `differences` found, by the names of arguments."""
    found = []
    for key, (asked, there) in different.items():
        table, _, name = key.partition(".")
        name = table if name == "source" else _ARGUMENTS.get(name, _UNIT.sub("", name))
        found.append(f"`{name}`: {there!r} in the run, {asked!r} asked")
    return "; ".join(found)


def _flat(tables: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    flat = {
        f"{name}.{key}": value for name, table in tables.items() for key, value in table.items()
    }
    flat["target.board"] = ",".join([flat["target.board"], *flat.pop("target.also", [])])
    return flat


def asked_search(
    given: Mapping[str, Any], out: Path | None, *, resume: bool
) -> tuple[SearchConfig, RunDir]:
    """The configuration of a search and its folder, checked but not touched.

    Args:
        given: see `nas.run.resolve.resolve`; `config` beside it is the path of a `run.toml`, or of
            a folder that holds one, from which comes what is not given.
        out: the folder; the next free one of `results/` unless given.
        resume: continue the run that is there; what is not given is taken from it.

    Raises:
        BudgetError, ConfigError, RunError: as `resolve`, `choose` and `check_same`.
    """
    asked = {name: value for name, value in given.items() if name != "config"}
    source = given.get("config")
    if not resume:
        # before anybody looks at folders
        config = resolve(asked, None if source is None else _config_of(Path(source)))
        return config, choose(out, resume=False)
    if source is not None:
        raise ConfigError(
            "`resume` takes what is not given from the run; leave `config` out, or choose another "
            "`out` for a new run with it"
        )
    run = choose(out, resume=True)
    config = resolve(asked, run.document().config)
    check_same(config, run)
    return config, run


def _config_of(path: Path) -> SearchConfig:
    """What the run was asked whose `run.toml` this is, or lies in this folder."""
    file = path / "run.toml" if path.is_dir() else path
    if file.suffix != ".toml":
        raise ConfigError(f"`config` is {path}; pass a run.toml, or the folder of a run")
    missing = "pass the run.toml that a search wrote"
    return read_document(file, RunDocument.from_toml, missing=missing).config


def claim(
    run: RunDir, config: SearchConfig, space: SearchSpace, people: People, *, command: str
) -> None:
    """Write `run.toml`, or check that the one that is there asks for the same.

    Raises:
        RunError: another search has claimed the folder.
    """
    document = RunDocument(
        config=config,
        version=__version__,
        command=command,
        created=timestamp(),
        space_size=str(space.size),
        synthetic=people.synthetic,
        fingerprint=people.fingerprint,
        front_end=PREPARATION["front_end"],
        recipe=PREPARATION.get("recipe"),
        recordings=len(people.recordings),
        people=len({recording.person for recording in people.recordings}),
        split=people.split,
        one_person=people.one_person,
        unlabelled=people.unlabelled.facts if people.unlabelled else None,
        smoothing=fit_transitions(people.train, space.task),
        versions=versions(),
    )
    if run.exists:
        check_same(config, run)
        _check_same_people(run, document)
    else:
        run.write_document(document)


def _check_same_people(run: RunDir, now: RunDocument) -> None:
    began = run.document()
    pairs = [("recordings", began.fingerprint, now.fingerprint)]
    if began.unlabelled is not None and now.unlabelled is not None:
        prints = began.unlabelled.fingerprint, now.unlabelled.fingerprint
        pairs.append(("recordings without a reference", *prints))
    for what, old, new in pairs:
        if old != new:
            raise RunError(
                f"the {what} changed since {run.path} was started (fingerprint {old[:12]} in the "
                f"run, {new[:12]} now). Bring them back, or choose another `out` for a new run"
            )
    if began.preparation != now.preparation:
        raise RunError(
            f"{run.path} was started by a ppgnas that prepared training windows in "
            f"another way ({_listed(began.preparation)}; here {_listed(now.preparation)}), and "
            "its teacher and networks do not fit what would follow. Finish it with that version, "
            "or choose another `out` for a new run"
        )
    if began.split != now.split:
        raise RunError(
            f"the split of people is not the one {run.path} was started with, and "
            "somebody it trained on may now be a report person. Bring the split file back, or "
            "choose another `out` for a new run"
        )


def _listed(facts: Mapping[str, str | None]) -> str:
    return ", ".join(f"{key} {value or 'unnamed'}" for key, value in facts.items())
