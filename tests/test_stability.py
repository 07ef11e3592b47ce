"""Max-sensitivity and the local Lipschitz estimate: laws, the oracle, and what they exclude and cost."""

from functools import partial

import pytest
import torch
from captum.metrics import sensitivity_max
from torch import nn

from tests.conftest import METHODS, small_net
from tutorial_lib import scores
from tutorial_lib.attribution.gradients import gradient_x_input, saliency, seeded, smoothgrad
from tutorial_lib.evaluation.sanity import random_map
from tutorial_lib.evaluation.stability import max_sensitivity
from tutorial_lib.scores import input_gradient

RADIUS, DRAWS = 0.05, 6


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def measure(methods, net, batch, **options):
    options = {"radius": RADIUS, "samples": DRAWS, "generator": generator(), **options}
    return max_sensitivity(methods, net, *batch, **options)


@pytest.fixture
def linear():
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 5)).double().eval().requires_grad_(False)


def test_a_constant_map_scores_zero(net, batch):
    """Constant in the image: ones, and noise that has never seen it."""
    methods = {"ones": lambda m, x, t: torch.ones_like(x), "noise": seeded(random_map, seed=0)}
    for found in measure(methods, net, batch).values():
        assert (found.absolute == 0).all() and (found.relative == 0).all() and (found.lipschitz == 0).all()


def test_the_gradient_of_a_linear_model_scores_zero_and_its_product_with_the_input_does_not(linear, batch):
    found = measure({"gradient": input_gradient, "product": gradient_x_input}, linear, batch, radius=1e-3)
    assert found["gradient"].absolute.max() < 1e-15 and found["product"].absolute.min() > 1e-4


def test_a_linear_models_product_changes_by_weight_times_step(linear, batch):
    """One draw: ‖w ⊙ (y - x)‖ with the same draw made by hand."""
    x, target = batch
    found = measure({"product": gradient_x_input}, linear, batch, samples=1)["product"]
    u = torch.rand(x.shape, generator=generator(), dtype=x.dtype)
    step = RADIUS * (2 * u - 1)
    by_hand = (linear[1].weight[target].view_as(x) * step).flatten(1).norm(dim=1)
    kept = linear(x + step).argmax(1) == linear(x).argmax(1)
    assert torch.equal(found.absolute.isnan(), ~kept) and kept.any()
    assert torch.allclose(found.absolute[kept], by_hand[kept])
    assert torch.allclose(found.lipschitz[kept], (by_hand / step.flatten(1).norm(dim=1))[kept])
    assert torch.equal(found.lipschitz.isnan(), ~kept) and torch.equal(found.kept, kept.long())


def test_the_lipschitz_estimate_of_the_image_itself_is_exactly_1(net, batch):
    methods = {"image": lambda m, x, t: x, "thrice": lambda m, x, t: 3 * x}
    for radius in (1e-3, 0.05, 1.0):
        found = measure(methods, net, batch, radius=radius)
        counted = found["image"].kept > 0
        assert counted.any() and (found["image"].lipschitz[counted] == 1).all()
        assert torch.allclose(found["thrice"].lipschitz[counted], torch.tensor(3.0).double(), rtol=1e-12)


def test_the_lipschitz_estimate_is_the_largest_slope_and_not_that_of_the_largest_change(net, batch):
    """A map that moves by √‖y - x‖ is steepest at the nearest y. By hand, over the draws that count."""
    x, target = batch

    def root(_model, y, _target):
        return torch.zeros_like(y) + (y - x).flatten(1).norm(dim=1).sqrt().view(-1, 1, 1, 1)

    found = measure({"saliency": saliency, "root": root}, net, batch)
    draws, slopes, decision = generator(), {"saliency": [], "root": []}, net(x).argmax(1)
    for _ in range(DRAWS):
        y = x + RADIUS * (2 * torch.rand(x.shape, generator=draws, dtype=x.dtype) - 1)
        kept = net(y).argmax(1) == decision
        for name, method in (("saliency", saliency), ("root", root)):
            moved = (method(net, y, target) - method(net, x, target)).flatten(1).norm(dim=1)
            slopes[name].append(moved / (y - x).flatten(1).norm(dim=1) * kept)
    for name, each in slopes.items():
        counted = found[name].kept > 0
        assert torch.allclose(found[name].lipschitz[counted], torch.stack(each).amax(0)[counted])


