"""Removal curves, their areas and ROAR: laws, oracles, what they cost and refuse; the fills."""

import weakref
from functools import partial
from itertools import pairwise, permutations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from scipy.sparse import csc_matrix
from scipy.sparse.linalg import splu
from torch import nn

from tests.conftest import small_net
from tutorial_lib.attribution.perturbation import occlusion
from tutorial_lib.evaluation import removal
from tutorial_lib.evaluation.fills import blurred, constant, imputed
from tutorial_lib.evaluation.removal import (
    Explained,
    aopc,
    area,
    removal_curves,
    removal_times,
    removed_share,
    roar,
)
from tutorial_lib.scores import class_score

BLACK, GREY = (torch.full((1, 1, 1, 1), value, dtype=torch.float64) for value in (0.0, 0.4))
black, grey = partial(constant, value=BLACK), partial(constant, value=GREY)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def random(*shape, seed=0):
    return torch.rand(shape, generator=generator(seed), dtype=torch.float64)


def curves(model, batch, maps, **options):
    options = {"order": "morf", "fill": grey, "steps": 8, "generator": generator(), **options}
    return removal_curves(model, *batch, maps, **options)


def curve(model, batch, heat, **options):
    return curves(model, batch, {"map": heat}, **options)["map"]


def linear_net(channels, *sides):
    """A linear model of two classes, and its weights as images."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(channels * sides[0] * sides[1], 2)).double().eval()
    return model.requires_grad_(False), model[1].weight.view(2, channels, *sides)


@pytest.fixture
def heat():
    """Pixel maps for the batch of conftest, without ties."""
    return random(7, 16, 16, seed=5) - 0.5


# Curves


def test_both_ends_are_the_scores_of_the_image_and_of_the_filled_image(net, batch, heat):
    found = curve(net, batch, heat)
    assert found.shape == (7, 9)
    assert torch.allclose(found[:, 0], class_score(net, *batch), rtol=0, atol=1e-14)
    filled = class_score(net, GREY.expand_as(batch[0]), batch[1])
    assert torch.allclose(found[:, -1], filled, rtol=0, atol=1e-14)


def test_each_step_is_the_score_of_the_image_without_its_highest_pixels(net, batch, heat):
    """16 × 16 pixels in 8 steps: 32 at a time, the same in all colours, one image after the other."""
    x, target = batch
    found = curve(net, batch, heat)
    for i in range(7):
        highest = heat[i].flatten().argsort(descending=True)
        for step in range(9):
            copy = x[i : i + 1].clone()
            copy.flatten(2)[..., highest[: 32 * step]] = 0.4
            assert abs(net(copy)[0, target[i]] - found[i, step]) < 1e-12


def test_contributions_are_the_best_order_of_a_linear_model_among_all_orders():
    """S = b + Σ wᵢxᵢ over the pixels left: the area of each of the 720 orders of six pixels, by hand."""
    model, weights = linear_net(1, 2, 3)
    x, target = random(2, 1, 2, 3, seed=3), torch.tensor([0, 1])
    contribution = (weights[target] * x)[:, 0]
    for i in range(2):
        parts, bias = contribution[i].flatten().tolist(), model[1].bias[target[i]].item()
        areas = []
        for order in permutations(range(6)):
            scores = [bias + sum(parts[p] for p in order[k:]) for k in range(7)]
            areas.append(sum((a + b) / 2 for a, b in pairwise(scores)) / 6)
        one = (x[i : i + 1], target[i : i + 1])
        options = {"steps": 6, "fill": black}
        morf, lerf = (area(curve(model, one, contribution[i : i + 1], order=o, **options)).item()
                      for o in ("morf", "lerf"))  # fmt: skip
        assert abs(morf - min(areas)) < 1e-12 and abs(lerf - max(areas)) < 1e-12
        assert max(areas) - min(areas) > 0.05


def test_least_relevant_first_is_most_relevant_first_of_the_negative_map(net, batch, heat):
    """With ties too: both break them by the same draws."""
    for values in (heat, heat.mul(4).round()):
        morf, lerf = curve(net, batch, -values), curve(net, batch, values, order="lerf")
        assert torch.equal(morf, lerf)
        assert not torch.equal(morf, curve(net, batch, values))


def test_only_the_order_of_a_map_counts(net, batch, heat):
    assert torch.equal(curve(net, batch, heat), curve(net, batch, (5 * heat).exp()))


def test_the_sign_counts(net, batch, heat):
    """The lowest values are the negative ones; an absolute map is another map."""
    times = removal_times(heat, order="morf", generator=generator())
    assert times[heat < 0].min() > times[heat > 0].min()
    assert (times.amin((1, 2)) == times[heat == heat.amax((1, 2), keepdim=True)]).all()
    assert not torch.equal(curve(net, batch, heat), curve(net, batch, heat.abs()))


def pixel_flipping(model, x, a, y, features_in_step):
    """The definition of Quantus' PixelFlipping (0.5, quantus/metrics/faithfulness/pixel_flipping.py, for one
    instance): flatten the map, np.argsort of its negative, set `features_in_step` more pixels to "black" at
    each step, predict after each with softmax. Written anew in NumPy; Quantus leaves out the first point."""
    indices = np.argsort(-a.flatten())
    copy, predictions = x.copy(), []
    for start in range(0, len(indices), features_in_step):
        rows, columns = np.unravel_index(indices[start : start + features_in_step], a.shape)
        copy[:, rows, columns] = 0.0
        logits = model(torch.from_numpy(copy)[None]).numpy()[0]
        exponentials = np.exp(logits - logits.max())
        predictions.append(exponentials[y] / exponentials.sum())
    return predictions


def test_curves_are_those_of_quantus_pixel_flipping(net, batch, heat):
    x, target = batch
    found = curve(nn.Sequential(net, nn.Softmax(1)).eval(), batch, heat, fill=black, steps=32)
    for i in range(7):
        theirs = pixel_flipping(net, x[i].numpy(), heat[i].numpy(), int(target[i]), features_in_step=8)
        assert np.abs(found[i, 1:].numpy() - theirs).max() < 1e-12
        ours = area(found[i : i + 1, 1:]) * 31  # theirs: np.trapezoid with steps of width 1
        assert abs(ours.item() - np.trapezoid(theirs)) < 1e-12


def test_a_random_order_of_a_linear_model_falls_along_a_straight_line():
    """A random map and a constant one, 2,000 times on one image: within 4.5 standard errors."""
    model, _ = linear_net(3, 8, 8)
    x, target = random(1, 3, 8, 8).expand(2000, -1, -1, -1), torch.zeros(2000).long()
    maps = {"random": random(2000, 8, 8, seed=1), "constant": torch.ones(2000, 8, 8)}
    for found in curves(model, (x, target), maps).values():
        line = torch.lerp(found[0, 0], found[0, -1], torch.linspace(0, 1, 9).double())
        inner = found[:, 1:-1]
        z = (inner.mean(0) - line[1:-1]) / (inner.std(0) / 2000**0.5)
        assert z.abs().max() < 4.5 and inner.std(0).min() > 0.01


def test_a_curve_rounds_to_whole_pixels_and_never_stands_still():
    """7 × 7 pixels in 20 and in 49 steps."""
    times = removal_times(random(1, 7, 7), order="morf", generator=generator())
    for steps in (20, 49):
        counts = [int((times < k / steps).sum()) for k in range(steps + 1)]
        assert counts[0] == 0 and counts[-1] == 49 and all(b > a for a, b in pairwise(counts))
        assert all(abs(count - 49 * k / steps) <= 0.5 for k, count in enumerate(counts))


@pytest.mark.parametrize(("share", "count"), [(0, 0), (0.1, 10), (0.3, 30), (0.7, 70), (0.29, 29), (1, 100)])
def test_a_share_typed_as_a_decimal_removes_the_pixels_one_expects(share, count):
    times = removal_times(random(3, 10, 10), order="lerf", generator=generator())
    filled = removed_share(torch.ones(3, 2, 10, 10), times, share=share, fill=black)
    assert ((filled == 0).sum((2, 3)) == count).all()


# Ties


def test_other_draws_change_only_the_pixels_that_tie():
    """Ten pixels lead, in order; the others tie, and so do 0.0 and -0.0."""
    heat = torch.zeros(50, 8, 8, dtype=torch.float64)
    heat.view(50, 64)[:, 20:30] = torch.arange(10.0, 0, -1).double()
    heat[:, ::2, ::2] *= -1
    heat = heat.where(heat == 0, heat.abs())
    first, second = (
        removal_times(heat, order="morf", generator=generator(seed)).view(50, 64) for seed in (0, 1)
    )
    places = (torch.arange(64) + 0.5).double() / 64
    assert torch.equal(first[:, 20:30], places[:10].expand(50, 10)) and torch.equal(
        first[:, 20:30], second[:, 20:30]
    )
    assert torch.equal(first.sort(1).values, places.expand(50, 64))
    tied = torch.ones(64, dtype=torch.bool)
    tied[20:30] = False
    assert ((first != second)[:, tied].float().mean() > 0.9) and first[:, tied].min() == places[10]
    zeros = [first[:, (heat[0].signbit() == sign).flatten() & tied] for sign in (False, True)]
    assert abs(zeros[0].mean() - zeros[1].mean()) < 0.05


def test_a_constant_map_is_a_random_order():
    """Mean time of each pixel over 4,000 images: 1/2 within 4.5 standard errors, √(1/12 / 4000) each."""
    for order in ("morf", "lerf"):
        times = removal_times(torch.ones(4000, 4, 4), order=order, generator=generator())
        assert (times.mean(0) - 0.5).abs().max() < 4.5 * (1 / 12 / 4000) ** 0.5
        assert len(times.flatten(1).unique(dim=0)) == 4000


def test_all_maps_share_the_order_of_ties(net, batch, heat):
    """And a map's curve does not depend on the company."""
    maps = {"one": torch.ones(7, 16, 16), "five": torch.full((7, 16, 16), 5.0), "map": heat.mul(4).round()}
    found = curves(net, batch, maps)
    assert torch.equal(found["one"], found["five"])
    assert torch.allclose(found["map"], curve(net, batch, maps["map"]), rtol=0, atol=1e-12)
    assert torch.equal(curves(net, batch, maps)["one"], found["one"])


