"""Which sampler of Optuna, or of OptunaHub, a name stands for.

A killed search goes on to the same candidates where a sampler keeps what it knows in trials, as
those with short names do. `QMCSampler` counts in memory, so after a kill it begins anew.
"""

from __future__ import annotations

import inspect
import os
import random
import re
import warnings
from collections.abc import Container
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseGASampler, BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from nas.run.config import HUB, SAMPLERS, ConfigError
from search_spaces.arch import Arch
from search_spaces.space import SearchSpace

_POPULATION = 50
# After so many changes without a network that is new, hardly any is left.
_MOST_CHANGES: Final = 2000
_CLASSES = {
    "nsga2": "NSGAIISampler",
    "nsga3": "NSGAIIISampler",
    "tpe": "TPESampler",
    "gp": "GPSampler",
    "random": "RandomSampler",
}
_OPTIONS: dict[str, dict[str, object]] = {
    "NSGAIISampler": {"population_size": _POPULATION},
    "NSGAIIISampler": {"population_size": _POPULATION},
    "GPSampler": {"deterministic_objective": True},
}


def make_sampler(name: str, seed: int) -> BaseSampler:
    """A sampler by its short name, its class in Optuna, or `optunahub:PACKAGE[:CLASS]`.

    Args:
        name: for example `tpe`, `CmaEsSampler`, `optunahub:samplers/auto_sampler`.
        seed: what it draws with, where it takes one.

    Raises:
        ConfigError: there is none of this name, or it needs more than a seed.
    """
    if name.startswith(HUB):
        found = _of_hub(name)
    else:
        found = getattr(optuna.samplers, _CLASSES.get(name, name), None)
    if not (inspect.isclass(found) and issubclass(found, optuna.samplers.BaseSampler)):
        raise ConfigError(
            f"`sampler` is {name!r}; allowed: {', '.join(SAMPLERS)}, a class of optuna.samplers "
            f"such as CmaEsSampler, or {HUB}PACKAGE"
        )
    options = dict(_OPTIONS.get(found.__name__, {}))
    if "seed" in inspect.signature(found).parameters:
        options["seed"] = seed
    try:
        with warnings.catch_warnings():
            # NSGA-III and GP are experimental in Optuna 5; the version is pinned.
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return found(**options)
    except (TypeError, ImportError) as error:
        raise ConfigError(f"`sampler` {name} cannot be made from a seed alone: {error}") from error


class Fresh(BaseSampler):
    """What a sampler proposes, changed choice by choice within the trial until it is new.

    Kept as trials, what NSGA-II had proposed before was three trials in four of a long search.

    Args:
        space: whose networks are told apart.
        known: those that were proposed before.
        enqueued: trials before the first proposal, which are of the first generation.
    """

    def __init__(
        self,
        sampler: BaseSampler,
        space: SearchSpace,
        *,
        known: Container[Arch],
        enqueued: int,
        seed: int,
    ) -> None:
        self._sampler, self._space, self._known, self._seed = sampler, space, known, seed
        self._enqueued = enqueued
        self._choices = distributions(space)
        self._sorted: dict[str, BaseDistribution] = dict(sorted(self._choices.items()))

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """All choices, as they are proposed together."""
        return {**self._choices}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Choices of a network that is new, where one is found."""
        sampler = self._sampler
        if isinstance(sampler, BaseGASampler) and sampler.population_size is not None:
            trial = study._storage.get_trial(trial._trial_id)  # it knows its generation now
            # Every trial has all choices: looked for among trials, they come out the same.
            its_own = {n: c for n, c in self._sorted.items() if not c.single()}
        else:
            its_own = sampler.infer_relative_search_space(study, trial)
        drawn = sampler.sample_relative(study, trial, its_own)
        for name, choices in search_space.items():
            if name not in drawn:
                drawn[name] = sampler.sample_independent(study, trial, name, choices)
        arch, rng = self._space.build(drawn), random.Random(self._seed)
        if arch not in self._known:
            return drawn
        for _ in range(_MOST_CHANGES):
            arch = self._space.mutate(arch, rng, rate=0.0)
            if arch not in self._known:
                break
        return self._space.choices_of(arch)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: Any
    ) -> Any:
        """Never of a choice of the space."""
        return self._sampler.sample_independent(study, trial, param_name, param_distribution)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Told on; a genetic sampler is told the generation, of an enqueued trial too.

        Left alone, it counts all trials: 2 ms of 10,000. They come one after the other. What is
        enqueued are the first parents; a population is filled up by chance.
        """
        self._sampler.before_trial(study, trial)
        sampler = self._sampler
        if isinstance(sampler, BaseGASampler) and (size := sampler.population_size) is not None:
            later = trial.number - max(size, self._enqueued)
            generation = 0 if later < 0 else 1 + later // size
            key = sampler._get_generation_key()
            study._storage.set_trial_system_attr(trial._trial_id, key, generation)

    def after_trial(
        self, study: Study, trial: FrozenTrial, state: TrialState, values: Any
    ) -> None:
        """Told on."""
        self._sampler.after_trial(study, trial, state, values)


