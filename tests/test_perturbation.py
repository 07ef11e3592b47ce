"""Occlusion, RISE and LIME against captum and closed forms."""

from functools import partial

import captum.attr as ca
import pytest
import torch
from captum._utils.models.model import Model
from torch import nn
from torch.nn.functional import interpolate

from tests.conftest import small_net
from tutorial_lib import scores
from tutorial_lib.attribution import perturbation
from tutorial_lib.attribution.captum_bridge import from_captum, largest_difference
from tutorial_lib.attribution.gradients import gradient_x_input, seeded
from tutorial_lib.attribution.perturbation import lime, occlusion, rise
from tutorial_lib.attribution.pixels import sum_over_colour

BLACK, GREY = (torch.full((1, 3, 1, 1), value, dtype=torch.float64) for value in (0.0, 0.4))
METHODS = {
    "occlusion": partial(occlusion, size=5, stride=3, fill=GREY),
    "rise": seeded(rise, seed=3, fill=GREY, masks=20, cells=4),
    "lime": seeded(lime, seed=3, fill=GREY, samples=90, cells=4, width=0.25),
}
every_method = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)


def linear_net(channels=3, side=8, classes=4):
    """A linear model of images: (model, θ as images of the classes)."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(channels * side**2, classes)).double().eval()
    return model.requires_grad_(False), model[1].weight.view(classes, channels, side, side)


def linear_batch(side=8):
    x = torch.rand(5, 3, side, side, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    return x, torch.tensor([0, 1, 2, 3, 1])


def passes(model, method, x, target) -> int:
    """How many images go through the model."""
    seen = []
    with model.register_forward_hook(lambda _model, images, _scores: seen.append(len(images[0]))):
        method(model, x, target)
    return sum(seen)


# Laws of all three


@every_method
def test_map_is_shaped_like_the_input_with_one_value_for_all_colours(method, net, batch):
    heat = method(net, *batch)
    assert heat.shape == batch[0].shape and heat.dtype == batch[0].dtype and not heat.requires_grad
    assert torch.equal(heat[:, 0], heat[:, 2])


@every_method
def test_two_calls_are_equal(method, net, batch):
    assert torch.equal(method(net, *batch), method(net, *batch))


@every_method
def test_chunk_size_changes_nothing(method, net, batch, monkeypatch):
    reference = method(net, *batch)
    for size in (1, 2, 30, 1000):
        monkeypatch.setattr(perturbation, "chunk_size", lambda x, size=size: size)
        assert largest_difference(method(net, *batch), reference) < 1e-10


@every_method
def test_no_pass_is_larger_than_a_chunk(method, net, batch, monkeypatch):
    monkeypatch.setattr(perturbation, "chunk_size", lambda x: 4)
    sizes = []
    with net.register_forward_hook(lambda _model, images, _scores: sizes.append(len(images[0]))):
        method(net, *batch)
    assert max(sizes) <= 4


@every_method
def test_each_image_is_explained_by_itself(method, net, batch):
    x, target = batch
    assert torch.allclose(method(net, x, target)[2:3], method(net, x[2:3], target[2:3]), rtol=0, atol=1e-12)


@every_method
def test_gradients_flow_through_the_map_if_the_input_asks_for_them(method, net, batch):
    x = batch[0].clone().requires_grad_()
    heat = method(net, x, batch[1])
    (second,) = torch.autograd.grad(heat.square().sum(), x)
    assert heat.requires_grad and second.abs().sum() > 0 and torch.isfinite(second).all()


@every_method
def test_the_model_need_not_be_differentiable(method, batch):
    """Perturbation needs answers, no gradient."""

    class Sealed(nn.Module):
        def forward(self, x):
            return small_net()(x).detach()

    assert torch.equal(method(Sealed().eval(), *batch), method(small_net(), *batch))


@every_method
def test_the_explained_score_may_be_a_probability(method, net, batch):
    heat = method(nn.Sequential(net, nn.Softmax(1)).eval(), *batch)
    assert torch.isfinite(heat).all() and heat.abs().max() <= 1.2


def test_passes_are_the_definitions(net, batch):
    x, target = batch[0][:2], batch[1][:2]
    assert passes(net, METHODS["occlusion"], x, target) == 2 * (5 * 5 + 1)  # (16 - 5) / 3 rounded up, and 1
    assert passes(net, METHODS["rise"], x, target) == 2 * 20
    assert passes(net, METHODS["lime"], x, target) == 2 * 90


# Occlusion


@pytest.mark.parametrize(("size", "stride"), [(4, 4), (5, 3), (3, 1), (7, 5), (1, 1), (16, 16)])
def test_occlusion_is_captums(size, stride, net, batch):
    """Captum credits each colour with the whole drop, and cuts the last window at the border too."""
    options = {"sliding_window_shapes": (3, size, size), "strides": (3, stride, stride), "baselines": GREY}
    theirs = from_captum(ca.Occlusion, **options)(net, *batch)
    ours = occlusion(net, *batch, size=size, stride=stride, fill=GREY)
    assert largest_difference(3 * ours, theirs) < 1e-6  # captum averages in single precision


def test_pixelwise_occlusion_of_a_linear_model_with_black_is_gradient_x_input():
    model, _ = linear_net()
    x, target = linear_batch()
    ours = sum_over_colour(occlusion(model, x, target, size=1, stride=1, fill=BLACK))
    assert largest_difference(ours, sum_over_colour(gradient_x_input(model, x, target))) < 1e-10


def test_occlusion_with_touching_windows_gives_a_linear_models_whole_difference():
    """Each pixel of a 4 × 4 window gets its drop, so the map's sum is 16 times the difference."""
    model, _ = linear_net()
    x, target = linear_batch()
    heat = occlusion(model, x, target, size=4, stride=4, fill=GREY)
    difference = scores.class_score(model, x, target) - scores.class_score(model, GREY.expand_as(x), target)
    assert torch.allclose(heat.sum((1, 2, 3)), 16 * difference)