def test_the_first_images_alone_give_the_same_curves(net, batch):
    x, target = batch
    ones = torch.ones(7, 16, 16)
    few = curve(net, (x[:3], target[:3]), ones[:3])
    assert torch.allclose(few, curve(net, batch, ones)[:3], rtol=0, atol=1e-12)


# Squares


def test_squares_go_as_wholes_in_the_order_of_their_means(net, batch, heat):
    x, target = batch
    found = curve(net, batch, heat, patch=4, steps=16)
    means = heat.unflatten(2, (4, 4)).unflatten(1, (4, 4)).mean((2, 4)).flatten(1)
    for i in range(7):
        copy = x[i : i + 1].clone()
        for step, square in enumerate(means[i].argsort(descending=True).tolist(), 1):
            row, column = 4 * (square // 4), 4 * (square % 4)
            copy[:, :, row : row + 4, column : column + 4] = 0.4
            assert abs(net(copy)[0, target[i]] - found[i, step]) < 1e-12


def test_oblong_images_have_squares_too():
    times = removal_times(random(2, 4, 6), order="morf", patch=2, generator=generator())
    assert times.shape == (2, 4, 6) and torch.equal(times[:, ::2, ::2], times[:, 1::2, 1::2])
    assert (times.flatten(1).sort(1).values[:, ::4] == (torch.arange(6).double() + 0.5) / 6).all()


# Cost


def batch_sizes(net, batch, maps, **options):
    sizes = []
    with net.register_forward_hook(lambda _model, images, _scores: sizes.append(len(images[0]))):
        curves(net, batch, maps, **options)
    return sizes


@pytest.mark.parametrize("steps", [1, 2, 8, 20])
@pytest.mark.parametrize("number", [1, 3])
def test_passes_are_two_and_one_less_than_the_steps_for_each_map(steps, number, net, batch, heat):
    maps = {str(i): heat * (-1) ** i for i in range(number)}
    assert sum(batch_sizes(net, batch, maps, steps=steps)) == 7 * (2 + number * (steps - 1))


def test_small_batches_are_joined_and_no_pass_is_larger_than_a_chunk(net, batch, heat, monkeypatch):
    for size, expected in ((32, 28), (7, 7), (4, 4), (1, 1)):
        monkeypatch.setattr(removal, "chunk_size", lambda x, size=size: size)
        sizes = batch_sizes(net, batch, {"a": heat, "b": -heat}, steps=20)
        assert max(sizes) == expected and sizes.count(expected) >= len(sizes) // 2


def test_chunk_size_changes_nothing(net, batch, heat, monkeypatch):
    fill = partial(imputed, noise=0.01 * random(*batch[0].shape, seed=3))
    reference = curve(net, batch, heat, fill=fill)
    for size in (1, 2, 30, 1000):
        monkeypatch.setattr(removal, "chunk_size", lambda x, size=size: size)
        assert (curve(net, batch, heat, fill=fill) - reference).abs().max() < 1e-6


def test_memory_does_not_grow_with_steps_or_maps(net, batch, heat):
    """The largest number of filled batches that exist at one time."""

    def most_at_once(steps, number):
        alive, most = weakref.WeakSet(), 0

        def fill(x, removed):
            nonlocal most
            filled = Handle.wrap(grey(x, removed))
            alive.add(filled)
            most = max(most, len(alive))
            return filled

        curves(net, batch, {str(i): heat for i in range(number)}, fill=fill, steps=steps)
        return most

    class Handle(torch.Tensor):
        @staticmethod
        def wrap(tensor):
            return tensor.as_subclass(Handle)

        def __hash__(self):
            return id(self)

    few, many = most_at_once(32, 4), most_at_once(64, 6)
    assert many == few <= 2 * removal.chunk_size(batch[0]) // len(batch[0]) + 2


def test_the_model_need_not_be_differentiable_and_leaves_no_graph(batch, heat):
    class Sealed(nn.Module):
        def forward(self, x):
            return small_net()(x).detach()

    x = batch[0].clone().requires_grad_()
    assert not curve(small_net(), (x, batch[1]), heat).requires_grad
    assert torch.equal(curve(Sealed().eval(), batch, heat), curve(small_net(), batch, heat))


def test_all_maps_see_the_same_noise(net, batch, heat):
    """A fill that draws anew at each call would compare noise; it is refused. A tensor is drawn once."""
    noise = random(*batch[0].shape, seed=4)
    found = curves(net, batch, {"a": heat, "b": heat.clone()}, fill=partial(constant, value=noise))
    assert torch.equal(found["a"], found["b"])
    lives_on = generator()

    def impure(x, removed):
        return constant(x, removed, value=torch.rand(x.shape, generator=lives_on, dtype=x.dtype))

    with pytest.raises(ValueError, match="draw its noise once"):
        curve(net, batch, heat, fill=impure)


# Areas


def test_area_and_mean_drop_by_hand():
    """Steps of 1/2: area (1 + .5)/2 · ½ + (.5 + .2)/2 · ½; mean drop (0 + .5 + .8)/3."""
    line = torch.tensor([[1.0, 0.5, 0.2], [2.0, 2.0, 2.0]])
    assert torch.allclose(area(line), torch.tensor([0.55, 2.0]))
    assert torch.allclose(aopc(line), torch.tensor([1.3 / 3, 0.0]))
    assert area(line[0]).shape == () and torch.allclose(area(line[None]), area(line)[None])


def test_the_area_under_a_straight_line_does_not_depend_on_the_steps():
    areas = [area(torch.linspace(3, 1, steps + 1).double()) for steps in (1, 2, 7, 20)]
    assert torch.allclose(torch.stack(areas), torch.full((4,), 2.0).double())


def test_a_single_point_has_no_area():
    for function in (area, aopc):
        with pytest.raises(ValueError, match="two points"):
            function(torch.ones(3, 1))


# Remove and retrain


class NearestMean(nn.Module):
    """A network whose training is two class means; the score is minus the squared distance."""

    def __init__(self, x, target):
        super().__init__()
        self.means = torch.stack([x[target == c].mean(0) for c in (0, 1)])
        self.eval()

    def forward(self, x):
        return -(x[:, None] - self.means).square().sum((2, 3, 4))


def told_by(*pixels, n=40):
    """Grey 2 × 2 images, of which `pixels` are bright in class 1 and dark in class 0."""
    target = torch.arange(n) % 2
    x = torch.full((n, 1, 2, 2), 0.4, dtype=torch.float64)
    for p in pixels:
        x.view(n, 4)[:, p] = target.double()
    return x, target


def accuracies(x, target, ranking, shares, *, order="morf", train=NearestMean):
    heat = torch.tensor(ranking).double().view(1, 2, 2).expand(len(x), 2, 2)
    training, test = Explained(x, target, heat), Explained(x.clone(), target, heat)
    right = roar(train, training, test, shares=shares, order=order, fill=grey, generator=generator())
    assert right.shape == (len(shares), len(x)) and set(right.unique().tolist()) <= {0, 1}
    return right.mean(1).tolist()


SHARES = [0.0, 0.25, 0.5, 0.75, 1.0]


def test_a_map_that_finds_the_telling_pixel_leaves_nothing_to_learn():
    """Without the pixel all images are equal, so the answer is one class: right for half of them."""
    x, target = told_by(2)
    assert accuracies(x, target, [0, 0, 1, 0], SHARES) == [1, 0.5, 0.5, 0.5, 0.5]
    assert accuracies(x, target, [3, 2, 0, 1], SHARES) == [1, 1, 1, 1, 0.5]


def test_keep_and_retrain_removes_the_lowest_pixels():
    x, target = told_by(2)
    assert accuracies(x, target, [0, 0, 1, 0], SHARES, order="lerf") == [1, 1, 1, 1, 0.5]
    assert accuracies(x, target, [3, 2, 0, 1], SHARES, order="lerf") == [1, 0.5, 0.5, 0.5, 0.5]


def test_retraining_finds_the_copy_that_the_first_network_did_not_read():
    """Pixels 0 and 3 tell the same. A network that reads pixel 0 alone fails without it; one that is trained
    again fails when both are gone."""
    x, target = told_by(0, 3)

    class ReadsPixel0(nn.Module):
        def forward(self, x):
            return torch.stack([0.5 - x[:, 0, 0, 0], x[:, 0, 0, 0] - 0.5], 1)

    ranking = [9, 1, 2, 8]
    assert accuracies(x, target, ranking, SHARES) == [1, 1, 0.5, 0.5, 0.5]
    fixed = accuracies(x, target, ranking, SHARES, train=lambda x, t: ReadsPixel0().eval())
    assert fixed == [1, 0.5, 0.5, 0.5, 0.5]


def test_each_share_trains_one_network_on_what_is_left_of_the_training_images():
    seen = []

    def train(x, target):
        seen.append(x)
        return NearestMean(x, target)

    (x, target), (y, labels) = told_by(2), told_by(2, n=6)
    heats = random(40, 2, 2), random(6, 2, 2, seed=1)
    sets = Explained(x, target, heats[0]), Explained(y, labels, heats[1])
    right = roar(train, *sets, shares=(0.25, 0.5), order="morf", fill=black, generator=generator())
    assert right.shape == (2, 6) and len(seen) == 2
    ranks = heats[0].flatten(1).argsort(1, descending=True).argsort(1).view(40, 1, 2, 2)
    for count, images in zip((1, 2), seen, strict=True):
        assert torch.equal(images, x.masked_fill(ranks < count, 0))


# Bad input


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"order": "MoRF"}, "'morf', highest first"),
        ({"steps": 0}, "between 1 and the number of units, 256"),
        ({"steps": 257}, "between 1 and the number of units, 256"),
        ({"patch": 4, "steps": 17}, "between 1 and the number of units, 16"),
        ({"patch": 5}, "do not divide into squares of 5 × 5"),
        ({"patch": 0}, "do not divide into squares of 0 × 0"),
        ({"fill": partial(constant, value=0.0)}, r"torch\.zeros\(1\) is black"),
        ({"fill": partial(constant, value=torch.full((1,), torch.nan))}, "finite tensor"),
        ({"fill": partial(constant, value=torch.zeros(6, 1, 1, 1))}, r"\(1, C, 1, 1\)"),
        ({"fill": partial(imputed, noise=torch.zeros(2, 7, 3, 16, 16))}, r"\(1, C, 1, 1\)"),
        ({"fill": lambda x, removed: x[:1]}, "shaped like x"),
    ],
)
def test_wrong_options_are_refused_with_a_remedy(options, message, net, batch, heat):
    with pytest.raises(ValueError, match=message):
        curve(net, batch, heat, **options)


