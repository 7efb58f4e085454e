"""The goals of the hardware models, on held-out points of the committed data."""

import pytest

from hwmodels.engines.st import FEATURES
from hwmodels.fit import counted as fit
from hwmodels.fit import timed as fit_timed
from hwmodels.fit.held_out import planned_bytes, rows
from hwmodels.fit.rows import Row
from hwmodels.fit.st import law as fit_st
from hwmodels.fit.st import memory as st_memory
from hwmodels.fit.timings import alike, network_layers, timed_layers, timed_networks
from hwmodels.operators import WEIGHTED_OPS
from ppgnas.toml_file import read_toml


@pytest.fixture(scope="module")
def table() -> list[Row]:
    return rows()


def test_every_goal_is_met(table: list[Row]) -> None:
    """Measured: networks 2.34 %, on another board 1.69 %, ST 5.6, 8.8 and 5.4 %, its activations
    11 and 10 %, its code 11 and 15 %, layers 0.44, 1.92, 0.66 %, counted 0.87 %, arena 24 B,
    power 3.75 %."""
    assert len([row for row in table if row.goal is not None]) == 15
    for row in table:
        assert row.met, f"{row.what}: {row.measured:.2f} {row.unit}, goal {row.goal}"


def test_intervals_hold_nine_of_ten(table: list[Row]) -> None:
    """In every regime with enough points to tell; four networks or five leave steps of 20 %."""
    for row in table:
        if row.points >= 8:
            assert 0.8 <= row.inside <= (0.97 if row.groups >= 6 else 1), row.what


def test_builds_and_boards_that_nothing_was_fitted_to(table: list[Row]) -> None:
    """27 timings: 17 % on a Cortex-M4F, 9.3 % on a Cortex-M33, by layers of another part."""
    found = [row for row in table if "build and board not seen" in row.what]
    assert [row.points for row in found] == [19, 8]
    assert found[0].measured < 18
    assert found[1].measured < 9.5


def test_what_counts() -> None:
    networks = timed_networks("TFLM+CMSIS-NN")
    assert len([n for n in networks if n.core == "Cortex-M7"]) == 10
    assert {row.mcu for row in timed_layers()} == {"STM32F446", "nRF52832", "STM32L552"}
    assert not any(
        "VisualWakeWord" in n.model and n.version in ("3", "10") for n in timed_networks("ST")
    )


@pytest.mark.parametrize(
    "names",
    [
        (
            "st_v1.0.0__esc_10__yamnet_256_64x96_int8",
            "st_v1.4.0__esc_10__yamnet_256_64x96_int8",
            "st_v2.0.1__esc10__yamnet_256_64x96_tl_int8",
        ),
        (
            "mlcommons_tiny____pretrainedResnet_quant",
            "st_v1.4.0__cifar10__resnet_v1_8_32_int8",
            "st_v2.0.1__cifar10__resnet_v1_8_32_tfs_int8",
        ),
        (
            "st_v1.4.0__emnist_byclass__stmnist_v1_int8",
            "st_v2.0.1__emnist_byclass__st_mnist_v1_28_tfs_int8",
        ),
    ],
)
def test_a_network_that_was_published_again_is_one(names: tuple[str, ...]) -> None:
    assert len({alike()[name] for name in names}) == 1


def test_networks_of_one_axis_under_8_1() -> None:
    """Four of movement on a wrist (13,000 to 164,000 MACs) on STM32U585, each left out: 9 to 12 %
    off, where the law without windows along one axis said half. Their board alone tells of
    such windows, so that it is not left out as one."""
    points = fit_st.points()
    errors = fit_st.held_out(points)
    own = [i for i, p in enumerate(points) if "WISDM" in p.network.model]
    assert {points[i].network.version for i in own} == {"8.1"}
    assert all(abs(errors.known.errors[i]) < 0.13 for i in own)
    assert all(errors.unknown.errors[i] < -0.4 for i in own)
    assert not any(fit_st.told(points, i, board_known=False) for i in own)
    assert all(fit_st.told(points, i, board_known=True) for i in own)
    others = set(range(len(points))) - set(own)
    assert all(fit_st.told(points, i, board_known=False) for i in others)


