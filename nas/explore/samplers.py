"""Which sampler of Optuna, or of OptunaHub, a name stands for.

A killed search goes on to the same candidates where a sampler keeps what it knows in trials, as
those with short names do. `QMCSampler` counts in memory, so after a kill it begins anew.
"""

from __future__ import annotations

import inspect
import os
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nas.run.config import HUB, SAMPLERS, ConfigError

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

_POPULATION = 50
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
    import optuna

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
    import optuna

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
    """The class of a package of OptunaHub: the one that is named, or its only sampler.

    Raises:
        ConfigError: OptunaHub or the package is not installed, or it holds several samplers.
    """
    import optuna

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