@pytest.mark.parametrize("broken", [torch.nan, torch.inf])
def test_maps_that_are_not_finite_are_refused(broken, net, batch, heat):
    with pytest.raises(ValueError, match="map 'b' holds NaN or infinite"):
        curves(net, batch, {"a": heat, "b": heat.masked_fill(heat > 0.49, broken)})


def test_maps_of_other_shapes_are_refused(net, batch, heat):
    for wrong in (batch[0], heat[:6], heat[:, :8]):
        with pytest.raises(ValueError, match=r"must be \(7, 16, 16\)"):
            curve(net, batch, wrong)
    with pytest.raises(ValueError, match="sum_over_colour"):
        removal_times(batch[0], order="morf", generator=generator())
    for wrong in ({}, heat):
        with pytest.raises(ValueError, match="by their names"):
            curves(net, batch, wrong)
    with pytest.raises(ValueError, match="images"):
        curve(nn.Linear(4, 2).double().eval(), (random(2, 4), torch.tensor([0, 1])), random(2, 4))


@pytest.mark.parametrize("shares", [[-0.1], [0.5, 30], [torch.nan], []])
def test_shares_outside_zero_to_one_are_refused_before_any_training(shares):
    x, target = told_by(0)
    with pytest.raises(ValueError, match=r"30 % is 0\.3"):
        accuracies(x, target, [1, 2, 3, 4], shares, train=None)


