"""Each training on another device than the CPU's, as far as can be seen without a GPU.

`meta` stands for the other device: its tensors have shapes and no values. A guard refuses every
operator that takes tensors of both, and lets whoever reads a figure read ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from distill.compression.retrain import retrain
from distill.finalist import FinalistJob
from distill.first_rung import begin
from distill.pace import measure_pace
from distill.pool import open_pool
from distill.supernet_training import InheritedAccuracy, SupernetJob, train_supernet
from distill.teachers.files import build, shape_of
from distill.teachers.names import PRESETS
from distill.teachers.resnet import ResNetShape, ResNetTeacher
from distill.teachers.training import train_teacher
from distill.training import fit
from distill.training.adamw import AdamW
from distill.training.checkpoint import save_checkpoint
from distill.training.device import CPU, GPU_PROCESSES, Site, mixed_precision, placed, site_of
from distill.training.effort import EFFORTS
from ppg.augment.bank import TrainingBank
from ppg.recording import Recording
from ppg.windows import InputSpec, windows_of
from ppgnas.errors import DependencyError
from search_spaces.network import Network
from search_spaces.published import published
from search_spaces.space import SearchSpace
from tests.distill.killing import silent, small_pool

# A checkpoint has values, and `meta` takes none.
pytestmark = pytest.mark.filterwarnings("ignore:.*copying from a non-meta parameter")

META = torch.device("meta")
WITHOUT_KERNEL = (
    "aten::fake_quantize_per_channel_affine_cachemask",
    "aten::fake_quantize_per_tensor_affine_cachemask",
)
COPIES = ("aten::_to_copy", "aten::copy_")
SHORT = replace(
    EFFORTS["smoke"],
    teacher_steps=2,
    finetune_steps=2,
    qat_steps=2,
    batch=16,
    warmup_steps=1,
    supernet_steps=2,
)


class Elsewhere(TorchDispatchMode):
    """Lets nothing but copies touch tensors of two devices, and reads ones where `meta` has none.

    Attributes:
        there: operators that ran on `meta` alone.
    """

    def __init__(self) -> None:
        super().__init__()
        self.there = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = func._schema.name
        if name == "aten::_local_scalar_dense" and args[0].device == META:
            return 1.0 if args[0].is_floating_point() else 1
        if name == "aten::_to_copy" and args[0].device == META and kwargs.get("device") == CPU:
            return torch.ones(args[0].shape, dtype=kwargs.get("dtype") or args[0].dtype)
        if name in WITHOUT_KERNEL and args[0].device == META:
            made = [torch.empty_like(args[0]), torch.empty_like(args[0], dtype=torch.bool)]
        else:
            made = func(*args, **kwargs)
        tensors = [each for each in tree_leaves((args, kwargs, made)) if isinstance(each, Tensor)]
        devices = {each.device.type for each in tensors}
        if name not in COPIES:
            assert len(devices) <= 1, f"{func} on {sorted(devices)}"
        self.there += devices == {"meta"}
        return made


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[Elsewhere]:
    # `meta` has no fused AdamW.
    monkeypatch.setattr(fit, "AdamW", partial(AdamW, fused=False))
    with Elsewhere() as guard:
        yield guard


@pytest.fixture(scope="module")
def pool(people: list[Recording], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With the answers of a teacher that knows nothing."""
    folder = tmp_path_factory.mktemp("device") / "pool"
    small_pool(
        TrainingBank(people[:3], acceleration=True),
        ResNetTeacher(ResNetShape(4, 32)).eval(),
        folder,
        rate_hz=64,
    )
    return folder


def test_the_guard_sees_a_mixed_operator(elsewhere: Elsewhere) -> None:
    with pytest.raises(AssertionError, match=r"on \['cpu', 'meta'\]"):
        torch.zeros(3, device=META)[torch.zeros(2, dtype=torch.long)]


def test_teacher_and_pool(people: list[Recording], tmp_path: Path, elsewhere: Elsewhere) -> None:
    bank = TrainingBank(people[:3], acceleration=True)
    teacher = train_teacher(
        bank,
        windows_of(people[3:], InputSpec(32, True)),
        make=partial(ResNetTeacher, ResNetShape(4, 32)),
        effort=SHORT,
        seed=0,
        path=tmp_path / "teacher.safetensors",
        processes=1,
        progress=silent,
        device=META,
    )
    small_pool(bank, teacher, tmp_path, batches=1)
    assert teacher.temperature.device == META and elsewhere.there > 100


def test_supernet(
    people: list[Recording], pool: Path, tmp_path: Path, elsewhere: Elsewhere
) -> None:
    """Training and ranking."""
    space = SearchSpace.preset("wide")  # has 25 Hz, whose inputs are interpolated
    job = SupernetJob(space, pool, SHORT, 0, tmp_path / "supernet.safetensors", META)
    train_supernet(job, accept=lambda _: True, processes=1, progress=silent)
    supernet = job.supernet()
    batches = open_pool(pool, device=META)
    search = windows_of(people[3:], InputSpec(64, True))
    inherited = InheritedAccuracy(supernet, list(batches.inputs(1)), search, count=8)
    assert inherited.mae_bpm(space.largest()) > 0
    assert elsewhere.there > 100