def test_what_the_model_does_not_read_gets_nothing(batch):
    """A model of the upper half: windows in the lower half change nothing, not even by rounding."""

    class UpperHalf(nn.Module):
        def forward(self, x):
            return small_net().float()(torch.cat([x[:, :, :8], 0 * x[:, :, :8]], 2))

    heat = occlusion(UpperHalf().eval(), batch[0].float(), batch[1], size=4, stride=4, fill=GREY)
    assert heat[:, :, 8:].abs().max() == 0 and heat[:, :, :8].abs().max() > 0


def test_a_fill_of_the_images_own_size_is_used_pixel_by_pixel(net, batch):
    x, target = batch
    assert occlusion(net, x, target, size=4, stride=4, fill=x).abs().max() < 1e-15
    own = torch.rand(x.shape, dtype=x.dtype, generator=torch.Generator().manual_seed(4))
    heat = occlusion(net, x, target, size=4, stride=4, fill=own)
    changed = x.clone()
    changed[:, :, 4:8, 8:12] = own[:, :, 4:8, 8:12]
    drop = scores.class_score(net, x, target) - scores.class_score(net, changed, target)
    assert torch.allclose(heat[:, 0, 4, 8] * 3, drop)


# RISE


def moments(*, cells, side, keep):
    """E[m_i m_j] for the masks of Petsiuk et al.: m = W z with independent cells z, W the enlargement and
    the crop, so E[m mᵀ] = keep² + keep (1 - keep) W Wᵀ, averaged over the equally likely shifts."""
    step = -(-side // cells)
    single = torch.eye(cells**2).double().view(-1, 1, cells, cells)
    large = interpolate(single, ((cells + 1) * step,) * 2, mode="bilinear")[:, 0]
    crops = [large[:, r : r + side, c : c + side].flatten(1) for r in range(step) for c in range(step)]
    return keep**2 + keep * (1 - keep) * sum(w.T @ w for w in crops) / len(crops)


def test_rise_of_a_linear_model_tends_to_its_expectation():
    """E[S(m ⊙ x) m_i] / keep = Σ_j θ_j x_j E[m_i m_j] / keep."""
    model, theta = linear_net()
    x, target = linear_batch()
    model[1].bias.zero_()
    pull = (theta[target] * x).sum(1).flatten(1)
    expected = (pull @ moments(cells=4, side=8, keep=0.3) / 0.3).view(5, 8, 8)
    method = seeded(rise, seed=5, fill=BLACK, masks=40_000, keep=0.3, cells=4)
    assert largest_difference(sum_over_colour(method(model, x, target)), expected) < 0.05


def test_rise_of_a_constant_model_is_its_level_everywhere():
    """S = 1: the map is the share of masks that keep a pixel, over `keep`."""

    class One(nn.Module):
        def forward(self, x):
            return torch.ones(len(x), 4, dtype=x.dtype)

    x, target = linear_batch()
    heat = seeded(rise, seed=0, fill=BLACK, masks=5000, keep=0.3, cells=4)(One().eval(), x, target)
    assert (sum_over_colour(heat) - 1).abs().max() < 0.1


def test_rise_with_the_image_itself_as_fill_has_the_same_score_for_every_mask(net, batch):
    x, target = batch
    heat = sum_over_colour(seeded(rise, seed=0, fill=x, masks=50)(net, x, target))
    shares = heat / scores.class_score(net, x, target)[:, None, None]
    assert torch.allclose(shares, shares[:1].expand_as(shares))


# LIME


class TorchRidge(Model):
    """Weighted ridge regression with a free intercept, for captum's Lime (its own needs scikit-learn)."""

    def __init__(self, ridge):
        self.ridge = ridge

    def fit(self, train_data):
        z, y, w = (part.double() for part in next(iter(train_data)))
        design = torch.cat([z, torch.ones(len(z), 1).double()], 1)
        penalty = self.ridge * torch.eye(design.shape[1]).double()
        penalty[-1, -1] = 0
        root = w.sqrt()[:, None]
        rows = torch.cat([root * design, penalty.sqrt()])
        self.weights = torch.linalg.lstsq(rows, torch.cat([root[:, 0] * y, 0 * penalty[0]])[:, None]).solution

    def representation(self):
        return self.weights[:-1, 0]

    def __call__(self, x):
        raise NotImplementedError


def captum_lime(model, x, target, *, fill, width, samples, cells, ridge, seed):
    """Captum's Lime with our patterns, squares, kernel and regression."""
    patterns = torch.rand(samples, cells**2, generator=torch.Generator().manual_seed(seed)) < 0.5
    patterns[0] = True

    def draw(_x, **_):
        yield from patterns[:, None].double()

    def similarity(_x, _copy, pattern, **_):
        away = 1 - torch.cosine_similarity(pattern, torch.ones_like(pattern))
        return torch.exp(-(away**2) / (2 * width**2))

    squares = torch.arange(cells**2).view(1, 1, cells, cells).double()
    squares = interpolate(squares, x.shape[2:], mode="nearest").long().expand(1, *x.shape[1:])
    method = ca.Lime(model, TorchRidge(ridge), similarity_func=similarity, perturb_func=draw)
    parts = [
        method.attribute(x[i : i + 1], target=int(target[i]), baselines=fill, feature_mask=squares,
                         n_samples=samples, perturbations_per_eval=30)
        for i in range(len(x))
    ]  # fmt: skip
    return torch.cat(parts)


def test_lime_is_captums_with_the_same_samples(net, batch):
    x, target = batch[0][:3], batch[1][:3]
    options = {"fill": GREY, "width": 0.25, "samples": 60, "cells": 4, "ridge": 0.5}
    theirs = captum_lime(net, x, target, seed=9, **options)
    assert largest_difference(3 * seeded(lime, seed=9, **options)(net, x, target).float(), theirs) < 1e-4


def test_lime_of_a_linear_model_is_occlusion_of_its_squares():
    """Without a penalty to speak of the fitted model is the model."""
    model, _ = linear_net()
    x, target = linear_batch()
    fitted = seeded(lime, seed=0, fill=GREY, width=0.25, cells=4, samples=200, ridge=1e-9)(model, x, target)
    assert largest_difference(fitted, occlusion(model, x, target, size=2, stride=2, fill=GREY)) < 1e-8


# Bad input


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (partial(occlusion, size=4, stride=5, fill=GREY), "every pixel needs a window"),
        (partial(occlusion, size=17, stride=1, fill=GREY), "every pixel needs a window"),
        (partial(occlusion, size=4, stride=0, fill=GREY), "every pixel needs a window"),
        (partial(occlusion, size=4, stride=4, fill=0.5), "must be a tensor"),
        (partial(occlusion, size=4, stride=4, fill=torch.zeros(3)), "does not broadcast"),
        (seeded(rise, seed=0, fill=GREY, masks=0), "masks ≥ 1"),
        (seeded(rise, seed=0, fill=GREY, keep=1.0), "keep < 1"),
        (seeded(rise, seed=0, fill=GREY, cells=17), "the image's side"),
        (seeded(lime, seed=0, fill=GREY, width=0.0), "width > 0"),
        (seeded(lime, seed=0, fill=GREY, width=0.25, ridge=0), "ridge > 0"),
        (seeded(lime, seed=0, fill=GREY, width=0.25, samples=1), "samples ≥ 2"),
    ],
)
def test_wrong_options_are_refused_with_a_remedy(call, message, net, batch):
    with pytest.raises(ValueError, match=message):
        call(net, *batch)


@every_method
def test_feature_vectors_are_refused_with_a_remedy(method):
    model = nn.Linear(4, 2).double().eval()
    with pytest.raises(ValueError, match="images"):
        method(model, torch.rand(2, 4).double(), torch.tensor([0, 1]))


@every_method
def test_a_class_that_does_not_exist_is_refused(method, net, batch):
    with pytest.raises(ValueError, match="classes 0 to 4"):
        method(net, batch[0], torch.full((7,), 5))