def test_retraining_refuses_sets_that_do_not_fit_before_any_training():
    x, target = told_by(0)
    good, options = Explained(x, target, x[:, 0]), {"order": "morf", "fill": black, "generator": generator()}
    for bad, message in (
        (good._replace(target=target[:-1]), "one class"),
        (good._replace(heat=x), "sum_over_colour"),
        (good._replace(heat=x[:-1, 0]), "does not fit x"),
        (good._replace(heat=x[:, 0] / 0), "infinite"),
    ):
        for sets in ((bad, good), (good, bad)):
            with pytest.raises(ValueError, match=message):
                roar(None, *sets, shares=[0.5], **options)


def test_a_class_that_does_not_exist_is_refused(net, batch, heat):
    with pytest.raises(ValueError, match="classes 0 to 4"):
        curve(net, (batch[0], torch.full((7,), 5)), heat)


# Fills


QUIET = torch.zeros(1, dtype=torch.float64)


def holes(n=4, side=12, share=0.5):
    x = random(n, 3, side, side, seed=6)
    return x, random(n, 1, side, side, seed=7) < share


def direct_solution(image, removed):
    """The imputation of one image (C, H, W) by a sparse LU factorisation of the whole linear system."""
    side, entries, right = image.shape[1], [], image.flatten(1).T.clone()
    for p, gone in enumerate(removed.flatten().tolist()):
        entries.append((p, p, 1.0))
        if gone:
            row, column = divmod(p, side)
            near = [(row + a, column + b, 2 - abs(a * b)) for a in (-1, 0, 1) for b in (-1, 0, 1) if a or b]
            near = [(r * side + c, w) for r, c, w in near if 0 <= r < side and 0 <= c < side]
            entries += [(p, q, -w / sum(w for _, w in near)) for q, w in near]
            right[p] = 0
    rows, columns, values = zip(*entries, strict=True)
    solution = splu(csc_matrix((values, (rows, columns)))).solve(right.double().numpy())
    return torch.from_numpy(solution).T.reshape(image.shape)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_imputation_solves_its_linear_system(share):
    x, removed = holes(share=share)
    filled = imputed(x, removed, noise=QUIET)
    expected = torch.stack([direct_solution(x[i], removed[i]) for i in range(len(x))])
    assert (filled - expected).abs().max() < 1e-10


