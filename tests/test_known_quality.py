"""What chapter 09 records: maps of known quality, smoothing, and Sensitivity-n of simple networks."""

from functools import partial

import pytest
import torch
from torch import Generator

from experiments.measures import grades as graded
from experiments.measures.grades import Asked, grades
from experiments.measures.known_quality import (
    NOISE,
    STEPWISE,
    fill_behind_the_gate,
    maps_of_known_quality,
    noise_behind_the_gate,
    ordered,
    readings,
)
from experiments.measures.ladder import BATCH
from experiments.measures.sensitivity_n import BATCH as TEN
from experiments.measures.sensitivity_n import HALF, SIZES, curves
from experiments.measures.simple_networks import built
from experiments.measures.smoothing import FIRST, of_batch, some_square
from tutorial_lib.attribution.gradients import gradient_x_input
from tutorial_lib.attribution.pixels import sum_over_colour
from tutorial_lib.datasets import blue_coded, fashion_mnist, planted_shapes
from tutorial_lib.evaluation.fidelity import noisy_baseline, sensitivity_n, square_removal
from tutorial_lib.evaluation.fills import constant
from tutorial_lib.evaluation.localisation import dilated
from tutorial_lib.models.zoo import load
from tutorial_lib.notebook.results import recorded, reproduces
from tutorial_lib.notebook.samples import fashion_sample, shapes_sample, trained

GREY, BLACK = torch.full((1, 1, 1, 1), 0.5), torch.zeros(1, 1, 1, 1)


def seed(number: int) -> Generator:
    return Generator().manual_seed(number)


@pytest.fixture(scope="module")
def shapes():
    return planted_shapes(12, generator=seed(0))


@pytest.fixture(scope="module")
def coded(shapes):
    return blue_coded(shapes)


def test_pairs_in_the_right_order_are_counted_and_ties_count_a_half():
    a, b, c = (torch.tensor([v]) for v in (0.1, 0.2, 0.3))
    assert ordered([a, b, c]).item() == 1 and ordered([c, b, a]).item() == 0
    assert ordered([a, a, a]).item() == 0.5
    assert ordered([b, a, c]).item() == pytest.approx(2 / 3)
    assert ordered([a, b, b]).item() == pytest.approx(5 / 6)
    assert len(NOISE) == 5 and list(NOISE.values()) == sorted(NOISE.values())


@pytest.mark.parametrize("other", ["noise", "another mask", "edges"])
def test_more_of_the_truth_is_nearer_to_the_truth(other, shapes):
    """By the angle between a rung and the mask, widened by two pixels; another mask may overlap."""
    maps = maps_of_known_quality(shapes)
    names = [*(k for k in {**NOISE, **STEPWISE} if k.startswith(other)), "truth"]
    truth = dilated(shapes.masks).float().flatten(1)
    angles = torch.stack([torch.cosine_similarity(maps[k].flatten(1), truth) for k in names])
    assert len(names) == (5 if other == "noise" else 11)
    assert (angles.diff(dim=0) > 0).all() and (angles[-1] > 0.9999).all() and (angles[0] < 0.9).all()


def test_shares_announce_their_sum_over_a_square(shapes):
    """1e-5 is rounding: a share is divided by a difference and multiplied by it again."""
    heat = maps_of_known_quality(shapes)["noise 0.5"]
    given = readings(shapes.images, {"map": heat}, smallest=1e-6)
    change = square_removal(shapes.images, seed(1), size=9, baseline=GREY)
    announced, inside = (change * given["shares", "map"]).sum((1, 2, 3)), (change != 0).any(1)
    assert torch.allclose(announced, (heat * inside).sum((1, 2)), atol=1e-5)
    assert torch.allclose(given["gradient", "map"].sum(1), heat, atol=1e-6)


def test_a_small_difference_counts_as_the_smallest(shapes):
    heat = torch.ones(12, 64, 64)
    rates = readings(shapes.images, {"map": heat}, smallest=0.2)["shares", "map"]
    assert (rates.abs() <= 1 / 3 / 0.2 + 1e-6).all()
    assert torch.equal(rates > 0, shapes.images >= 0.5)