def test_a_linear_models_product_is_never_steeper_than_its_largest_weight(linear, batch):
    """The exact Lipschitz constant, which single steps reach and random ones only approach."""
    found = measure({"product": gradient_x_input}, linear, batch, samples=30, radius=1e-3)["product"]
    weights = linear[1].weight[batch[1]]
    assert (found.kept == 30).all() and (found.lipschitz <= weights.abs().amax(1)).all()
    assert (found.lipschitz > weights.square().mean(1).sqrt() * 0.9).all()


def test_a_map_in_other_units_changes_the_unnormalised_forms_alone(net, batch):
    methods = {"map": input_gradient, "larger": lambda *a: 1000 * input_gradient(*a)}
    found = measure(methods, net, batch)
    assert torch.allclose(found["larger"].absolute, 1000 * found["map"].absolute)
    assert torch.allclose(found["larger"].lipschitz, 1000 * found["map"].lipschitz)
    assert torch.allclose(found["larger"].relative, found["map"].relative)


def test_more_draws_and_a_wider_ball_never_lower_it(net, batch):
    """The first draws of the same generator are the same."""
    few, many = (measure({"map": saliency}, net, batch, samples=n)["map"].absolute for n in (2, 12))
    assert (many >= few).all() and (many > few).any()


@pytest.mark.parametrize("name", ["saliency", "gradient_x_input", "integrated_gradients", "grad_cam"])
def test_captum_finds_the_same(name, net, batch, monkeypatch):
    """Its relative form, with our draws. It calls the method under no_grad, keeps every decision, and
    leaves the change as it is where the map is zero."""
    x, target = batch
    monkeypatch.setattr("tutorial_lib.evaluation.stability.logits", lambda model, x: torch.ones(len(x), 2))
    ours = measure({name: METHODS[name]}, net, batch)[name]
    draws = generator()

    def perturb(inputs, radius):
        u = [torch.rand(x.shape, generator=draws, dtype=x.dtype) for _ in range(DRAWS)]
        return inputs + radius * (2 * torch.stack(u, 1).flatten(0, 1) - 1)

    def explain(inputs, target):
        with torch.enable_grad():
            return (METHODS[name](net, inputs[0], target),)

    theirs = sensitivity_max(
        explain, (x,), lambda i, r: (perturb(i[0] if isinstance(i, tuple) else i, r),),
        perturb_radius=RADIUS, n_perturb_samples=DRAWS, target=target,
    )
    zero = ours.relative.isnan()
    assert not zero.all()
    assert torch.allclose(torch.where(zero, ours.absolute, ours.relative), theirs, rtol=1e-10)


class AboveHalf(nn.Module):
    """Class 1 where the mean of the image exceeds 0.5."""

    def forward(self, x):
        mean = x.mean((1, 2, 3))
        return torch.stack([torch.full_like(mean, 0.5), mean], 1)


def test_only_images_of_the_same_decision_count():
    """One pixel below the line, at it and above it; the map is the pixel itself."""
    x = torch.tensor([0.45, 0.5, 0.5 + 1e-9], dtype=torch.float64).view(3, 1, 1, 1)
    found = max_sensitivity(
        {"pixel": lambda m, x, t: x}, AboveHalf().eval(), x, torch.zeros(3).long(), radius=0.1, samples=200,
        generator=generator(),
    )["pixel"]
    draws = generator()
    u = torch.stack([torch.rand(x.shape, generator=draws, dtype=x.dtype) for _ in range(200)]).view(200, 3)
    step = 0.2 * u - 0.1
    kept = (x.view(3) + step > 0.5) == torch.tensor([False, False, True])
    assert torch.allclose(found.absolute, (step.abs() * kept).amax(0))
    assert torch.equal(found.kept, kept.sum(0)) and found.kept.unique().numel() == 3
    assert (found.lipschitz == 1).all()
    assert step.abs().max() > 0.099 and 0 < kept.double().mean() < 1