def hills(side):
    """Maps whose highest pixels are scattered, in blobs, in a corner, and along the rim."""
    line = torch.arange(side).double() - (side - 1) / 2
    corner = line[:, None] + line
    rim = torch.maximum(line[:, None].abs(), line.abs())
    scattered = random(1, side, side, seed=8)[0]
    return torch.stack([scattered, blurred(scattered, sigma=3.0), corner, rim])


@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
@pytest.mark.parametrize("side", [28, 64])
def test_the_usual_number_of_steps_is_enough_for_holes_of_any_form(share, side):
    """Single precision, images of full contrast: within a tenth of the usual noise of the direct solution."""
    x = random(4, 1, side, side, seed=9).float().round()
    times = removal_times(hills(side), order="morf", generator=generator())
    removed = times[:, None] < share
    filled = imputed(x, removed, noise=QUIET)
    expected = torch.stack([direct_solution(x[i], removed[i]) for i in range(4)])
    assert (filled - expected).abs().max() < 0.001


def test_an_image_is_imputed_by_itself():
    """An easy hole beside a hard one, and beside an image of which nothing is left."""
    x, removed = holes(n=3, share=0.1)
    removed[1], removed[2, :, 1:] = True, True
    together = imputed(x, removed, noise=QUIET)
    alone = torch.cat([imputed(x[i : i + 1], removed[i : i + 1], noise=QUIET) for i in range(3)])
    assert (together - alone).abs().max() < 1e-12 and together.isfinite().all()


