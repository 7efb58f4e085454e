"""What a candidate is judged by: its limits, its objectives and the fixed reference point.

Conventions: every objective is minimised; a constraint is feasible when <= 0 and is the share by
which a limit is exceeded, `cost / limit - 1`, so that constraints of different units compare.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from hwmodels.boards import Board
from hwmodels.costs import Costs
from hwmodels.power import PERIOD_S
from nas.run.candidates import Candidates
from nas.run.config import Budgets, ConfigError, Objective, Scope
from nas.run.units import format_bytes
from ppgnas.errors import NothingFitsError
from ppgnas.tables import counted
from search_spaces.arch import Arch
from search_spaces.space import SearchSpace

CostOf = Callable[[Arch], Costs]

# The worst MAE that counts: guessing the mean heart rate of a day with exercise is about as far.
REFERENCE_MAE_BPM = 30.0
USEFUL = 2.0
# Field of `Costs` and of candidates.json for each objective.
FIELDS = {
    "mae": "mae_bpm",
    "latency": "latency_ms",
    "flash": "flash_bytes",
    "sram": "sram_bytes",
    "power": "power_mw",
}
_OPTIONS = {"flash": "`budget`", "latency": "`latency`", "sram": "`sram`", "power": "`power`"}
_WALK_STEPS = 300
_REFERENCE_MARGIN = 2.0


@dataclass(frozen=True)
class Elsewhere:
    """A further board on which limits hold."""

    board: str
    cost_of: CostOf
    limits: Mapping[str, float]


@dataclass(frozen=True)
class Problem:
    """Limits and objectives of one search.

    Attributes:
        objectives: names, see `FIELDS`.
        limits: name -> limit; names are those of `_OPTIONS`, `board flash`, `board sram` and
            `period`, which a reading may take.
        flash_scope: of the budgets; with `model`, `limits["flash"]` is one on the weights.
        reference: field -> the corner of the hypervolume box; its other corner is zero.
    """

    objectives: tuple[Objective, ...]
    limits: Mapping[str, float]
    flash_scope: Scope
    reference: Mapping[str, float]
    elsewhere: tuple[Elsewhere, ...] = ()

    def constraints(self, arch: Arch, costs: Costs) -> dict[str, float]:
        """Share by which each limit is exceeded; <= 0 is feasible.

        Args:
            arch: the network, whose costs on further boards count too.
            costs: on the board that the objectives are of.
        """
        found = _constraints(costs, self.limits, self.flash_scope)
        for each in self.elsewhere:
            there = _constraints(each.cost_of(arch), each.limits, self.flash_scope)
            found.update((f"{each.board} {name}", excess) for name, excess in there.items())
        return found

    def fits(self, arch: Arch, costs: Costs) -> bool:
        """Whether no limit is exceeded."""
        return max(self.constraints(arch, costs).values()) <= 0

    def objective_values(self, mae_bpm: float, costs: Costs) -> tuple[float, ...]:
        """Values to minimise, in the order of `objectives`."""
        return tuple(
            mae_bpm if name == "mae" else float(getattr(costs, FIELDS[name]))
            for name in self.objectives
        )

    def in_words(self, mae_bpm: float, costs: Costs) -> str:
        """The objectives of a network: `2.13 BPM at 12.4 KB of SRAM`."""
        words = {
            "latency": f"{costs.latency_ms:.2f} ms",
            "flash": f"{format_bytes(costs.flash_bytes)} of flash",
            "sram": f"{format_bytes(costs.sram_bytes)} of SRAM",
            "power": f"{costs.power_mw:.3g} mW",
        }
        named = [words[name] for name in self.objectives if name != "mae"]
        return f"{mae_bpm:.2f} BPM at {' and '.join(named)}" if named else f"{mae_bpm:.2f} BPM"

    def by_ratio(self, mae_bpm: float, costs: Costs, *, least_bpm: float) -> tuple[float, ...]:
        """Logarithms of the objectives over a corner, which lies at zero.

        So a tenth less error counts the same at 2 and at 20 BPM, and half the latency at any. The
        corner is the reference, but for `USEFUL` times the least error: who errs more than that is
        of no use however small.
        """
        corner = {**self.reference}
        corner["mae_bpm"] = min(corner["mae_bpm"], USEFUL * least_bpm)
        values = self.objective_values(mae_bpm, costs)
        names = (FIELDS[name] for name in self.objectives)
        return tuple(math.log(v / corner[name]) for v, name in zip(values, names, strict=True))

    @property
    def reference_values(self) -> tuple[float, ...]:
        """The reference point in the order of `objectives`."""
        return tuple(self.reference[FIELDS[name]] for name in self.objectives)


@dataclass(frozen=True)
class Probe:
    """What is known before anything is trained.

    Attributes:
        problem: limits, objectives and the reference point.
        start: an architecture that fits every limit.
    """

    problem: Problem
    start: Arch


def probe(
    space: SearchSpace,
    cost_of: CostOf,
    *,
    budgets: Budgets,
    objectives: tuple[Objective, ...],
    board: Board,
    period_s: float = PERIOD_S,
    elsewhere: Sequence[Elsewhere] = (),
) -> Probe:
    """Check that something fits, and fix the reference point.

    The reference of a cost is its limit, or, without one, twice the highest cost met on a walk
    through architectures that fit. The walk draws with a seed of its own: runs over one space,
    board and set of budgets share the reference point, whatever their seed.

    Raises:
        NothingFitsError: no architecture was found that fits; says which budget stops it.
        ConfigError: power says nothing beside latency.
    """
    _check_power(space, objectives, budgets)
    limits = limits_of(budgets, board, period_s)
    problem = Problem(objectives, limits, budgets.scope, {}, tuple(elsewhere))
    for own in (Elsewhere("", cost_of, limits), *elsewhere):
        alone = replace(problem, limits=own.limits, elsewhere=())
        nearest = descend(space, (space.smallest(),), _badness(alone, own.cost_of))
        if not alone.fits(nearest, own.cost_of(nearest)):
            where = f"On {own.board}, " if own.board else ""
            said = _nothing_fits(space, own.cost_of, nearest, own.limits, budgets.scope)
            raise NothingFitsError(where + said)
    start = descend(space, (nearest,), _badness(problem, cost_of))
    if not problem.fits(start, cost_of(start)):
        raise NothingFitsError(
            f"something in the space {space.name!r} fits each of the boards, but nothing fits "
            "them all; raise a budget, or leave a board out"
        )
    highest = _walk(space, cost_of, start, problem)
    reference = {"mae_bpm": REFERENCE_MAE_BPM}
    for name in objectives:
        if name == "mae":
            continue
        limited = name in budgets.limits and not (name == "flash" and budgets.scope == "model")
        value = limits[name] if limited else _REFERENCE_MARGIN * highest[FIELDS[name]]
        reference[FIELDS[name]] = _three_digits(value)
    return Probe(replace(problem, reference=reference), start)


def limits_of(budgets: Budgets, board: Board, period_s: float) -> dict[str, float]:
    """Budgets, what a board holds and the time until the next reading, as `Problem.limits`."""
    holds = {"board flash": float(board.flash_bytes), "board sram": float(board.sram_bytes)}
    return {**budgets.limits, **holds, "period": 1e3 * period_s}


def field_of(name: str) -> str:
    """The field of `Costs` that a limit is of."""
    return FIELDS["latency" if name == "period" else name.removeprefix("board ")]


def _badness(problem: Problem, cost_of: CostOf) -> Callable[[Arch], tuple[float, ...]]:
    """The excess of all limits together, for `descend`."""

    def badness(arch: Arch) -> tuple[float, ...]:
        return (sum(max(0.0, each) for each in problem.constraints(arch, cost_of(arch)).values()),)

    return badness


def _check_power(space: SearchSpace, objectives: tuple[Objective, ...], budgets: Budgets) -> None:
    """Power differs from latency by sensors alone: by what is measured, and how often."""
    inputs = len(space.acceleration) * len(space.rate_hz)
    if {"power", "latency"} <= set(objectives) and not (budgets.count_path and inputs > 1):
        why = (
            f"all networks of the space {space.name!r} read the same sensors"
            if budgets.count_path
            else f"`budget_scope` is {budgets.scope}, which leaves the sensors out"
        )
        raise ConfigError(
            f"`objectives` holds latency and power, and {why}: power is then the board's sleep "
            "plus a multiple of the latency, and orders networks the same. Leave one of them out"
        )


def _three_digits(value: float) -> float:
    """Rounded up to three digits: a round figure that every candidate still lies below."""
    scale = 10.0 ** (math.floor(math.log10(value)) - 2)
    return float(f"{math.ceil(value / scale - 1e-9) * scale:.10g}")


def descend(
    space: SearchSpace, starts: Sequence[Arch], badness: Callable[[Arch], tuple[float, ...]]
) -> Arch:
    """Coordinate descent from the best of `starts`: one choice at a time while that is better.

    Deterministic; ends at an architecture that no single change of a choice improves.

    Args:
        starts: at least one architecture.
        badness: to be lowered; entries count in order, later ones break ties.
    """
    best = min(starts, key=badness)
    lowest = badness(best)
    improved = True
    while improved:
        improved = False
        for name, values in space.dimensions.items():
            choices = space.choices_of(best)
            for value in values:
                if value == choices[name]:
                    continue
                arch = space.build({**choices, name: value})
                found = badness(arch)
                if found < lowest:
                    best, lowest, improved = arch, found, True
    return best


def _walk(space: SearchSpace, cost_of: CostOf, start: Arch, problem: Problem) -> dict[str, float]:
    """Highest cost of each kind among feasible architectures met on a random walk."""
    rng = random.Random(0)
    here = start
    first = cost_of(start)
    highest = {field: float(getattr(first, field)) for field in sorted(_COSTS)}
    for _ in range(_WALK_STEPS):
        arch = space.mutate(here, rng)
        costs = cost_of(arch)
        if problem.fits(arch, costs):
            here = arch
            for field in highest:
                highest[field] = max(highest[field], float(getattr(costs, field)))
    return highest


_COSTS = frozenset(FIELDS.values()) - {"mae_bpm"}


def cost_of_limit(costs: Costs, name: str, scope: Scope) -> float:
    """What a limit of this name (see `Problem`) is compared with."""
    if name == "flash":
        return float(costs.weight_bytes if scope == "model" else costs.flash_bytes)
    return float(getattr(costs, field_of(name)))


def _constraints(costs: Costs, limits: Mapping[str, float], scope: Scope) -> dict[str, float]:
    return {name: cost_of_limit(costs, name, scope) / limit - 1 for name, limit in limits.items()}


def _excess(costs: Costs, limits: Mapping[str, float], scope: Scope) -> float:
    return sum(max(0.0, value) for value in _constraints(costs, limits, scope).values())


def _nothing_fits(
    space: SearchSpace, cost_of: CostOf, closest: Arch, limits: Mapping[str, float], scope: Scope
) -> str:
    """The message: what stops it, the closest candidate, the smallest budget that would fit."""
    costs = cost_of(closest)
    lines = [f"nothing in the space {space.name!r} fits the budgets."]
    for name, limit in limits.items():
        # Cheapest in this respect among those that keep the other limits, which come first.
        others = {key: value for key, value in limits.items() if key != name}

        def badness(
            arch: Arch, name: str = name, others: Mapping[str, float] = others
        ) -> tuple[float, float]:
            found = cost_of(arch)
            return _excess(found, others, scope), cost_of_limit(found, name, scope)

        cheapest = descend(space, (closest, space.smallest()), badness)
        excess, needed = badness(cheapest)
        if needed <= limit:
            continue  # this limit alone does not stop it
        shown = f"{_shown(name, needed)} against {_shown(name, limit)} allowed"
        if name.startswith("board "):
            lines.append(f"The {name} stops it: at least {shown}. Choose a larger `board`.")
            continue
        if name == "period":
            lines.append(
                f"The time from one reading to the next stops it: at least {shown}. Choose a "
                "faster `board`, or a longer `rate` or `stride`."
            )
            continue
        option = _OPTIONS[name]
        if excess > 0:
            lines.append(f"{option} stops it: at least {shown}, and other budgets stop it too.")
        else:
            lines.append(
                f"{option} stops it: at least {shown}. The smallest that would fit is "
                f"{option} {_option_value(name, needed)}."
            )
    if "flash" in limits and scope != "model" and costs.flash_bytes > limits["flash"]:
        path = f", {format_bytes(costs.path_flash_bytes)} front end and decoder"
        narrower = "`budget_scope` network leaves these out, model code and runtime too."
        lines.append(
            f"Of the closest candidate's flash, {format_bytes(costs.weight_bytes)} are weights"
            + (
                f"{path}; {narrower}"
                if scope == "total"
                else "; `budget_scope` model leaves code and runtime out of the count."
            )
        )
    lines.append(
        f"Closest candidate: {closest.id} with {format_bytes(costs.flash_bytes)} of flash, "
        f"{costs.latency_ms:.3g} ms, {format_bytes(costs.sram_bytes)} of SRAM, "
        f"{costs.power_mw:.3g} mW."
    )
    lines.append("Raise a budget, or choose another `space`, `board` or `engine`.")
    return "\n".join(lines)


def _shown(name: str, value: float) -> str:
    if name.endswith(("flash", "sram")):
        return format_bytes(value)
    return f"{value:.4g} {'mW' if name == 'power' else 'ms'}"


def _option_value(name: str, value: float) -> str:
    """The value rounded up, as the option takes it."""
    if name in ("flash", "sram"):
        return f"{math.ceil(value / 1024)}KB"
    return f"{_three_digits(value):g}{'ms' if name == 'latency' else 'mW'}"


LEAST_ROOM = 1.1  # times the largest network; with less the budget is about what the space holds


def room_left(candidates: Candidates) -> dict[str, float]:
    """Budgets that every considered network keeps: the limit over the largest cost met."""
    budgets = candidates.budgets
    largest = {
        name: max(cost_of_limit(c.costs, name, budgets.scope) for c in candidates.candidates)
        for name in (budgets.limits if candidates.candidates else ())
    }
    return {
        name: budgets.limits[name] / cost
        for name, cost in largest.items()
        if 0 < LEAST_ROOM * cost <= budgets.limits[name]
    }


def room_words(candidates: Candidates) -> str:
    """The same in a sentence; empty where every budget acted."""
    room = room_left(candidates)
    if not room:
        return ""
    networks = counted(len(candidates.candidates), "network")
    listed = ", ".join(f"{name} {times:.2g}x" for name, times in room.items())
    which = "budget" if len(room) == 1 else "budgets"
    return (
        f"The {which} of {' and '.join(room)} never acted: the largest of "
        f"{networks} keeps {'it' if len(room) == 1 else 'them'} (room left: {listed}). A "
        "tighter one, or a search space of larger networks, would use it."
    )