def test_what_is_left_out_shares_no_layers_with_what_is_fitted() -> None:
    """82 names are 56 networks; other resolutions and widths are others."""
    layers = network_layers()
    weighted = {m: tuple(x for x in own if x[0] in WEIGHTED_OPS) for m, own in layers.items()}
    points = fit_st.points()
    for key, groups in (
        ([weighted[p.network.model] for p in points], [p.group for p in points]),
        ([weighted[m] for m in layers], [alike()[m] for m in layers]),
    ):
        assert len(set(zip(key, groups, strict=True))) == len(set(key)) == len(set(groups))
    assert (len(layers), len(set(alike().values()))) == (82, 56)
    code = st_memory.fit_all()["7.3"].code
    assert (len(code.groups), len(set(code.groups))) == (49, 36)


@pytest.mark.parametrize("version", ["8.1", "7.3"])
def test_a_family_of_networks_that_no_fit_saw(version: str) -> None:
    """EfficientNets average every block and have 5 x 5 depthwise windows; other networks tell
    older versions' cycles of both, so they no longer take a quarter less than they did."""
    points = fit_st.points()
    left_out = [p for p in points if "efficientnet" in p.group]
    assert len({p.group for p in left_out}) == 2
    law = fit_st.fit([p for p in points if p not in left_out])[version]
    own = [p for p in left_out if p.network.version == version]
    assert len(own) >= 3
    assert [law.cycles(p) / p.network.cycles for p in own] == pytest.approx(
        [1.0] * len(own), abs=0.1
    )


def test_goals_do_not_hold_for_macs_alone() -> None:
    """The features matter: cycles per MAC miss the goal of 2.5 % on every part."""
    import numpy as np

    from hwmodels.fit.regression import leave_groups_out_linear

    layers = timed_layers()
    for mcu in ("STM32F446", "nRF52832", "STM32L552"):
        own = [row for row in layers if row.mcu == mcu]
        shapes = [row.geometry for row in own]
        macs = [[g.positions * g.kernel_h * g.kernel_w * g.cin * g.cout] for g in shapes]
        held_out = leave_groups_out_linear(
            np.array(macs, dtype=float),
            np.array([row.cycles for row in own]),
            [row.group for row in own],
        )
        assert held_out.mape > 0.1


def test_arena_of_a_layer_by_hand() -> None:
    """1x128x9x1 to 1x64x9x12 by 5x1: 1152 + 6912 B, scratch 4 * ceil4(5) = 32 B; the part adds
    8 B a channel and 612 B to that: 8,804."""
    row = timed_layers()[0]
    assert planned_bytes(row) == 1152 + 6912 + 32
    assert row.arena_bytes == 1152 + 6912 + 32 + 8 * 12 + 612


def test_committed_files_are_those_of_the_data() -> None:
    """`python -m hwmodels.fit` would write what is committed."""
    counted, _ = fit.fit_all()
    timed = fit_timed.fit_all(counted)
    document = read_toml(fit_timed.TIMED_TOML)["profiles"]
    assert document["Cortex-M7"]["kernels"]["depthwise_window"]["cycles"][0] == pytest.approx(
        timed.networks.fitted.scales[2], rel=1e-3
    )
    for mcu, laws in timed.laws.items():
        for name, law in laws.items():
            committed = document[mcu]["kernels"][name]
            assert committed["cycles"] == pytest.approx(list(law.coefficients), rel=1e-3, abs=1e-3)
            assert committed["mean_error"] == pytest.approx(law.held_out.mape, abs=1e-3)
    versions = read_toml(fit_st.ST_TOML)["versions"]
    for version, st_law in fit_st.fit(fit_st.points()).items():
        for core, ratio in st_law.ratios.items():
            committed = versions[version]["cores"][core]["cycles"]
            expected = st_law.coefficients * ratio
            if core != "Cortex-M33":
                expected[FEATURES.index("streamed_macs")] = 0
            assert committed == pytest.approx(list(expected), rel=1e-3)
