"""Signs that a map or a model is not to be trusted: hand calculations, and what each must see."""

import math
from functools import partial

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tutorial_lib.attribution.gradients import integrated_gradients, saliency, seeded, smoothgrad
from tutorial_lib.attribution.perturbation import occlusion
from tutorial_lib.attribution.pixels import sum_over_colour
from tutorial_lib.datasets import fashion_mnist
from tutorial_lib.evaluation import red_flags
from tutorial_lib.evaluation.fills import constant
from tutorial_lib.evaluation.sanity import edge_filter, randomised
from tutorial_lib.models.zoo import load

BLACK, GREY = (torch.full((1, 1, 1, 1), value, dtype=torch.float64) for value in (0.0, 0.4))
SIDES = [(16, 16), (20, 13), (9, 21), (30, 17), (7, 5)]  # whole windows, and windows that the border cuts off


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def images(*shape, seed=1):
    return torch.rand(shape, dtype=torch.float64, generator=generator(seed))


class Scores(nn.Module):
    """A model made of a function of the images."""

    def __init__(self, function):
        super().__init__()
        self.function = function
        self.eval()

    def forward(self, x):
        return self.function(x)


def linear(sides, channels=2):
    """Two classes, and their weights as images."""
    weights = torch.randn(2, channels, *sides, dtype=torch.float64, generator=generator(3))
    return Scores(lambda x: torch.einsum("nchw,kchw->nk", x, weights))


# Windows


@pytest.mark.parametrize("sides", SIDES)
def test_windows_are_those_of_occlusion_in_number_and_pixels(sides):
    """Each window is filled by hand and the drop of the score compared with occlusion's map; a mean that
    counted pixels beyond the border would be too small."""
    model, x, target = linear(sides), images(3, 2, *sides), torch.tensor([0, 1, 0])
    size = red_flags.window_size(x)
    heat = sum_over_colour(occlusion(model, x, target, size=size, stride=size, fill=GREY))
    means, before = red_flags.window_means(heat, size=size), model(x)
    assert means.shape[1] == math.ceil(sides[0] / size) * math.ceil(sides[1] / size)
    for k, found in enumerate(means.T):
        window = red_flags.window_pixels(torch.full((3,), k), x)
        drop = before - model(constant(x, window, value=GREY))
        assert torch.allclose(drop.gather(1, target[:, None])[:, 0].abs(), found, rtol=1e-10, atol=1e-12)


def test_the_shorter_side_has_at_most_eight_windows():
    for side, size in ((28, 4), (64, 8), (224, 28), (65, 9), (5, 1)):
        assert red_flags.window_size(torch.zeros(1, 3, side, side + 40)) == size
        assert red_flags.window_size(torch.zeros(1, 3, side + 40, side)) == size


# Maps against the score


def test_overruled_by_hand():
    """Four windows of 2 × 2; the map's largest mean of |A| is in the third, though one pixel of the first
    is larger. More than the third: one of three, then none, then one and a tie, then three ties."""
    heat = torch.tensor([[2.5, 0, 1, 1, -2, -2, 0, 0], [0.0, 0, 1, 1, -2, -2, 0, 0]]).double()
    drops = torch.tensor([[1, 9, 4, 2], [1, -3, -4, 2], [4, -9, -4, 2], [3, 3, -3, -3]]).double()
    by_hand = [1 / 3, 0, 1.5 / 3, 1.5 / 3]
    each = [red_flags.overruled(heat[None], row[None], size=2) for row in drops]
    assert each == pytest.approx(by_hand, abs=1e-7)
    together = red_flags.overruled(heat.expand(4, 2, 8), drops, size=2)
    assert together == pytest.approx(sum(by_hand) / 4, abs=1e-7)


def test_occlusion_is_never_overruled_by_its_own_drops(net, batch):
    heat = sum_over_colour(occlusion(net, *batch, size=2, stride=2, fill=GREY))
    drops = heat[:, ::2, ::2].flatten(1)
    assert red_flags.overruled(heat, drops, size=2) == 0
    assert red_flags.overruled(-7 * heat, drops, size=2) == 0


def test_random_maps_are_overruled_by_half_and_empty_ones_by_exactly_half():
    """3000 images: the standard error of the mean share is 0.005."""
    drops = torch.randn(3000, 16, dtype=torch.float64, generator=generator())
    heat = torch.randn(3000, 8, 8, dtype=torch.float64, generator=generator(1))
    assert red_flags.overruled(heat, drops, size=2) == pytest.approx(0.5, abs=0.025)
    assert red_flags.overruled(torch.zeros_like(heat), drops, size=2) == 0.5


