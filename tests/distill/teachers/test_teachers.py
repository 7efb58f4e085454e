"""Teachers: what every family gives, ensembles, names and files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from distill.teachers.base import Ensemble
from distill.teachers.calibration import expected_calibration_error, macs_of
from distill.teachers.choice import steps_and_networks, steps_of, teacher_of
from distill.teachers.files import build, check_unseen, load_teacher, shape_of
from distill.teachers.names import AUTOMATIC, PRESETS, TeacherNameError, files_of, reading
from distill.teachers.spectral import SpectralTeacher
from distill.training.checkpoint import read_facts, save_checkpoint
from distill.training.effort import EFFORTS
from ppg.augment.bank import TrainingBank
from ppg.recording import Recording
from ppgnas.errors import RunError
from tests.distill.teachers.made import taught


def kill(done: int, total: int, note: str) -> None:
    raise AssertionError("trained again")


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_answers_and_shows_its_features(name: str) -> None:
    torch.manual_seed(0)
    teacher = build(shape_of(name, acceleration=True, rate_hz=32)).eval()
    teacher.temperature.fill_(2.0)
    x = torch.randn(2, 4, 256)
    with torch.no_grad():
        logits, features = teacher.view(x)
        assert logits.shape == (2, 180) and features.shape[0] == 2 and features.ndim == 3
        assert torch.equal(teacher(x), logits) and torch.equal(teacher.features(x), features)
        assert torch.equal(teacher.classify(features) / 2, logits)
        assert (teacher.size, macs_of(teacher)) == (PRESETS[name].parameters, PRESETS[name].macs)
        # other rates are brought to its own
        assert teacher(torch.randn(1, 4, 512)).shape == (1, 180)
        alone = build(shape_of(f"{name}-ppg", acceleration=True, rate_hz=32)).eval()
        assert torch.equal(alone(x), alone(x[:, :1]))


def test_sizes() -> None:
    small = build(shape_of("resnet-small", acceleration=True, rate_hz=32))
    deep = build(shape_of("resnet-50", acceleration=True, rate_hz=32))
    assert sum(p.numel() for p in small.parameters()) == 319_508
    assert 1.8e6 < sum(p.numel() for p in deep.parameters()) < 2.2e6
    layers = [m for m in deep.modules() if isinstance(m, torch.nn.Conv2d | torch.nn.Linear)]
    shortcuts = 4
    assert len(layers) - shortcuts == 50
    large = build(shape_of("transformer-large", acceleration=True, rate_hz=32))
    assert 4.5e6 < sum(p.numel() for p in large.parameters()) < 5.2e6
    # stem: 128 steps x 9 taps x 4 channels x 32 outputs, and so on; a lower bound by hand
    assert PRESETS["resnet-small"].macs > 128 * 9 * 4 * 32 + 96 * 180


def test_a_spectral_teacher_sees_a_rate_and_its_harmonics() -> None:
    shape = shape_of("spectral", acceleration=True, rate_hz=32)
    teacher = build(shape)
    assert isinstance(teacher, SpectralTeacher)
    time_s = torch.arange(256) / 32
    x = torch.zeros(1, 4, 256)
    x[0, 0] = torch.sin(2 * torch.pi * time_s * 90 / 60)
    x[0, 2] = torch.cos(2 * torch.pi * time_s * 160 / 60)
    power = teacher.spectra(x).reshape(2, 4, 4, 180)  # kinds, pieces, harmonics, classes
    peaks = power.argmax(dim=3) + 30
    whole, last = 0, 3
    # half of a rate, the rate itself, one and a half and twice: 90 = 0.5 * 180 = 2 * 45
    assert peaks[0, whole].tolist() == pytest.approx([180, 90, 60, 45], abs=1)
    assert peaks[0, last, 1] == pytest.approx(90, abs=3)
    assert peaks[1, whole, 1:].tolist() == pytest.approx([160, 107, 80], abs=1)
    # the axes are summed: how the sensor sits does not matter
    turned = x.clone()
    turned[0, 1], turned[0, 2] = 0.6 * x[0, 2], 0.8 * x[0, 2]
    torch.testing.assert_close(teacher.spectra(turned), teacher.spectra(x), atol=1e-3, rtol=1e-3)


def test_an_ensemble_is_the_mean_of_probabilities() -> None:
    torch.manual_seed(0)
    members = [
        build(shape_of(name, acceleration=True, rate_hz=32)).eval()
        for name in ("resnet-small", "resnet-small-ppg")
    ]
    members[1].temperature.fill_(3.0)
    whole, x = Ensemble(members), torch.randn(3, 4, 256)
    assert whole.inputs.channels == 4
    with torch.no_grad():
        logits, features = whole.view(x)
        expected = sum(F.softmax(member(x), dim=1) for member in members) / 2
        torch.testing.assert_close(F.softmax(logits, dim=1), expected)
        assert torch.equal(features, members[0].features(x))


def test_an_ensemble_is_trained_once_and_read_whole(
    people: list[Recording], tmp_path: Path
) -> None:
    path, name = tmp_path / "teacher.safetensors", "ensemble:resnet-small,resnet-small-ppg"
    first = taught(name, people, path)
    member = tmp_path / "teacher-resnet-small-ppg.safetensors"
    x = torch.randn(2, 4, 256)
    assert load_teacher(path).facts == first.facts
    for again in (
        taught(name, people, path, progress=kill),
        taught(str(path), people, tmp_path / "other.safetensors"),
        taught(f"ensemble:resnet-small,{member}", people, path, progress=kill),
    ):
        assert torch.equal(again(x), first(x))
    facts = first.facts
    assert facts is not None
    assert [each.name for each in facts.members] == ["resnet-small", "resnet-small-ppg"]
    assert facts.parameters == sum(each.parameters for each in facts.members)
    assert facts.macs == sum(each.macs or 0 for each in facts.members) > 0
    assert facts.train_s > 0 and 0 <= facts.ece_after <= 1 and facts.search_mae_bpm > 0
    for file in (path, member):
        check_unseen(file, people[3:])
        with pytest.raises(RunError, match="was trained on"):
            check_unseen(file, people[2:])
    # a member that does not say whom it knows may know a judge
    identity = {**read_facts(member)["identity"], "people": None}
    rest = {k: v for k, v in read_facts(member).items() if k != "identity"}
    save_checkpoint(member, load_teacher(member), identity=identity, **rest)
    taught(f"ensemble:resnet-small,{member}", people, path)
    with pytest.raises(RunError, match="does not say whom the teacher was trained on"):
        check_unseen(path, people[3:])
    with pytest.raises(RunError, match="is an ensemble itself; name its members"):
        taught(f"ensemble:resnet-small,{path}", people, tmp_path / "nested.safetensors")


def test_a_network_is_not_averaged_with_itself(people: list[Recording], tmp_path: Path) -> None:
    with pytest.raises(RunError, match="names one network twice: these students read PPG alone"):
        teacher_of(
            "ensemble:resnet-small,resnet-small-ppg",
            TrainingBank(people[:3], acceleration=False),
            people[3:],
            rate_hz=32,
            effort=EFFORTS["smoke"],
            seed=0,
            path=tmp_path / "teacher.safetensors",
            processes=1,
            progress=kill,
        )


def test_a_teacher_is_not_taken_for_other_recordings(
    people: list[Recording], tmp_path: Path
) -> None:
    path = tmp_path / "teacher.safetensors"
    first = taught("resnet-small", people, path)
    assert torch.equal(
        taught("auto", people, path, progress=kill).head.weight,  # type: ignore[arg-type]
        first.head.weight,  # type: ignore[arg-type]
    )
    changed = [replace(people[0], ppg=people[0].ppg[::-1].copy()), *people[1:]]
    other = taught("resnet-small", changed, path)
    assert not torch.equal(other.head.weight, first.head.weight)  # type: ignore[arg-type]


def test_names(tmp_path: Path) -> None:
    file = tmp_path / "teacher.safetensors"
    file.touch()
    assert files_of("none") == files_of("auto") == files_of("resnet-50-ppg") == ()
    assert files_of(f"ensemble:{file},resnet-small") == (file,)
    for wrong, message in (
        (
            "resnet-tiny",
            r"`teacher` 'resnet-tiny' is neither .* nor none nor a file",
        ),
        ("ensemble:resnet-small", "names 1 members; an ensemble has 2 to 5 different ones"),
        ("ensemble:resnet-small,resnet-small", "names 2 members"),
        ("ensemble:resnet-small,none", "`teacher` 'none' is neither"),
    ):
        with pytest.raises(TeacherNameError, match=message):
            files_of(wrong)
    assert set(AUTOMATIC) == set(EFFORTS)
    for name in AUTOMATIC.values():
        assert files_of(name) == ()


def test_a_name_says_what_a_teacher_reads() -> None:
    for name, ppg in (
        ("none", "none"),
        ("spectral", "spectral-ppg"),
        ("spectral-ppg", "spectral-ppg"),
        ("t.safetensors", "t.safetensors"),
        ("ensemble:spectral,t.onnx", "ensemble:spectral-ppg,t.onnx"),
    ):
        assert reading(name, "ppg") == ppg
        assert reading(name, "ppg+acc") == reading(name, None) == name


def test_large_teachers_take_fewer_steps() -> None:
    effort = replace(EFFORTS["quick"], teacher_steps=1000)
    assert (steps_of("resnet-small", effort), steps_of("transformer-large-ppg", effort)) == (
        1000,
        400,
    )
    paced = steps_and_networks(
        "ensemble:resnet-small,transformer-large", acceleration=True, rate_hz=32, effort=effort
    )
    assert [steps for steps, _ in paced] == [1.0, 0.4]


def test_calibration_error_of_a_case_by_hand() -> None:
    """Two of three readings are right; all say so with about 0.9."""
    p = np.full((3, 180), 1e-12)
    p[:, 50], p[:, 150] = 0.9, 0.1  # 80 BPM
    logits = torch.from_numpy(np.log(p))
    found = expected_calibration_error(logits, np.array([80.0, 82.5, 90.0]))
    assert found == pytest.approx(abs(2 / 3 - 0.9))