def test_large_batches_are_imputed_in_parts_with_the_same_result():
    x, removed = holes(n=700)
    assert x.numel() > 2**18
    filled = imputed(x, removed, noise=QUIET)
    assert (filled[600:] - imputed(x[600:], removed[600:], noise=QUIET)).abs().max() < 1e-12


def test_imputation_touches_nothing_else_and_adds_the_noise_that_it_was_given():
    x, removed = holes(n=40, side=28)
    noise = 0.01 * random(*x.shape, seed=1)
    quiet, noisy, shared = (imputed(x, removed, noise=n) for n in (QUIET, noise, noise[:1, :1]))
    gone = removed.expand_as(x)
    assert torch.equal(quiet[~gone], x[~gone]) and torch.equal(noisy[~gone], x[~gone])
    assert torch.allclose((noisy - quiet)[gone], noise[gone])
    assert torch.allclose((shared - quiet)[gone], noise[:1, :1].expand_as(x)[gone])
    assert quiet[gone].min() >= 0 and quiet[gone].max() <= 1


def test_a_linear_ramp_is_imputed_exactly_inside_the_image():
    ramp = torch.linspace(0, 1, 12, dtype=torch.float64).expand(1, 2, 12, 12)
    removed = torch.zeros(1, 1, 12, 12, dtype=torch.bool)
    removed[:, :, 4:8, 3:7] = True
    assert (imputed(ramp, removed, noise=QUIET) - ramp).abs().max() < 1e-10


