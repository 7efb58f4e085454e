from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from distill.training.effort import EFFORTS
from nas.run.claim import differences
from nas.run.config import Budgets, ConfigError, SearchConfig
from nas.run.resolve import resolve
from ppgnas.errors import BudgetError


def test_defaults_on_synthetic_data() -> None:
    config = resolve({"budget": "80KB", "latency": None})
    assert config.budgets == Budgets(flash_bytes=81920)
    assert config.objectives == ("mae", "latency", "flash")
    assert (config.effort, config.trials, config.sampler, config.seed) == (
        "quick",
        1500,
        "nsga2",
        0,
    )


def test_recordings_get_the_standard_effort_and_gp_fewer_trials() -> None:
    config = resolve({"budget": "80KB", "data": "recordings"})
    assert (config.effort, config.trials) == ("standard", 3000)
    assert resolve({"budget": "80KB", "sampler": "gp"}).trials == 150
    assert resolve({"budget": "80KB", "sampler": "gp", "trials": 7}).trials == 7


def test_a_repeated_search_takes_trials_for_its_own_sampler_unless_they_were_chosen() -> None:
    base = resolve({"budget": "80KB"})
    by_gp = resolve({"sampler": "gp"}, base)
    assert by_gp.trials == 150 and resolve({"sampler": "tpe"}, by_gp).trials == 1500
    assert resolve({"effort": "standard"}, base).trials == 3000
    chosen = resolve({"budget": "80KB", "trials": 70})
    assert resolve({"sampler": "gp"}, chosen).trials == 70
    assert resolve({"sampler": "gp", "trials": 9}, base).trials == 9


def test_the_first_board_gives_the_costs_and_the_others_are_kept() -> None:
    config = resolve({"budget": "80KB", "board": "nrf5340, stm32u585"})
    assert (config.board, config.also) == ("nrf5340", ("stm32u585",))
    tables = config.to_tables()
    assert tables["target"]["also"] == ["stm32u585"]
    assert SearchConfig.from_tables(tables) == config
    assert "also" not in resolve({"budget": "80KB"}).to_tables()["target"]
    one = resolve({"board": "nrf5340"}, config)
    assert one.also == () and set(differences(one, config)) == {"target.board"}


def test_every_quantity_is_read() -> None:
    config = resolve(
        {
            "budget": "1KB",
            "latency": "2ms",
            "sram": "3KB",
            "power": "4mW",
            "budget_scope": "model",
            "rate": "500ms",
            "objectives": "mae, flash",
        }
    )
    assert config.budgets == Budgets(1024, 2.0, 3072, 4.0, "model")
    assert config.budgets.limits == {
        "flash": 1024.0,
        "latency": 2.0,
        "sram": 3072.0,
        "power": 4.0,
    }
    assert config.period_s == 0.5
    assert config.objectives == ("mae", "flash")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"sampler": "annealing"}, "`sampler` is 'annealing'; allowed: nsga2, nsga3, tpe, gp"),
        ({"effort": "huge"}, "`effort` is 'huge'; allowed: smoke, quick, standard, thorough"),
        ({"budget_scope": "all"}, "`budget_scope` is 'all'; allowed: total, network, model"),
        ({"objectives": "latency,sram"}, "`objectives` is 'latency,sram'; name mae"),
        ({"objectives": "mae,mae"}, "each once"),
        ({"objectives": "mae,joy"}, "`objectives` is 'joy'; allowed: mae, latency"),
        ({"trials": 0}, "`trials` is 0; it must be at least 1"),
        ({"device": "gpu"}, "`device` is 'gpu'; allowed: auto, cpu, cuda"),
        ({"finalists": 0}, "`finalists` is 0; it must be at least 1"),
        ({"student_inputs": "acc"}, "`student_inputs` is 'acc'; allowed: ppg, ppg+acc"),
        ({"teacher_inputs": "ppg", "teacher": "none"}, "`teacher_inputs` is ppg, and `teacher`"),
        ({"seed": -1}, "`seed` is -1; allowed: 0 to 2147483647"),
        ({"seed": 2**32}, "`seed` is 4294967296; allowed: 0 to 2147483647"),
        ({"split": "s.json", "report_from": "bami2"}, "`split` s.json already names"),
        ({"report_data": "d", "report_from": "bami2"}, "both choose the report people"),
    ],
)
def test_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve({"budget": "80KB", **given})
    assert message in str(caught.value)
    assert caught.value.exit_code == 2