def test_a_map_with_nan_has_no_share():
    heat = torch.zeros(2, 8, 8).double()
    heat[1, 3, 3] = math.nan
    assert math.isnan(red_flags.overruled(heat, torch.rand(2, 16).double(), size=2))


def test_disagreement_is_0_for_equal_maps_and_1_for_unrelated_ones():
    """Of equal order, more exactly. Unrelated: 3 pairs × 60 images × 64 windows, standard error 0.01."""
    heat, other, third = torch.randn(3, 60, 32, 32, dtype=torch.float64, generator=generator())
    assert red_flags.disagreement([heat, -3 * heat, heat], size=4) == pytest.approx(0, abs=1e-12)
    assert red_flags.disagreement([heat, other, third], size=4) == pytest.approx(1, abs=0.04)
    one_pair_of_three = red_flags.disagreement([heat, heat, other], size=4)
    assert one_pair_of_three == pytest.approx(2 / 3, abs=0.04)


def test_disagreement_looks_at_windows_and_not_into_them():
    heat = torch.randn(5, 32, 32, dtype=torch.float64, generator=generator())
    turned = heat.unflatten(1, (8, 4)).flip(2).flatten(1, 2)
    assert red_flags.disagreement([heat, turned], size=4) == pytest.approx(0, abs=1e-12)
    assert red_flags.disagreement([heat, turned], size=1) > 0.5


def test_one_map_has_nobody_to_disagree_with():
    """Nor has one beside a constant map; where a pair can be compared, it counts alone."""
    heat, flat = images(2, 8, 8), torch.ones(2, 8, 8).double()
    for maps in ([], [heat], [heat, flat]):
        assert math.isnan(red_flags.disagreement(maps, size=2))
    assert red_flags.disagreement([heat, heat, flat], size=2) == pytest.approx(0, abs=1e-12)


# What the image without its content is worth


def bright_pixels(needed):
    """Class 1 if more than `needed` pixels are brighter than .9."""
    return Scores(lambda x: torch.stack([torch.full((len(x),), needed).to(x),
                                         (x > 0.9).flatten(1).sum(1).to(x)], 1))


def marked():
    """Dark images with bright windows of 2 × 2: one has none, one has one, one has two of them."""
    x = torch.full((3, 1, 16, 16), 0.2, dtype=torch.float64)
    x[1:, :, 4:6, 6:8] = 1
    x[2:, :, 10:12, 10:12] = 1
    return x, torch.tensor([0, 19, 19])


def test_one_window_decides_where_it_alone_keeps_the_class():
    """Window 19 is the bright one. Needed: more than 3 pixels (it suffices, in two images of three), more
    than 5 (the image of two such windows needs both), more than -1 (all, and the empty ones too)."""
    x, numbers = marked()
    assert red_flags.sufficiency(bright_pixels(3), x, numbers) == pytest.approx(2 / 3)
    assert red_flags.sufficiency(bright_pixels(3), x, numbers + 1) == 0
    assert red_flags.sufficiency(bright_pixels(5), x, numbers) == 0
    assert red_flags.sufficiency(bright_pixels(-1), x, numbers) == 0


def test_emptiness_is_the_share_of_images_that_keep_their_class_in_their_mean_colour():
    x, _ = marked()
    assert red_flags.emptiness(bright_pixels(3), x) == pytest.approx(1 / 3)
    assert red_flags.emptiness(bright_pixels(-1), x) == 1
    by_colour = Scores(lambda x: x.mean((2, 3)))
    assert red_flags.emptiness(by_colour, images(5, 3, 6, 9)) == 1


# Models that give one image two maps


def dropout(model):
    return Scores(lambda x: model(F.dropout(x, 0.1, training=True)))


def batch_statistics(model, read=lambda mean: mean):
    return Scores(lambda x: model(x - read(x.mean((0, 2, 3), keepdim=True)) + 0.5))


def test_repetition_sees_dropout_and_is_0_without(net, batch):
    assert red_flags.randomness(saliency, net, *batch) == 0
    assert red_flags.randomness(saliency, batch_statistics(net), *batch) == 0
    assert red_flags.randomness(saliency, dropout(net), *batch) > 0.1