def test_a_network_is_extracted_to_the_cpu(pool: Path) -> None:
    space = SearchSpace.preset("tiny")
    supernet = SupernetJob(space, pool, SHORT, 0, pool).supernet()
    batches = list(open_pool(pool).inputs(1))
    network = supernet.extract(space.largest(), supernet.recalibrate(space.largest(), batches))
    assert {p.device for p in network.parameters()} == {CPU}


def test_first_rung_and_finalist(
    people: list[Recording], pool: Path, tmp_path: Path, elsewhere: Elsewhere
) -> None:
    arch, weights = published("tiny"), tmp_path / "weights.safetensors"
    save_checkpoint(weights, Network(arch))
    job = FinalistJob(arch, weights, pool, SHORT, 0, device=META)
    search = windows_of(people[3:], arch)
    assert begin(job, search, search, tmp_path / "begun.safetensors", silent).mae_bpm > 0
    (tmp_path / f"training-{arch.id}.safetensors").unlink(missing_ok=True)
    assert retrain(job, search, silent).search_mae_bpm > 0
    assert elsewhere.there > 100


def test_pace(people: list[Recording], elsewhere: Elsewhere) -> None:
    bank = TrainingBank(people[:3], acceleration=True)
    archs = [SearchSpace.preset("tiny").smallest()]
    found = measure_pace(
        bank,
        archs=archs,
        rate_hz=64,
        batch=8,
        teacher="ensemble:resnet-small,resnet-small-ppg",
        effort=SHORT,
        device=META,
    )
    assert found.network > 0 and elsewhere.there > 100


def test_bfloat16_where_it_is_safe(monkeypatch: pytest.MonkeyPatch) -> None:
    """On the CPU's own bfloat16: logits near those in float32, statistics and gradients whole."""
    asked: list[str] = []
    real = torch.autocast

    def on_the_cpu(kind: str, dtype: torch.dtype) -> torch.autocast:
        asked.append(kind)
        return real("cpu", dtype)

    monkeypatch.setattr(torch, "autocast", on_the_cpu)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    torch.manual_seed(0)
    arch = published("medium")
    x = torch.randn(16, 4, arch.samples)
    network = Network(arch)
    inside: list[torch.dtype] = []
    network.norms["stem"].register_forward_pre_hook(lambda _, x: inside.append(x[0].dtype))
    plain = mixed_precision(CPU, network, x).detach()
    assert asked == []
    logits = mixed_precision(torch.device("cuda"), network, x)
    loss, logits = logits.mean(), logits.detach()
    assert asked == ["cuda"] and inside == [torch.float32, torch.bfloat16]
    assert logits.dtype == torch.float32 and not torch.equal(logits, plain)
    torch.testing.assert_close(logits, plain, rtol=0.05, atol=0.05 * float(plain.abs().max()))
    torch.autograd.backward(loss)
    kept = [*network.parameters(), *network.buffers()]
    assert {each.dtype for each in kept} == {torch.float32, torch.int64}  # batches are counted
    assert all(p.grad is not None and p.grad.dtype == torch.float32 for p in network.parameters())
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    assert mixed_precision(torch.device("cuda"), network, x).dtype == torch.float32
    assert asked == ["cuda"]  # an older GPU trains in float32


def test_what_a_device_means(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert site_of("auto", cores=8) == site_of("cpu", cores=8) == Site(CPU, 8)
    told = (
        r"`device` is 'cuda', and torch .* sees no GPU; allowed: auto, cpu, cuda\. Leave `device` "
        r"out to train on the CPU; for a GPU install .*make install TORCH_INDEX="
    )
    with pytest.raises(DependencyError, match=told):
        site_of("cuda", cores=8)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"GPU {device.index}")
    monkeypatch.setenv("LOCAL_RANK", "3")  # torchrun gives each of its processes a GPU
    assert site_of("cuda", cores=8).device == torch.device("cuda", 3)
    monkeypatch.delenv("LOCAL_RANK")
    site = site_of("auto", cores=8)
    assert site == site_of("cuda", cores=8) and site.device == torch.device("cuda", 1)
    assert (site.name, site.processes, site.side_by_side) == ("GPU 1", 1, GPU_PROCESSES)
    assert site_of("cuda", cores=2).side_by_side == 2
    cpu = site_of("cpu", cores=8)
    assert (cpu.name, cpu.processes, cpu.side_by_side) == ("cpu", 8, 8)


@pytest.mark.parametrize("name", PRESETS)
def test_every_teacher_stays_on_its_device(name: str, elsewhere: Elsewhere) -> None:
    teacher = placed(build(shape_of(name, acceleration=True, rate_hz=32)), META)
    logits, features = teacher.view(torch.zeros(2, 4, 256, device=META))
    (logits.sum() + features.sum()).backward()
    assert elsewhere.there > 50