def test_without_any_budget() -> None:
    with pytest.raises(BudgetError, match="no budget is given; allowed: `budget`"):
        resolve({})
    assert resolve({"power": "2mW"}).budgets.limits == {"power": 2.0}


def test_tables_give_the_configuration_back() -> None:
    inputs = {"student_inputs": "ppg", "teacher_inputs": "ppg+acc", "channels": "1,-3"}
    config = resolve({"budget": "80KB", "sram": "20KB", "data": "d", "split": "s.json", **inputs})
    tables = config.to_tables()
    assert all(value is not None for table in tables.values() for value in table.values())
    assert SearchConfig.from_tables(tables) == config


def test_a_recipe_is_kept_where_it_is_not_the_usual_one() -> None:
    assert "recipe" not in resolve({"budget": "80KB"}).to_tables()["search"]
    tables = resolve({"budget": "80KB", "recipe": "prune-70"}).to_tables()
    tables["data"]["recipe"] = "of training windows"
    assert SearchConfig.from_tables(tables).recipe == "prune-70"


def test_the_mix_is_said_in_full_and_is_that_of_before_in_runs_of_before() -> None:
    config = resolve({"budget": "80KB"})
    assert config.distill == EFFORTS["quick"].mix
    assert resolve({"budget": "80KB", "teacher": "none"}).distill == "none"
    assert resolve({"budget": "80KB", "distill": "soft:2"}).distill == "soft:2"
    for teacher, before in (("resnet-small", "label:0.5,soft:0.5"), ("none", "none")):
        tables = resolve({"budget": "80KB", "teacher": teacher, "distill": "w1:1"}).to_tables()
        assert tables["search"].pop("distill") == "w1:1"
        assert SearchConfig.from_tables(tables).distill == before


@pytest.mark.parametrize(
    ("said", "other", "same"),
    [
        ("soft", "soft:1", True),
        ("soft:1,dkd@k=3:0.5", "dkd@k=3:0.5, soft", True),
        ("label:1,soft", "soft", True),
        ("soft", "soft:2", False),
    ],
)
def test_a_mix_said_in_another_way_is_the_same(said: str, other: str, same: bool) -> None:
    base = resolve({"budget": "80KB", "distill": said})
    asked = resolve({"distill": other}, base)
    assert (differences(asked, base) == {}) is same


def test_resuming_takes_what_is_left_out_and_sees_what_differs() -> None:
    base = resolve({"budget": "80KB", "trials": 33, "seed": 5})
    assert resolve({}, base) == base
    asked = resolve({"budget": "64KB", "seed": 6}, base)
    assert differences(asked, base) == {
        "budgets.flash_bytes": (65536, 81920),
        "run.seed": (6, 5),
    }
    added = resolve({"sram": "20KB"}, base)
    assert differences(added, base) == {"budgets.sram_bytes": (20480, None)}


def test_a_run_may_go_on_on_another_device() -> None:
    base = resolve({"budget": "80KB", "device": "cuda"})
    assert base.device == "cuda" and resolve({"budget": "80KB"}).device == "auto"
    stored = SearchConfig.from_tables(base.to_tables())
    assert stored == base and stored.device == "auto"
    asked = resolve({"device": "cpu"}, stored)
    assert asked.device == "cpu" and differences(asked, base) == {}


def test_a_period_below_zero_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"`rate` is -1 s; it must be above 0"):
        replace(resolve({"budget": "80KB"}), period_s=-1.0)
