"""Attacks on maps: what they keep, what they lower, their derivatives; shifts and random changes."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import nn

from experiments.measures import attack_settings as settings
from experiments.measures import attacks as measures
from tests.conftest import BLACK, small_net
from tutorial_lib.attribution.cam import grad_cam
from tutorial_lib.attribution.gradients import (
    gradient_x_input,
    guided_backprop,
    integrated_gradients,
    saliency,
    seeded,
    smoothgrad,
)
from tutorial_lib.attribution.pixels import max_over_colour, sum_over_colour
from tutorial_lib.attribution.propagation import deeplift, lrp_epsilon
from tutorial_lib.datasets import fashion_mnist, planted_shapes
from tutorial_lib.evaluation.agreement import top_overlap
from tutorial_lib.models.layers import ReLU6
from tutorial_lib.models.zoo import load
from tutorial_lib.robustness.attribution_attacks import (
    SoftReLU,
    attack_map,
    away_from_centre,
    locally_smoothed,
    mass_centre,
    mass_shares,
    softplus_twin,
    top_k,
    towards,
    with_moved_saliency,
)
from tutorial_lib.robustness.shifts import (
    brightened,
    jpeg_coded,
    noise_of_length,
    random_signs,
    translated,
)
from tutorial_lib.scores import input_gradient, logits, value_and_gradient

EPSILON, K = 0.05, 25
ATTACKED = {
    "saliency": (saliency, max_over_colour),
    "gradient_x_input": (gradient_x_input, sum_over_colour),
    "integrated_gradients": (partial(integrated_gradients, baseline=BLACK, steps=5), sum_over_colour),
    "guided_backprop": (guided_backprop, sum_over_colour),
    "grad_cam": (partial(grad_cam, layer="1"), sum_over_colour),
    "lrp_epsilon": (partial(lrp_epsilon, epsilon=1e-6), sum_over_colour),
    "deeplift": (partial(deeplift, baseline=BLACK), sum_over_colour),
    "smoothgrad": (
        seeded(smoothgrad, seed=0, attribute=saliency, sigma=0.1, samples=4), max_over_colour
    ),
}
each_method = pytest.mark.parametrize("name", ATTACKED)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def case(net, batch):
    """The random network with classes of about equal score, images in the whole of [0, 1] with some black
    and some white, its classes."""
    x = (batch[0] * 1.4 - 0.2).clamp(0, 1)
    net[7].bias -= net(x).mean(0)
    return net, x, logits(net, x).argmax(1)


def attacked(case, name="saliency", objective=None, **options):
    net, x, target = case
    method, pixels = ATTACKED[name]
    objective = objective or top_k(pixels(method(net, x, target)), k=K)
    options = {"epsilon": EPSILON, "iterations": 10, "generator": generator(), **options}
    return attack_map(method, net, x, target, objective=objective, pixels=pixels, **options)


@each_method
def test_the_budget_the_range_and_the_prediction_are_kept(name, case):
    net, x, target = case
    y = attacked(case, name)
    assert (y >= x - EPSILON).all() and (y <= x + EPSILON).all() and y.min() >= 0 and y.max() <= 1
    assert (y - x).abs().max() > 0.99 * EPSILON and torch.equal(logits(net, y).argmax(1), target)


def test_the_prediction_is_kept_where_it_is_easily_lost(case):
    """A budget that holds other classes for every image: without the condition some are lost."""
    net, x, target = case
    other = torch.rand(x.shape, generator=generator(3), dtype=x.dtype)
    assert (logits(net, (x + 0.5 * (2 * other - 1)).clamp(0, 1)).argmax(1) != target).any()
    y = attacked(case, epsilon=0.5)
    assert torch.equal(logits(net, y).argmax(1), target) and (y != x).flatten(1).any(1).all()


@each_method
def test_the_objective_falls_and_more_than_by_noise_of_the_same_size(name, case):
    net, x, target = case
    method, pixels = ATTACKED[name]
    objective = top_k(pixels(method(net, x, target)), k=K)
    before, after, noisy = (
        objective(pixels(method(net, z, target)))
        for z in (x, attacked(case, name), random_signs(x, epsilon=EPSILON, generator=generator(1)))
    )
    assert (after < before).all() and after.mean() < noisy.mean()


def test_an_attack_with_more_iterations_goes_further(case):
    net, x, target = case
    objective = top_k(max_over_colour(saliency(net, x, target)), k=K)
    few, many = (
        objective(max_over_colour(saliency(net, attacked(case, iterations=n), target))) for n in (2, 30)
    )
    assert many.mean() < few.mean()


def test_the_centre_moves_and_the_map_approaches_a_target(case):
    net, x, target = case
    heat = max_over_colour(saliency(net, x, target))
    y = attacked(case, objective=away_from_centre(heat))
    moved = (mass_centre(max_over_colour(saliency(net, y, target))) - mass_centre(heat)).norm(dim=1)
    corner = torch.zeros_like(heat)
    corner[:, :6, :6] = 1
    z = attacked(case, objective=towards(corner))
    shares = [mass_shares(max_over_colour(saliency(net, i, target))) for i in (z, x)]
    near, far = (share[:, :6, :6].sum((1, 2)) for share in shares)
    assert (moved > 0.1).all() and (near > far).all()


def test_equal_seeds_give_equal_attacks_and_others_do_not(case):
    assert torch.equal(attacked(case), attacked(case))
    assert not torch.equal(attacked(case), attacked(case, generator=generator(1)))


def test_the_attack_leaves_the_model_as_it_was(case):
    net, x, _ = case
    before = {key: value.clone() for key, value in net.state_dict().items()}
    kinds, scores = [type(m) for m in net.modules()], net(x)
    attacked(case)
    assert [type(m) for m in net.modules()] == kinds and torch.equal(net(x), scores)
    assert all(torch.equal(before[key], value) for key, value in net.state_dict().items())


@each_method
def test_the_derivative_of_a_map_agrees_with_finite_differences(name, case):
    """Of the softplus twin, through several layers, along five random directions; β 30 in float64. Absolute
    values, max-pooling and guided signals have kinks, which the small step avoids."""
    method, pixels = ATTACKED[name]
    net, x, target = case
    x, target, twin = x[:2].clamp(0.1, 0.9), target[:2], softplus_twin(net, beta=30)
    objective = top_k(pixels(method(twin, x, target)), k=K)
    _, slope = value_and_gradient(lambda z: objective(pixels(method(twin, z, target))), x)
    for seed in range(5):
        along = torch.randn(x.shape, generator=generator(seed), dtype=x.dtype)
        up, down = (objective(pixels(method(twin, x + s * along, target))) for s in (1e-7, -1e-7))
        expected = (up - down) / 2e-7
        assert torch.allclose((slope * along).sum((1, 2, 3)), expected, rtol=1e-4, atol=1e-6)


def test_a_map_of_a_rule_is_differentiated_through_every_layer():
    """Three layers of softplus with the guided rule; all entries of the Jacobian against differences."""
    torch.manual_seed(0)
    layers = [nn.Flatten(), nn.Linear(4, 6), SoftReLU(5, six=False), nn.Linear(6, 6), SoftReLU(5, six=False),
              nn.Linear(6, 6), SoftReLU(5, six=False), nn.Linear(6, 2)]
    net, target = nn.Sequential(*layers).double().eval().requires_grad_(False), torch.tensor([1])
    x = torch.rand(1, 1, 2, 2, dtype=torch.float64, generator=generator(1))
    weights = torch.randn(4, generator=generator(2), dtype=torch.float64)

    def weighted(z):
        return guided_backprop(net, z, target).flatten(1) @ weights

    _, slope = value_and_gradient(weighted, x)
    for i in range(4):
        step = torch.zeros(4, dtype=torch.float64)
        step[i] = 1e-6
        step = step.view_as(x)
        finite = (weighted(x + step) - weighted(x - step))[0] / 2e-6
        assert torch.allclose(slope.flatten()[i], finite, rtol=1e-6)
    assert slope.abs().min() > 1e-6


def test_the_twin_approaches_the_model_as_beta_grows(case):
    net, x, target = case
    soft, sharp = softplus_twin(net, beta=30), softplus_twin(net, beta=1e6)
    assert torch.allclose(sharp(x), net(x), atol=1e-5) and not torch.allclose(soft(x), net(x), atol=1e-3)
    true = input_gradient(net, x, target)
    apart = [(input_gradient(twin, x, target) - true).norm() for twin in (sharp, soft)]
    assert apart[0] < 0.02 * apart[1]  # a few units are within rounding of their kink
    assert any(isinstance(m, nn.ReLU) and not isinstance(m, SoftReLU) for m in net.modules())


@pytest.mark.parametrize("kind", [nn.ReLU6, ReLU6])
def test_the_twin_of_relu6_is_flat_at_both_ends(kind):
    twin = softplus_twin(nn.Sequential(kind()).eval(), beta=50.0)
    z = torch.tensor([-3.0, 1.0, 5.0, 9.0], dtype=torch.float64)
    assert torch.allclose(twin(z), z.clamp(0, 6), atol=1e-6)


def test_the_objectives_by_hand():
    heat = torch.tensor([[[4.0, -3.0], [2.0, 1.0]]], dtype=torch.float64)
    now = torch.tensor([[[1.0, 1.0], [-6.0, 2.0]]], dtype=torch.float64)
    assert top_k(heat, k=2)(heat).item() == pytest.approx(0.7)
    assert top_k(heat, k=2)(now).item() == pytest.approx(0.2)
    assert mass_centre(heat)[0].tolist() == pytest.approx([0.3, 0.4])
    assert away_from_centre(heat)(now).item() == pytest.approx(-((0.8 - 0.3) ** 2 + (0.3 - 0.4) ** 2) ** 0.5)
    expected = 4 * ((0.4 - 0.1) ** 2 + (0.3 - 0.1) ** 2 + (0.2 - 0.6) ** 2 + (0.1 - 0.2) ** 2)
    assert towards(heat)(now).item() == pytest.approx(expected)
    assert towards(heat)(5 * heat).item() == pytest.approx(0)


def test_the_centre_of_mass_is_that_of_scipy():
    heat = torch.rand(3, 5, 7, generator=generator(), dtype=torch.float64)
    theirs = np.array([ndimage.center_of_mass(h) for h in heat.numpy()])
    assert np.allclose(mass_centre(heat).numpy(), theirs)


def test_local_smoothing_is_the_solution_of_its_own_problem(case):
    """No entry can be moved so that ½ E(g - A)² + λ|A| falls; without penalty it is |mean gradient|."""
    net, x, target = case
    options = {"sigma": 0.05, "samples": 6}
    signed = smoothgrad(net, x, target, attribute=input_gradient, generator=generator(), **options)
    plain = locally_smoothed(net, x, target, penalty=0.0, generator=generator(), **options)
    assert torch.equal(plain, signed.abs())
    a = locally_smoothed(net, x, target, penalty=1.5, generator=generator(), **options)
    scale = 1.5 * signed.abs().mean((1, 2, 3), keepdim=True)

    def cost(b):
        return 0.5 * (signed.abs() - b) ** 2 + scale * b.abs()

    for step in (1e-3, -1e-3):
        assert (cost(a + step * scale) >= cost(a)).all()
    assert (a == 0).any() and (a > 0).any()


def test_a_model_can_be_tuned_to_show_other_pixels():
    data = planted_shapes(48, generator=torch.Generator().manual_seed(3), cue=1.0)
    model = load("shapes_shortcut_100")
    weights = [p.clone() for p in model.parameters()]
    moved = with_moved_saliency(model, data.images, data.targets, away=data.marks, onto=data.masks, steps=25,
                                generator=torch.Generator().manual_seed(0))

    def mass(net, on):
        heat = mass_shares(max_over_colour(saliency(net, data.images, data.targets)))
        return (heat * on).sum((1, 2)).mean()

    assert all(map(torch.equal, weights, model.parameters()))
    assert not any(p.requires_grad for p in moved.parameters()) and not moved.training
    assert torch.equal(logits(moved, data.images).argmax(1), logits(model, data.images).argmax(1))
    assert mass(moved, data.marks) < 0.5 * mass(model, data.marks)
    assert mass(moved, data.masks) > 1.2 * mass(model, data.masks)
    with pytest.raises(ValueError, match="must both be"):
        with_moved_saliency(model, data.images, data.targets, away=data.marks[:, :8], onto=data.masks,
                            generator=torch.Generator())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epsilon": 0.0}, "epsilon"),
        ({"iterations": 0}, "iterations"),
        ({"beta": 0.0}, "beta"),
    ],
)
def test_bad_options_are_refused(options, message, case):
    with pytest.raises(ValueError, match=message):
        attacked(case, **options)


def test_bad_images_models_and_methods_are_refused(case):
    net, x, target = case
    options = {"objective": towards(x[:, 0]), "pixels": max_over_colour, "epsilon": 0.1}
    options["generator"], linear = generator(), nn.Sequential(nn.Flatten(), nn.Linear(768, 5)).double().eval()
    with pytest.raises(ValueError, match="0, 1"):
        attack_map(saliency, net, x + 0.5, target, **options)
    with pytest.raises(ValueError, match="nothing to smooth"):
        attack_map(saliency, linear, x, target, **options)
    with pytest.raises(ValueError, match="not differentiable"):
        attack_map(lambda m, z, t: saliency(m, z.detach(), t), net, x, target, **options)
    with pytest.raises(ValueError, match="not differentiable"):
        attack_map(lambda m, z, t: torch.ones_like(x), net, x, target, **options)
    with pytest.raises(ValueError, match="attacked"):
        attack_map(lambda m, z, t: saliency(m, z, t)[:, :1], net, x, target, **options)
    with pytest.raises(ValueError, match="penalty"):
        locally_smoothed(net, x, target, sigma=0.1, penalty=-1.0, generator=generator())


class TestShifts:
    x = torch.rand(4, 3, 20, 24, generator=generator(), dtype=torch.float64)

    def test_random_signs_use_the_whole_budget_evenly(self):
        inside = self.x.clamp(0.2, 0.8)
        change = random_signs(inside, epsilon=0.1, generator=generator()) - inside
        assert torch.allclose(change.abs(), torch.tensor(0.1).double(), rtol=1e-12)
        assert change.mean().abs() < 0.005
        cut = random_signs(self.x, epsilon=0.3, generator=generator())
        assert cut.min() == 0 and cut.max() == 1 and (cut - self.x).abs().max() <= 0.3 + 1e-15

    def test_noise_has_exactly_the_length_that_was_asked_for_and_stays_in_range(self):
        x, length = self.x.clone(), torch.tensor([0.0, 0.5, 3.0, 12.0], dtype=torch.float64)
        x[1:, :, :10] = 0  # a black half, where noise is cut
        y = noise_of_length(x, length, generator=generator())
        assert torch.allclose((y - x).flatten(1).norm(dim=1), length, rtol=1e-9, atol=1e-12)
        assert y.min() >= 0 and y.max() <= 1 and not torch.equal(y[1], x[1])
        with pytest.raises(ValueError, match="no noise"):
            noise_of_length(x, torch.full((4,), 60.0).double(), generator=generator())

    def test_a_translation_moved_back_is_the_image_but_for_the_border(self):
        x = self.x
        y = translated(x, down=2, right=-1)
        assert torch.equal(y[:, :, 5, 7], x[:, :, 3, 8]) and torch.equal(y[:, :, 0, 7], x[:, :, 0, 8])
        back = translated(y, down=-2, right=1)
        assert torch.equal(back[..., :-2, 1:], x[..., :-2, 1:]) and not torch.equal(back, x)
        with pytest.raises(ValueError, match="leaves nothing"):
            translated(x, down=20, right=0)

    def test_brightness_is_a_factor_and_is_cut(self):
        y = brightened(self.x, by=0.05)
        assert torch.allclose(y, (self.x * 1.05).clamp(max=1)) and y.max() <= 1
        with pytest.raises(ValueError, match="-1"):
            brightened(self.x, by=-1.0)

    def test_jpeg_of_high_quality_is_near_and_of_low_quality_is_not(self):
        smooth = torch.linspace(0, 1, 24, dtype=torch.float64).expand(2, 3, 20, 24)
        near, far = ((jpeg_coded(smooth, quality=q) - smooth).abs().max() for q in (95, 1))
        grey = jpeg_coded(self.x[:, :1], quality=90)
        assert near < 0.02 < far and grey.shape == (4, 1, 20, 24) and grey.dtype == torch.float64
        with pytest.raises(ValueError, match="quality"):
            jpeg_coded(self.x, quality=0)


def test_the_overlap_of_attacked_maps_is_lower_than_that_of_noisy_ones():
    """A larger random network in float32: the sizes of the book."""
    net = small_net(seed=3).float()
    x = torch.rand(6, 3, 16, 16, generator=generator())
    target = logits(net, x).argmax(1)
    heat = max_over_colour(saliency(net, x, target))
    y = attack_map(saliency, net, x, target, objective=top_k(heat, k=K), pixels=max_over_colour, epsilon=0.05,
                   generator=generator())
    noisy = random_signs(x, epsilon=0.05, generator=generator(1))
    after = [max_over_colour(saliency(net, z, target)) for z in (y, noisy)]
    hit, control = (top_overlap(heat, each, k=K).mean() for each in after)
    assert hit < control and (y - x).abs().max() <= 0.05 + 1e-7


class TestMeasures:
    """What the recorded run stores, on four garments and one network."""

    data = settings.part_of(fashion_mnist("test"), slice(0, 4))
    model = load("fashion_natural_100")

    def test_an_unchanged_image_keeps_all_and_one_of_another_class_does_not_count(self):
        data = replace(self.data, targets=logits(self.model, self.data.images).argmax(1))
        assert data.targets[0] != data.targets[1]
        before = measures.explained("fashion", "saliency", self.model, data, data.images)
        images = data.images.clone()
        images[0] = data.images[1]
        found = measures.left("fashion", "saliency", self.model, data, before, images)
        assert found["overlap"].isnan().tolist() == [True, False, False, False]
        assert (found["overlap"][1:] > 0.999).all() and found["confidence"][0] < 0.5

    def test_whole_numbers_for_each_image_and_means_for_the_rest(self):
        rows = torch.tensor([[0.12344, torch.nan], [1.0, 0.5]], dtype=torch.float64)
        found = measures.summary({"attack": {"overlap": rows, "confidence": rows}})["attack"]
        assert found["overlap"][0, 0] == 1234 and found["overlap"][1].tolist() == [10_000, 5000]
        assert found["overlap"][0, 1].isnan() and found["confidence"].tolist() == [0.12344, 0.75]
        assert settings.means({"mask": rows})["mask"].tolist() == [0.12344, 0.75]

    def test_k_is_the_size_of_the_mask_or_a_tenth_of_the_pixels(self):
        shapes = planted_shapes(3, generator=generator())
        assert settings.largest(self.data) == 78
        assert settings.largest(shapes).tolist() == shapes.masks.sum((1, 2)).tolist()