def test_behind_the_gate_nothing_off_the_mask_reaches_the_wired_network(coded):
    """The random fill without the gate does reach it."""
    wired, x = load("wired"), coded.images
    fill = partial(constant, value=torch.rand(x.shape, generator=seed(1)))
    off = ~coded.masks[:, None]
    gated = fill_behind_the_gate(fill)(x, off)
    assert torch.equal(wired(gated), wired(x)) and not torch.equal(gated, x)
    assert torch.equal(gated.masked_fill(off, 0), x.masked_fill(off, 0))
    assert not torch.allclose(wired(fill(x, off)), wired(x), atol=0.1)


def test_behind_the_gate_the_wired_network_does_not_see_the_noise(coded):
    perturb = partial(noisy_baseline, baseline=GREY, sigma=0.2)
    x, wired = coded.images, load("wired")
    assert wired(x - noise_behind_the_gate(perturb)(x, seed(1))).abs().max() < 1e-4
    assert wired(x - perturb(x, seed(1))).abs().max() > 0.1


@pytest.mark.parametrize(("pixels", "sides"), [(28, set(range(1, 11))), (64, set(range(2, 21, 2)))])
def test_squares_have_all_sides(pixels, sides):
    draws, x = seed(0), torch.ones(1, 1, pixels, pixels)
    areas = {int(some_square(x, draws, baseline=BLACK).sum()) for _ in range(300)}
    assert {round(area**0.5) for area in areas} == sides


def test_softmax_regression_is_linear_for_the_rules():
    """So each map that is exact for it has the correlation 1."""
    torch.manual_seed(0)
    model = built("softmax regression").double().eval().requires_grad_(False)
    x, target = fashion_mnist("test").images[:5].double(), torch.arange(5)
    maps = {"map": sum_over_colour(gradient_x_input(model, x, target))}
    options = {"sizes": (1, 30, HALF), "subsets": 20, "fill": partial(constant, value=BLACK)}
    found = sensitivity_n(model, x, target, maps, generator=seed(0), **options)
    assert (found["map"] - 1).abs().max() < 1e-9


def test_every_metric_prefers_the_truth_to_noise_on_the_wired_network(coded, monkeypatch):
    """On average over the images; the noisy baseline too, for the reason that chapter 09 gives."""
    for name, value in {"STEPS": 5, "SUBSETS": 20, "SAMPLES_OF_I": 30}.items():
        monkeypatch.setattr(graded, name, value)
    maps = {k: v[:4] for k, v in maps_of_known_quality(coded).items() if k in NOISE}
    found = grades(Asked(True, load("wired"), coded.images[:4], coded.targets[:4], maps, seed=7))
    assert len(found) == 8 + 4 + 1
    for metric, each in found.items():
        assert each["truth"].mean() > each["noise 0.0"].mean(), metric


class TestReproduced:
    """The first stored images, computed again."""

    def test_the_number_of_pairs_in_the_right_order_belongs_to_the_stored_grades(self):
        """Of the first images; five digits are stored, so that two grades may tie."""
        found = recorded("ladder").values["trained"]
        for metric, each in found["first images"].items():
            share = ordered([each[name] for name in NOISE])
            assert (share - found["ordered"][metric][0, :BATCH] / 20).abs().max() <= 0.051, metric

    def test_ladder(self):
        data = shapes_sample(trained("shapes_natural"))
        maps = {k: v[:BATCH] for k, v in maps_of_known_quality(data).items() if k in (*NOISE, "constant")}
        x, target = data.images[:BATCH], data.targets[:BATCH]
        live = grades(Asked(False, load("shapes_natural_100"), x, target, maps, seed=7))
        stored = recorded("ladder").values["trained"]["first images"]
        for metric, each in live.items():
            for name, value in each.items():
                assert reproduces(stored[metric][name], value), (metric, name)

    def test_sensitivity_n(self):
        found, test = recorded("other_architectures").values["sensitivity-n"], fashion_mnist("test")
        few = found["test image"][:TEN].long()
        live = curves(load("fashion_natural_100"), test.images[few], test.targets[few], seed(7))
        for name, stored in found["judged"]["n = N/2"].items():
            assert reproduces(stored[0, :TEN] / 10_000, live[name][:, SIZES.index(HALF)]), name

    def test_smoothing(self):
        data = fashion_sample(trained("fashion_natural"))
        batch = data.images[:10], data.targets[:10]
        live = of_batch("fashion", load("fashion_natural_100"), *batch, seed(7), seed(7))
        stored = recorded("class_and_stability").values["smoothing fashion"]["first images"]
        for kind, each in live.items():
            for name, value in each.items():
                assert reproduces(stored[kind][name], value[:FIRST]), (kind, name)
