"""Fit of ST's tools on whole networks; `python -m hwmodels.fit` writes the file.

One law of `hwmodels.engines.st.FEATURES` for all cores together: 9, 10 and ST Edge AI 3 and 4 run
alike, so their networks share its coefficients, and a core has one ratio to the Cortex-M7. An
older version is that law with three factors, for arithmetic, for all else, and for windows along
one axis, of which 7.3 takes what 8.1 needs: nobody timed such networks under it. The form was
chosen among some twenty by the error of networks that were left out. Networks are weighted so
that one which was timed on four boards counts once, under whatever names it was published.

Weights that do not fit the instruction cache are read again on a Cortex-M33 (`streamed_macs`); on
the other cores the networks do not tell them from their MACs, nor do the older versions.

Held out is a network with all of its measurements, whatever the board and version. Beside that, a
network and the board it was timed on are left out together: a board that nothing is known of.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hwmodels.engines import file
from hwmodels.engines.engine import SMALL_MACS
from hwmodels.engines.file import LimitsFile
from hwmodels.engines.load import DATA_DIR, assumed_cycles
from hwmodels.engines.st import ARITHMETIC, FEATURES, features
from hwmodels.estimate import Estimate
from hwmodels.fit.law_file import bounds, significant
from hwmodels.fit.regression import Array, HeldOut, half_width, pair_width, solve
from hwmodels.fit.st import memory as st_memory
from hwmodels.fit.timings import TimedNetwork, alike, timed_networks
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
# Its published time includes the features of the sound.
_STREAMING = "mlcommons_tiny____str_ww_ref_model"
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

    @property
    def knows_lines(self) -> bool:
        """Networks with windows along one axis told what these take more."""
        return bool(self.coefficients[_LINE].any())

    def with_lines_of(self, other: Law) -> Law:
        """This law, with what windows along one axis take more from another."""
        coefficients = self.coefficients.copy()
        coefficients[_LINE] = other.coefficients[_LINE]
        return replace(self, coefficients=coefficients)

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

    def of(self, keep: Callable[[Point], bool], *, board_known: bool = True) -> HeldOut:
        """Those points that are kept."""
        rows = [i for i, point in enumerate(self.points) if keep(point)]
        return self.at(rows, board_known=board_known)

    def at(self, rows: list[int], *, board_known: bool = True) -> HeldOut:
        """The points of these indices."""
        every = self.known if board_known else self.unknown
        groups = tuple(every.groups[i] for i in rows)
        return HeldOut(every.measured[rows], every.predicted[rows], groups)


def other_cycles(network: TimedNetwork, dispatch: float, elements: Mapping[str, float]) -> float:
    """Cycles that the engine file gives: of every call, and of operators without weights."""
    return sum(
        dispatch + elements.get(op, 0.0) * g.taps * (g.cin if op.endswith("pool") else 1)
        for op, g in network.layers
    )


def points() -> list[Point]:
    """Networks of the versions that have a law."""
    assumed = {version: assumed_cycles(name) for version, name in VERSIONS.items()}
    found = []
    for network in timed_networks("ST"):
        apart = network.model == _STREAMING or network.mcu == _APART
        if network.version in VERSIONS and not apart:
            sums = np.sum([features(op, g) for op, g in network.layers], axis=0)
            fixed = other_cycles(network, *assumed[network.version])
            group = alike()[network.model]
            found.append(Point(network, group, sums, fixed, float(sums[0] + sums[1])))
    return found


def fit(rows: list[Point]) -> Laws:
    """Laws of all versions."""
    current = _fit_current([p for p in rows if p.network.version in CURRENT])
    laws = dict.fromkeys(CURRENT, current)
    for version in VERSIONS:
        own = [p for p in rows if p.network.version == version]
        if version not in CURRENT and own:
            laws[version] = _fit_older(own, current)
    known = next((law for law in laws.values() if law.knows_lines), current)
    return {
        version: law if version in CURRENT or law.knows_lines else law.with_lines_of(known)
        for version, law in laws.items()
    }


def _fit_current(rows: list[Point]) -> Law:
    design = np.array([p.features for p in rows])
    design[[p.network.core != "Cortex-M33" for p in rows], _STREAMED] = 0.0
    design[:, _LINE] = 0.0
    return _alternate(rows, design, lambda found: found)


def _fit_older(rows: list[Point], current: Law) -> Law:
    arithmetic = np.array([name in ARITHMETIC for name in FEATURES])
    others = ~arithmetic
    others[[_STREAMED, *_LINE]] = False
    line = np.zeros(len(FEATURES))
    line[_LINE] = current.coefficients[_OF_LINE]
    parts = np.array([*(np.array([arithmetic, others]) * current.coefficients), line])
    design = np.array([parts @ p.features for p in rows])
    return _alternate(rows, design, lambda found: found @ parts)


def _alternate(rows: list[Point], design: Array, whole: Callable[[Array], Array]) -> Law:
    """Coefficients for ratios of the cores, ratios for coefficients, in turn."""
    weights = _weights(rows)
    cycles = np.array([p.network.cycles for p in rows])
    fixed = np.array([p.fixed for p in rows])
    cores = np.array([p.network.core for p in rows])
    ratios = {"Cortex-M7": 1.0, **{core: 1.5 for core in CORES[1:] if core in cores}}
    coefficients = np.zeros(design.shape[1])
    for _ in range(_ROUNDS):
        base = cycles / np.array([ratios[core] for core in cores])
        coefficients = solve(design, base, fixed, weights=weights)
        share = (design @ coefficients + fixed) / cycles
        for core in ratios:
            own = cores == core
            if core != "Cortex-M7" and own.any():
                weighted = weights[own] ** 2 * share[own]
                ratios[core] = float(weighted.sum() / (weighted @ share[own]))
    return Law(whole(coefficients), ratios)


def _weights(rows: list[Point]) -> Array:
    counts = Counter(p.group for p in rows)
    return np.array([counts[p.group] ** -0.5 for p in rows])


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
    own = errors.of(lambda p: _is(p, version, core))
    every = [p for p in errors.points if _is(p, version, core)]
    shapes = [g for p in every for op, g in p.network.layers if op in WEIGHTED_OPS]

    def interval(*, small: bool, seen: bool) -> file.Bounds:
        rows = regime_rows(errors, version, core, small=small, board_known=seen)
        pool = errors.at(rows, board_known=seen)
        width = float(np.exp(half_width(pool.residuals)))
        return bounds(Estimate(1.0, 1 / width, width))

    def anchored(*, small: bool) -> file.Bounds:
        pool = regime_rows(errors, version, core, small=small, board_known=True)
        networks = [errors.points[i].network for i in pool]
        boards = [(n.mcu, n.version) for n in networks]
        width = float(np.exp(pair_width(errors.at(pool).residuals, boards)))
        return bounds(Estimate(1.0, 1 / width, width))

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
        mean_error=round(own.mape, 4),
        networks=len({p.group for p in every}),
        parts=tuple(sorted({p.network.mcu for p in every})),
        limits=LimitsFile.of(shapes),
        lines=any(p.features[_LINE].any() for p in errors.points if is_version(p, version)),
    )