def test_an_image_without_any_draw_of_its_class_is_marked(batch):
    """The model gives one class to the images of the batch and another to everything else."""
    x = batch[0]

    class Remembers(nn.Module):
        def forward(self, y):
            known = (y[:, None] == x[None]).all((2, 3, 4)).any(1)
            return nn.functional.one_hot(known.long(), 2).to(y)

    found = measure({"map": lambda m, y, t: y}, Remembers().eval(), batch)["map"]
    assert found.absolute.isnan().all() and found.relative.isnan().all() and found.lipschitz.isnan().all()
    assert (found.kept == 0).all()


def test_the_relative_form_of_a_zero_map_is_undefined(net, batch):
    found = measure({"zero": lambda m, x, t: torch.zeros_like(x)}, net, batch)["zero"]
    assert (found.absolute == 0).all() and found.relative.isnan().all()


def test_all_methods_see_the_same_draws_and_a_method_does_not_depend_on_the_others(net, batch):
    seen = {"one": [], "two": []}
    methods = {k: (lambda m, x, t, k=k: seen[k].append(x) or saliency(m, x, t)) for k in seen}
    together = measure(methods, net, batch)
    assert len(seen["one"]) == DRAWS + 1
    assert all(torch.equal(a, b) for a, b in zip(seen["one"], seen["two"], strict=True))
    alone = measure({"two": saliency}, net, batch)["two"]
    assert torch.equal(together["two"].absolute, alone.absolute)
    far = torch.stack([y - batch[0] for y in seen["one"][1:]]).abs().max()
    assert 0.9 * RADIUS < far <= RADIUS + 1e-12


def test_decisions_cost_one_pass_a_draw_for_all_methods(net, batch):
    images = []
    with net.register_forward_hook(lambda m, inputs, out: images.append(len(inputs[0]))):
        measure({f"free {i}": lambda m, x, t: x for i in range(4)}, net, batch)
        assert sum(images) == (DRAWS + 1) * len(batch[0])
        images.clear()
        measure({"a": saliency, "b": input_gradient}, net, batch)
        assert sum(images) == (DRAWS + 1) * len(batch[0]) * 3


@pytest.mark.parametrize("size", [1, 2, 100])
def test_chunk_size_changes_nothing(net, batch, monkeypatch, size):
    methods = {"saliency": saliency, "smooth": seeded(smoothgrad, seed=0, attribute=saliency, sigma=0.1)}
    reference = measure(methods, net, batch)
    monkeypatch.setattr(scores, "chunk_size", lambda x: size)
    for name, found in measure(methods, net, batch).items():
        for each, expected in zip(found, reference[name], strict=True):
            assert torch.allclose(each, expected, rtol=1e-10)


def test_bad_arguments_say_what_is_wrong(net, batch):
    for options in ({"radius": 0.0}, {"radius": -1.0}, {"samples": 0}):
        with pytest.raises(ValueError, match="must be positive"):
            measure({"map": saliency}, net, batch, **options)
    with pytest.raises(ValueError, match=r"'short' has shape .*it must be \(7, 3"):
        measure({"short": lambda m, x, t: x[:, :1]}, net, batch)
    with pytest.raises(ValueError, match="'nan' holds NaN or infinite"):
        measure({"nan": lambda m, x, t: x / 0}, net, batch)
    with pytest.raises(ValueError, match="dtype"):
        measure({"map": saliency}, small_net().float(), (batch[0].float() > 0.5, batch[1]))


def test_memory_and_model_are_left_alone(net, batch):
    x = batch[0].clone()
    measure({"map": partial(saliency)}, net, batch)
    assert torch.equal(batch[0], x) and not any(m._forward_hooks for m in net.modules())
