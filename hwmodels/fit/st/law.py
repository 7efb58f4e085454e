"""Fit of ST's tools on whole networks; `python -m hwmodels.fit` writes the file.

One law of `hwmodels.engines.st.FEATURES` for all cores together: 9, 10 and ST Edge AI 3 and 4 run
alike, so their networks share its coefficients, and a core has one ratio to the Cortex-M7. An
older version is that law with a factor for arithmetic and one for all else. What windows along one
axis, wide depthwise windows and averages take more is told by all older versions together: few
networks have these, and none of 7.3 the first. The form was chosen among some sixty by the error
of networks that were left out, the last two terms by that of whole families of networks. Networks
are weighted so that one which was timed on four boards counts once, under whatever names it was
published.

Weights that do not fit the instruction cache are read again on a Cortex-M33 (`streamed_macs`); on
the other cores the networks do not tell them from their MACs, nor do the older versions.

Held out is a network with all of its measurements, whatever the board and version. Beside that, a
network and the board it was timed on are left out together: a board that nothing is known of.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hwmodels.engines import file
from hwmodels.engines.engine import SMALL_MACS
from hwmodels.engines.file import LimitsFile
from hwmodels.engines.kernels import paid_elements
from hwmodels.engines.load import DATA_DIR, assumed_cycles
from hwmodels.engines.st import ARITHMETIC, FEATURES, features
from hwmodels.fit.law_file import around_one, significant
from hwmodels.fit.regression import Array, HeldOut, half_width, pair_width, solve
from hwmodels.fit.st import memory as st_memory
from hwmodels.fit.timings import STREAMING, TimedNetwork, alike, timed_networks
from hwmodels.operators import WEIGHTED_OPS

VERSIONS = {"3": "st-edge-ai", "10": "st-edge-ai-10", "8.1": "st-edge-ai-8.1",
            "7.3": "st-edge-ai-7.3"}  # fmt: skip
CURRENT = ("3", "10")
CORES = ("Cortex-M7", "Cortex-M33", "Cortex-M4F")
# Of a core without any network; boards say the same (`core_ratio`).
TYPICAL = {"Cortex-M7": 1.0, "Cortex-M33": 1.5, "Cortex-M4F": 1.9}
# Of an interval: nine are the fewest of which 90 % are not all.
FEWEST_POINTS = 9
FEWEST_NETWORKS = 6
ST_TOML = DATA_DIR / "st_tools.toml"
_ROUNDS = 12
_STREAMED = FEATURES.index("streamed_macs")
_LINE = [i for i, name in enumerate(FEATURES) if name.startswith("line_")]
_OF_LINE = [FEATURES.index(FEATURES[i].removeprefix("line_")) for i in _LINE]
# Beside `_LINE`, what only older versions take.
_OLDER = [FEATURES.index(name) for name in ("wide_depthwise_macs", "averaged")]
# Four tiny networks, float at their ends, that need two to three times what all others say.
_APART = "STM32L4R9"


@dataclass(frozen=True)
class Point:
    """One timed network.

    Attributes:
        group: networks of the same layers are left out together.
        features: `FEATURES`, summed over its layers.
        fixed: cycles of a Cortex-M7 that the engine file gives.
    """

    network: TimedNetwork
    group: str
    features: Array
    fixed: float
    macs: float


@dataclass(frozen=True)
class Law:
    """Coefficients of a Cortex-M7 and the ratios of the cores."""

    coefficients: Array
    ratios: dict[str, float]

    def cycles(self, point: Point) -> float:
        """Cycles of a network on its core."""
        core = point.network.core
        own = self.coefficients.copy()
        if core != "Cortex-M33":
            own[_STREAMED] = 0.0
        return float(point.features @ own + point.fixed) * self.ratios.get(core, TYPICAL[core])


Laws = dict[str, Law]


@dataclass(frozen=True)
class Errors:
    """Held-out predictions of all points.

    Attributes:
        points: in the order of the predictions.
        known: the network is left out.
        unknown: the network, and all others on its board.
    """

    points: tuple[Point, ...]
    known: HeldOut
    unknown: HeldOut

    def at(self, rows: list[int], *, board_known: bool = True) -> HeldOut:
        """The points of these indices."""
        every = self.known if board_known else self.unknown
        groups = tuple(every.groups[i] for i in rows)
        return HeldOut(every.measured[rows], every.predicted[rows], groups)


def other_cycles(network: TimedNetwork, dispatch: float, elements: Mapping[str, float]) -> float:
    """Cycles that the engine file gives: of every call, and of operators without weights."""
    return sum(dispatch + elements.get(op, 0.0) * paid_elements(op, g) for op, g in network.layers)


def points() -> list[Point]:
    """Networks of the versions that have a law."""
    assumed = {version: assumed_cycles(name) for version, name in VERSIONS.items()}
    found = []
    for network in timed_networks("ST"):
        apart = network.model == STREAMING or network.mcu == _APART
        if network.version in VERSIONS and not apart:
            sums = np.sum([features(op, g) for op, g in network.layers], axis=0)
            fixed = other_cycles(network, *assumed[network.version])
            group = alike()[network.model]
            found.append(Point(network, group, sums, fixed, float(sums[0] + sums[1])))
    return found


def fit(rows: list[Point]) -> Laws:
    """Laws of all versions."""
    current = _fit_current([p for p in rows if p.network.version in CURRENT])
    return dict.fromkeys(CURRENT, current) | _fit_older(
        [p for p in rows if p.network.version not in CURRENT], current.coefficients
    )


def _fit_current(rows: list[Point]) -> Law:
    design = np.array([p.features for p in rows])
    design[[p.network.core != "Cortex-M33" for p in rows], _STREAMED] = 0.0
    design[:, [*_LINE, *_OLDER]] = 0.0
    versions = [CURRENT[0]] * len(rows)
    coefficients, ratios = _alternate(rows, design, versions)
    return Law(coefficients, ratios[CURRENT[0]])


def _fit_older(rows: list[Point], current: Array) -> Laws:
    arithmetic = np.array([name in ARITHMETIC for name in FEATURES])
    others = ~arithmetic
    others[_STREAMED] = False
    own = np.array([arithmetic, others]) * current
    shared = np.zeros((1 + len(_OLDER), len(FEATURES)))
    shared[0, _LINE] = current[_OF_LINE]
    shared[range(1, 1 + len(_OLDER)), _OLDER] = 1.0
    versions = [p.network.version for p in rows]
    known = [version for version in VERSIONS if version in versions]
    features = np.array([p.features for p in rows])
    ownership = np.array([[version == v for v in known] for version in versions])
    design = np.hstack(
        [*((features @ own.T) * owned[:, None] for owned in ownership.T), features @ shared.T]
    )
    found, ratios = _alternate(rows, design, versions)
    *factors, more = np.split(found, range(2, 2 * len(known) + 1, 2))
    return {
        version: Law(factor @ own + more @ shared, ratios[version])
        for version, factor in zip(known, factors, strict=True)
    }


def _alternate(
    rows: list[Point], design: Array, versions: Sequence[str]
) -> tuple[Array, dict[str, dict[str, float]]]:
    """Coefficients for ratios of the cores by version, ratios for coefficients, in turn."""
    counts = Counter(zip(versions, (p.group for p in rows), strict=True))
    weights = np.array([counts[v, p.group] ** -0.5 for v, p in zip(versions, rows, strict=True)])
    cycles = np.array([p.network.cycles for p in rows])
    fixed = np.array([p.fixed for p in rows])
    keys = [(version, p.network.core) for version, p in zip(versions, rows, strict=True)]
    ratios = {key: 1.0 if key[1] == "Cortex-M7" else 1.5 for key in keys}
    coefficients = np.zeros(design.shape[1])
    for _ in range(_ROUNDS):
        base = cycles / np.array([ratios[key] for key in keys])
        coefficients = solve(design, base, fixed, weights=weights)
        share = (design @ coefficients + fixed) / cycles
        for key in ratios:
            own = np.array([other == key for other in keys])
            if key[1] != "Cortex-M7":
                weighted = weights[own] ** 2 * share[own]
                ratios[key] = float(weighted.sum() / (weighted @ share[own]))
    by_version: dict[str, dict[str, float]] = defaultdict(dict)
    for (version, core), ratio in ratios.items():
        by_version[version][core] = ratio
    return coefficients, by_version


def held_out(rows: list[Point]) -> Errors:
    """Every network predicted by laws that did not see it, and by such that saw no such board."""
    measured = np.array([p.network.cycles for p in rows])
    groups = tuple(p.group for p in rows)
    known = HeldOut(measured, _predict(rows, lambda p: (p.group,)), groups)
    unknown = HeldOut(measured, _predict(rows, lambda p: (p.group, p.network.mcu)), groups)
    return Errors(tuple(rows), known, unknown)


def _predict(rows: list[Point], keys: Callable[[Point], tuple[Hashable, ...]]) -> Array:
    """Each point by laws of the points that share none of its keys."""
    laws: dict[tuple[Hashable, ...], Laws] = {}
    predicted = np.empty(len(rows))
    for index, point in enumerate(rows):
        own = keys(point)
        if own not in laws:
            laws[own] = fit([p for p in rows if not {*own} & {*keys(p)}])
        law = laws[own].get(point.network.version, next(iter(laws[own].values())))
        predicted[index] = law.cycles(point)
    return predicted


def document(rows: list[Point], laws: Laws, errors: Errors) -> file.StFit:
    """What the file holds."""
    memory = st_memory.fit_all()
    versions = {
        version: file.StVersion(
            memory=memory[version].document(),
            cores={
                core: _entry(version, core, law, errors)
                for core in CORES
                if any(_is(p, version, core) for p in rows)
            },
        )
        for version, law in laws.items()
    }
    return file.StFit(source="whole_networks.csv, network_memory.csv", versions=versions)


def told(points: Sequence[Point], index: int, *, board_known: bool) -> bool:
    """Whether the law that predicts a held-out point knows what kinds of layers it has.

    A board that alone tells of windows along one axis under an older version is a new kind of
    layer when it is left out, and no longer only a new board.
    """
    point = points[index]
    if board_known or point.network.version in CURRENT or not point.features[_LINE].any():
        return True
    return any(
        p.features[_LINE].any()
        and p.network.version == point.network.version
        and p.network.mcu != point.network.mcu
        and p.group != point.group
        for p in points
    )


def regime_rows(
    errors: Errors, version: str, core: str, *, small: bool, board_known: bool
) -> list[int]:
    """Indices of the points that make an interval: of one version, core and size.

    Where these are too few (`FEWEST_POINTS`, `FEWEST_NETWORKS`), those of all cores stand for
    them, and where these are too few, those of all versions.
    """
    size = [
        i for i, p in enumerate(errors.points)
        if (p.macs < SMALL_MACS) == small and told(errors.points, i, board_known=board_known)
    ]  # fmt: skip
    of_version = [i for i in size if is_version(errors.points[i], version)]
    of_core = [i for i in of_version if errors.points[i].network.core == core]
    for rows in (of_core, of_version):
        networks = {errors.points[i].group for i in rows}
        if len(rows) >= FEWEST_POINTS and len(networks) >= FEWEST_NETWORKS:
            return rows
    return size


def is_version(point: Point, version: str) -> bool:
    """A point counts for the errors of a version; the current ones share theirs."""
    return point.network.version in (CURRENT if version in CURRENT else (version,))


def share_inside(errors: Errors, rows: list[int], version: str, *, board_known: bool) -> float:
    """Share of points inside the intervals that the engine gives, made without their network.

    A network counts once, on however many boards and cores.
    """
    shares: dict[str, list[bool]] = defaultdict(list)
    every = errors.known if board_known else errors.unknown
    for i in rows:
        point = errors.points[i]
        small = point.macs < SMALL_MACS
        pool = regime_rows(
            errors, version, point.network.core, small=small, board_known=board_known
        )
        others = [j for j in pool if errors.points[j].group != point.group]
        reach = half_width(every.residuals[others]) * (1 + 1e-9)
        shares[point.group].append(abs(every.residuals[i]) <= reach)
    return float(np.mean([np.mean(inside) for inside in shares.values()]))


def _is(point: Point, version: str, core: str) -> bool:
    return point.network.core == core and is_version(point, version)


def _entry(version: str, core: str, law: Law, errors: Errors) -> file.StLaw:
    ratio = law.ratios.get(core, 1.0)
    coefficients = law.coefficients * ratio
    if core != "Cortex-M33":
        coefficients[_STREAMED] = 0.0
    rows = [i for i, p in enumerate(errors.points) if _is(p, version, core)]
    every = [errors.points[i] for i in rows]
    shapes = [g for p in every for op, g in p.network.layers if op in WEIGHTED_OPS]

    def interval(*, small: bool, seen: bool) -> file.Bounds:
        rows = regime_rows(errors, version, core, small=small, board_known=seen)
        return around_one(half_width(errors.at(rows, board_known=seen).residuals))

    def anchored(*, small: bool) -> file.Bounds:
        pool = regime_rows(errors, version, core, small=small, board_known=True)
        networks = [errors.points[i].network for i in pool]
        boards = [(n.mcu, n.version) for n in networks]
        return around_one(pair_width(errors.at(pool).residuals, boards))

    return file.StLaw(
        note=f"{len(every)} measurements, leave one network out",
        ratio=round(ratio, 4),
        features=FEATURES,
        cycles=significant(coefficients, 5),
        seen_small=interval(small=True, seen=True),
        seen_large=interval(small=False, seen=True),
        new_small=interval(small=True, seen=False),
        new_large=interval(small=False, seen=False),
        anchored_small=anchored(small=True),
        anchored_large=anchored(small=False),
        mean_error=round(errors.at(rows).mape, 4),
        networks=len({p.group for p in every}),
        parts=tuple(sorted({p.network.mcu for p in every})),
        limits=LimitsFile.of(shapes),
        lines=any(p.features[_LINE].any() for p in errors.points if is_version(p, version)),
    )