def remember_parents(sampler: BaseSampler) -> None:
    """Let a genetic sampler keep a generation's parents, once it has looked for them among trials.

    It does so for every trial, in 6 ms of 10,000. The first time it selects them, in another order
    than that in which it finds them from then on; both stay as they are.
    """
    if not isinstance(sampler, BaseGASampler):
        return
    look, selected = sampler.get_parent_population, set[int]()
    found: dict[int, list[FrozenTrial]] = {}

    def parents(study: Study, generation: int) -> list[FrozenTrial]:
        if generation in found:
            return found[generation]
        here = look(study, generation)
        if generation in selected:
            found.clear()
            found[generation] = here
        selected.add(generation)
        return here

    vars(sampler)["get_parent_population"] = parents


@cache
def distributions(space: SearchSpace) -> dict[str, CategoricalDistribution]:
    """The choices of a space as Optuna knows them."""
    return {name: CategoricalDistribution(values) for name, values in space.dimensions.items()}


def reseed(sampler: BaseSampler, seed: int) -> None:
    """Let a sampler, and those within it, draw on as ones that were made with this seed.

    Optuna reseeds by chance alone. Making a sampler anew for each trial would do as well, but it
    compares the choices of all trials before it proposes anything: 0.1 s a trial at 800 of them.
    """
    for value in vars(sampler).values():
        state = getattr(value, "rng", None)
        if isinstance(state, np.random.RandomState):
            state.seed(seed)
        elif hasattr(value, "sample_relative"):
            reseed(value, seed)


def check_sampler(name: str, objectives: int) -> None:
    """Refuse a sampler that cannot propose categories for so many objectives.

    Raises:
        ConfigError: it is unknown, or fails on two trials.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(directions=["minimize"] * objectives)
    for number in range(2):
        study.sampler = make_sampler(name, number)
        try:
            trial = study.ask()
            trial.suggest_categorical("choice", (1, 2, 3))
            study.tell(trial, (1.0,) * objectives)
        except (ValueError, RuntimeError, NotImplementedError, TypeError) as error:
            raise ConfigError(
                f"`sampler` {name} does not search {objectives} objectives over choices: {error}. "
                f"Choose one of {', '.join(SAMPLERS)}"
            ) from error


def _of_hub(name: str) -> object:
    """The class of a package of OptunaHub: the one that is named, or its only sampler."""
    try:
        import optunahub
    except ImportError as error:
        raise ConfigError(
            f"`sampler` {name} is a package of OptunaHub, which is not installed: "
            "pip install optunahub"
        ) from error
    package, _, wanted = name.removeprefix(HUB).partition(":")
    if not re.fullmatch(r"[A-Za-z0-9_]+(/[A-Za-z0-9_]+)+", package):
        raise ConfigError(f"`sampler` is {name!r}; write it as {HUB}samplers/auto_sampler")
    cache = os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")
    folder = Path(os.environ.get("OPTUNAHUB_CACHE_HOME", Path(cache) / "optunahub"))
    registry = folder / "github.com" / "optuna" / "optunahub-registry" / "main" / "package"
    if not (registry / package).is_dir():
        raise ConfigError(
            f"`sampler` {name} is not installed ({registry / package}). A search opens no "
            f"connection; fetch it once: python -c 'import optunahub; "
            f'optunahub.load_module("{package}")\''
        )
    try:
        module = optunahub.load_local_module(package, registry_root=str(registry))
    except ImportError as error:
        raise ConfigError(f"`sampler` {name} needs more than is installed: {error}") from error
    classes = [
        each
        for each in vars(module).values()
        if inspect.isclass(each)
        and issubclass(each, optuna.samplers.BaseSampler)
        and not each.__module__.startswith("optuna.")
    ]
    if wanted:
        classes = [each for each in classes if each.__name__ == wanted]
    if len(classes) != 1:
        listed = ", ".join(each.__name__ for each in classes) or "none"
        raise ConfigError(f"`sampler` {name} has not one sampler but: {listed}; add :CLASS")
    return classes[0]