def test_company_sees_batch_statistics_and_dropout_and_is_0_without(net, batch):
    """Up to rounding. Means that let no gradient through leave the map of an image beside its plain mirror
    image as it is, so the other image must differ in brightness."""
    assert red_flags.mixing(saliency, net, *batch) < 1e-12
    assert red_flags.mixing(saliency, dropout(net), *batch) > 0.1
    assert red_flags.mixing(saliency, batch_statistics(net), *batch) > 0.1
    assert red_flags.mixing(saliency, batch_statistics(net, torch.detach), *batch) > 0.1


# The gradient against the score


def with_gaps(gaps, x, seen):
    """Maps of a linear model that miss a given share of each image's rise."""
    def method(model, y, target):
        known = (y[:, None] == x[None]).flatten(2).all(2).int().argmax(1)
        seen.append(known.tolist())
        share = 1 - torch.tensor(gaps, dtype=torch.float64)[known]
        rise = (model(y) - model(baselines(x)[known])).gather(1, target[:, None])[:, 0]
        return (rise * share).view(-1, 1, 1, 1).expand_as(y) / y[0].numel()

    return method


def baselines(x):
    return x / torch.arange(2, 2 + len(x)).view(-1, 1, 1, 1)


@pytest.mark.parametrize(
    ("rough", "fine", "second", "median"),
    [
        ([0, 0.01, 0.5, 0.9, 0.05], [9, 9, 0.02, 0.3, 9], [2, 3], 0.02),
        ([0, 0.01, math.nan, 0.9, 0.04], [9, 9, 0.03, 0.6, 9], [2, 3], 0.03),
        ([0.9, 0.8, 0.7, 0.6, 0.01], [0.5, 0.4, 0.3, 0.2, 9], [0, 1, 2, 3], 0.3),
        ([0.01, 0.02, 0.03, 0.04, 0.05], [9] * 5, None, 0.03),
    ],
    ids=["two", "NaN", "most", "none"],
)
def test_only_images_above_the_line_get_the_finer_method(rough, fine, second, median):
    """Baselines and classes stay with their images."""
    x, target, seen = images(5, 2, 6, 4), torch.tensor([0, 1, 1, 0, 1]), []
    methods = [with_gaps(gaps, x, seen) for gaps in (rough, fine)]
    found = red_flags.unaccounted(methods, linear((6, 4)), x, target, baseline=baselines(x), line=0.05 + 1e-9)
    assert seen == [[0, 1, 2, 3, 4]] + ([second] if second else [])
    assert found == pytest.approx(median, abs=1e-9)


def test_a_score_that_the_gradient_does_not_rise_to_is_unaccounted(net, batch):
    """Rounded images have gradient 0: all is left over. Behind a detach are two thirds of the score."""
    finer = [partial(integrated_gradients, baseline=BLACK, steps=steps) for steps in (16, 64)]
    measure = partial(red_flags.unaccounted, finer, baseline=BLACK, line=0.05)
    rounded = Scores(lambda x: net((16 * x).round() / 16))
    detached = Scores(lambda x: 2 / 3 * net(x.detach()) + net(x) / 3)
    assert measure(net, *batch) < 0.05
    assert measure(rounded, *batch) == 1
    assert measure(detached, *batch) == pytest.approx(2 / 3, abs=0.02)


# The model against its own random copies


@pytest.fixture(scope="module")
def fashion():
    data = fashion_mnist("test")
    return load("fashion_natural_100"), data.images[:8], data.targets[:8]


smooth = seeded(smoothgrad, seed=0, attribute=saliency, sigma=0.15, samples=8)


def test_a_trained_network_looks_trained_and_a_random_one_does_not(fashion):
    model, x, target = fashion
    assert red_flags.untrained_look(smooth, model, x, target, generator=generator()) < 0.8
    for seed in range(10, 13):
        blank = randomised(model, "", generator=generator(seed))
        found = red_flags.untrained_look(smooth, blank, x, target, generator=generator())
        assert found == pytest.approx(1, abs=0.15)


def test_a_map_of_the_image_alone_looks_untrained_exactly(fashion):
    found = red_flags.untrained_look(edge_filter, *fashion, generator=generator())
    assert found == pytest.approx(1, abs=1e-12)


def test_the_two_random_copies_differ_and_come_from_the_generator(fashion):
    seen = []

    def noted(model, x, target):
        seen.append(model(x))
        return saliency(model, x, target)

    first, again = (red_flags.untrained_look(noted, *fashion, generator=generator(4)) for _ in range(2))
    own, copy, other = seen[:3]
    assert first == again and torch.equal(own, fashion[0](fashion[1]))
    assert not torch.allclose(copy, other) and not torch.allclose(own, copy)