def test_where_nothing_is_left_the_fill_is_grey():
    x, removed = holes(share=2.0)
    assert removed.all()
    assert torch.equal(imputed(x, removed, noise=QUIET), torch.full_like(x, 0.5))


def test_constant_fill_and_occlusion_agree(net, batch):
    x, target = batch
    removed = torch.zeros(1, 1, 16, 16, dtype=torch.bool)
    removed[:, :, 4:8, 4:8] = True
    drop = class_score(net, x, target) - class_score(net, grey(x, removed), target)
    heat = occlusion(net, x, target, size=4, stride=4, fill=GREY.expand(1, 3, 1, 1))
    assert torch.allclose(3 * heat[:, 0, 5, 5], drop)


def test_a_constant_fill_may_differ_by_colour_pixel_and_image():
    x, removed = holes()
    gone = removed.expand_as(x)
    for shape in ((1,), (1, 3, 1, 1), (1, 3, 12, 12), (4, 3, 12, 12)):
        value = random(*shape, seed=3)
        expected = x.clone()
        expected[gone] = value.expand_as(x)[gone]
        assert torch.equal(constant(x, removed, value=value), expected)


@pytest.mark.parametrize("sigma", [0.5, 2.0, 9.0])
def test_blur_is_scipys_with_weights_that_add_up_to_one_inside(sigma):
    image = random(2, 3, 12, 9)
    options = {"sigma": (0, 0, sigma, sigma), "mode": "constant", "truncate": 30}
    expected = gaussian_filter(image.numpy(), **options) / gaussian_filter(np.ones(image.shape), **options)
    assert np.abs(blurred(image, sigma=sigma).numpy() - expected).max() < 1e-12
    assert torch.allclose(blurred(torch.ones(5, 7), sigma=sigma), torch.ones(5, 7))


def test_a_blur_needs_a_width():
    for sigma in (0, -1.0, torch.nan):
        with pytest.raises(ValueError, match="must be positive"):
            blurred(torch.ones(1, 1, 4, 4), sigma=sigma)


@pytest.mark.parametrize("fill", [grey, partial(imputed, noise=QUIET)])
def test_fills_refuse_masks_that_do_not_fit(fill):
    x, removed = holes()
    with pytest.raises(ValueError, match="removed > 0"):
        fill(x, removed.float())
    with pytest.raises(ValueError, match=r"\(N, 1, H, W\)"):
        fill(x, removed[:, 0])
