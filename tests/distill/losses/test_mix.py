"""Mixes: how they are read, what they add up, which windows each term sees."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from distill.losses.batch import Batch, View
from distill.losses.distributions import label_loss, soft, standard
from distill.losses.features import Adaptor, beside
from distill.losses.line import mse
from distill.losses.mix import Mix, chosen_mix, parse_mix
from distill.losses.terms import TERMS
from distill.training.effort import AUTO, EFFORTS
from ppg.readout.classes import soft_labels
from ppgnas.errors import MixError
from ppgnas.task import CLASSES

QUICK = EFFORTS["quick"]


def _view(seed: int, channels: int, steps: int) -> View:
    rng = torch.Generator().manual_seed(seed)
    return View(
        torch.randn(8, CLASSES, generator=rng), torch.randn(8, channels, steps, generator=rng)
    )


@pytest.fixture
def batch() -> Batch:
    hr_bpm = torch.linspace(50, 120, 8)
    return Batch(
        torch.zeros(8, 4, 256),
        hr_bpm,
        torch.from_numpy(soft_labels(hr_bpm.numpy())),
        torch.ones(8, dtype=torch.bool),
        _view(1, 5, 4),
    )


@pytest.fixture
def student() -> View:
    view = _view(0, 3, 8)
    return replace(view, adapted=torch.ones(8, 5, 8))


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("none", "none"),
        ("label:1", "none"),
        ("label:0.5", "label:0.5"),
        ("soft:1.0", "soft:1"),
        ("soft@t=1:1", "soft:1"),
        ("feature, soft@t=2 : 0.5", "soft@t=2:0.5,feature:1"),
        ("gate:5,dkd@beta=8@k=5:.5,label:0", "label:0,dkd@k=5@beta=8:0.5,gate:5"),
        ("mse:1e-3", "mse:0.001"),
        *((name, f"{name}:{term.weight:g}") for name, term in TERMS.items()),
    ],
)
def test_a_mix_is_read_and_has_one_text(text: str, canonical: str) -> None:
    mix = parse_mix(text)
    assert mix.text == canonical
    assert parse_mix(canonical) == mix


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "soft:1,hinton:2",
            "names 'hinton', which is no term; allowed: hard, soft, standard, dkd",
        ),
        ("soft:1,none", "names 'none', which is no term; .*, or none alone"),
        ("", "names '', which is no term"),
        ("soft:x", "the weight of soft is 'x'; allowed: a number above 0. Write for example"),
        ("soft:0", "the weight of soft is '0'; allowed: a number above 0"),
        ("soft:inf", "the weight of soft is 'inf'"),
        ("label:-1", "the value of label is '-1'; allowed: a number at least 0"),
        ("soft:1,soft@t=2:1", "names soft twice; name each term once"),
        ("label:1,label:2", "names label twice"),
        ("soft@k=3", r"soft has no setting 'k'; it has t \(usually 1\). Write for"),
        ("dkd@k=3@k=5", "sets k of dkd twice; set it once"),
        ("w1@k=3", "w1 has no setting 'k'; it has none"),
        ("soft@t=0", r"t of soft is '0'; allowed: a number at least 0.1 and at most 100"),
        ("label:0", "teaches nothing; name a term beside label:0"),
        ("mse:1,gate:5", "has a gate and no term that a teacher teaches"),
    ],
)
def test_a_mix_that_cannot_be_read_is_told(text: str, told: str) -> None:
    with pytest.raises(MixError, match=told):
        parse_mix(text)


def test_what_auto_means() -> None:
    assert chosen_mix(AUTO, effort=QUICK, taught=False) == Mix()
    assert chosen_mix(AUTO, effort=QUICK, taught=True) == parse_mix(QUICK.mix)
    assert chosen_mix("mse", effort=QUICK, taught=False).text == "mse:0.01"
    told = (
        "`distill` 'soft,mse,w1': soft, w1 needs a teacher, and `teacher` is none; name a "
        "`teacher`, or only terms that need none: mse, huber"
    )
    with pytest.raises(MixError, match=told):
        chosen_mix("soft,mse,w1", effort=QUICK, taught=False)


def test_the_usual_mix_adds_the_shape_of_the_teacher_to_the_label(
    student: View, batch: Batch
) -> None:
    found = parse_mix(QUICK.mix).loss(student, batch)
    label = label_loss(student.logits, batch.labels)
    assert torch.equal(found, label + 9 * standard(student.logits, batch.taught.logits))
    assert parse_mix(QUICK.mix).text == QUICK.mix  # as `run.toml` says it
    assert torch.equal(Mix().loss(student, replace(batch, teacher=None)), label)


def test_every_term_can_be_mixed(student: View, batch: Batch) -> None:
    whole = parse_mix(",".join(("label:2", *TERMS))).loss(student, batch)
    parts = [parse_mix(f"label:0,{name}").loss(student, batch) for name in TERMS]
    label = 2 * label_loss(student.logits, batch.labels)
    torch.testing.assert_close(whole, label + torch.stack(parts).sum())
    assert all(part > 0 for part in parts)


def test_label_terms_see_labelled_windows_alone(student: View, batch: Batch) -> None:
    some = torch.arange(8) < 5
    unknown = torch.where(some, batch.hr_bpm, torch.nan)
    mixed = replace(
        batch,
        hr_bpm=unknown,
        labels=torch.from_numpy(soft_labels(unknown.numpy())),
        labelled=some,
    )
    found = parse_mix("soft:1,mse:1,dkd:1").loss(student, mixed)
    logits, teacher = student.logits, batch.taught.logits
    label = label_loss(logits[:5], batch.labels[:5]) + mse(logits[:5], batch.hr_bpm[:5])
    # of windows without a label the middle of the group is the teacher's likeliest class
    middle = torch.cat([batch.hr_bpm[:5].round(), 30.0 + teacher[5:].argmax(1)])
    known = replace(batch, hr_bpm=middle)
    dkd = parse_mix("label:0,dkd:1").loss(student, known)
    torch.testing.assert_close(found, label + soft(logits, teacher) + dkd)


def test_a_batch_without_labels_has_gradients_all_the_same(student: View, batch: Batch) -> None:
    leaf = torch.ones(8, 5, 8, requires_grad=True)
    logits = student.logits.clone().requires_grad_()
    none = replace(batch, labelled=torch.zeros(8, dtype=torch.bool))
    loss = Mix().loss(View(logits, student.features, leaf), none)
    torch.autograd.backward(loss)
    assert loss.item() == 0
    assert logits.grad is not None and leaf.grad is not None and not logits.grad.any()


def test_a_gate_lets_a_teacher_teach_where_it_is_right(student: View, batch: Batch) -> None:
    teacher = torch.from_numpy(soft_labels(batch.hr_bpm.numpy() + 3)).clamp(min=1e-9).log()
    teacher[2] = 0.0  # 119.5 BPM expected, 70 is right
    right = torch.arange(8) != 2
    gated = replace(batch, teacher=View(teacher))
    found = parse_mix("label:0,soft:1,gate:5").loss(student, gated)
    torch.testing.assert_close(found, soft(student.logits[right], teacher[right]))
    unlabelled = replace(gated, labelled=right)  # nobody knows that it errs
    found = parse_mix("label:0,soft:1,gate:5").loss(student, unlabelled)
    torch.testing.assert_close(found, soft(student.logits, teacher))
    pulse = parse_mix("label:0,pulse:1,gate:5").loss(student, gated)
    bare = replace(gated, labelled=right)
    torch.testing.assert_close(pulse, parse_mix("label:0,pulse:1").loss(student, bare))


def test_less_the_features() -> None:
    assert parse_mix("soft:1,feature:2").without_features() == parse_mix("soft:1")
    assert parse_mix("label:0,feature:2,gate:5").without_features() == Mix()
    assert parse_mix("label:0,mse:2,attention:1,gate:5").without_features().text == (
        "label:0,mse:2"
    )
    mix = parse_mix("soft:1,gate:5")
    assert mix.without_features() is mix


def test_what_a_mix_needs() -> None:
    def needs(text: str) -> tuple[bool, bool, bool]:
        mix = parse_mix(text)
        return mix.teacher, mix.features, mix.adapted

    assert needs("none") == needs("huber") == (False, False, False)
    assert needs("huber,soft") == (True, False, False)
    assert needs("attention") == needs("relation") == (True, True, False)
    assert needs("feature") == (True, True, True)


def test_an_adaptor_stands_beside_what_is_trained() -> None:
    network = torch.nn.Linear(2, 2)
    adaptor = Adaptor(3, 5, seed=1)
    assert adaptor(torch.randn(4, 3, 7)).shape == (4, 5, 7)
    assert torch.equal(adaptor.weight, Adaptor(3, 5, seed=1).weight)
    assert beside(network, None) is network
    assert len(list(beside(network, adaptor).parameters())) == 4
