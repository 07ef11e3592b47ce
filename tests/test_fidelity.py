"""Infidelity and Sensitivity-n: laws, oracles (captum, SciPy), what they cost and what they refuse."""

import gc
from collections import Counter
from functools import partial

import pytest
import torch
from captum.metrics import infidelity as captum_infidelity
from scipy.stats import chisquare, pearsonr
from torch import nn

from tests.conftest import BLACK, METHODS, small_net
from tutorial_lib.attribution.gradients import gradient_x_input, integrated_gradients
from tutorial_lib.attribution.perturbation import occlusion
from tutorial_lib.attribution.pixels import sum_over_colour
from tutorial_lib.attribution.propagation import deeplift, lrp_epsilon
from tutorial_lib.evaluation import fidelity
from tutorial_lib.evaluation.fidelity import infidelity, noisy_baseline, sensitivity_n, square_removal
from tutorial_lib.evaluation.fills import constant
from tutorial_lib.evaluation.toys import Identity
from tutorial_lib.scores import class_score, input_gradient

SIDE, PIXELS = 16, 256
GREY = torch.tensor([0.3, 0.5, 0.6], dtype=torch.float64).view(1, 3, 1, 1)
SQUARE = partial(square_removal, size=5, baseline=GREY)
NOISE = partial(noisy_baseline, baseline=GREY, sigma=0.2)
PERTURBATIONS = {"square": SQUARE, "noise": NOISE}
TO_GREY, TO_BLACK = partial(constant, value=GREY), partial(constant, value=BLACK)
SIZES = (1, 20, 128, 255)

every_perturbation = pytest.mark.parametrize("perturb", PERTURBATIONS.values(), ids=PERTURBATIONS)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def noise_map(x, seed=9):
    return torch.randn(x.shape, generator=generator(seed), dtype=x.dtype)


def infidelities(maps, net, batch, **options):
    return infidelity(net, *batch, maps, **{"perturb": SQUARE, "generator": generator(), **options})


def correlations(maps, net, batch, **options):
    options = {"sizes": SIZES, "subsets": 30, "fill": TO_GREY, "generator": generator(), **options}
    return sensitivity_n(net, *batch, maps, **options)


def measures(maps, net, batch):
    """Both, as one dict of numbers."""
    parts = infidelities(maps, net, batch, samples=30)
    pixels = {name: sum_over_colour(a) for name, a in maps.items()}
    return {
        **{(name, kind): getattr(each, kind) for name, each in parts.items() for kind in each._fields},
        **{(name, "n"): each for name, each in correlations(pixels, net, batch).items()},
    }


class Remembering:
    """A fill that keeps what it is asked to remove."""

    def __init__(self):
        self.asked = []

    def __call__(self, x, removed):
        self.asked.append(removed)
        return TO_GREY(x, removed)


def sizes_of_passes(net, call):
    sizes = []
    with net.register_forward_hook(lambda _model, images, _scores: sizes.append(len(images[0]))):
        call()
    return sizes


@pytest.fixture
def linear():
    """With ReLUs, without which the rules refuse: ReLU(u) - ReLU(-u) is u."""
    torch.manual_seed(0)
    layers = nn.Flatten(), nn.Linear(3 * PIXELS, 20), Identity(), nn.Linear(20, 5)
    return nn.Sequential(*layers).double().eval().requires_grad_(False)


@pytest.fixture
def maps(net, batch):
    """Every method's map, noise, and a map of zeros."""
    found = {name: method(net, *batch) for name, method in METHODS.items()}
    return {**found, "noise": noise_map(batch[0]), "zero": torch.zeros_like(batch[0])}


# Infidelity


@every_perturbation
@pytest.mark.parametrize("normalize", [False, True], ids=["plain", "scaled"])
def test_captum_finds_the_same_infidelity(perturb, normalize, maps, net, batch):
    """On our draws; its best factor is `scaled`. Both are float64: 1e-9 is rounding."""
    x, target = batch
    for name, ours in infidelities(maps, net, batch, perturb=perturb, samples=12).items():
        draws = generator()
        changes = torch.stack([perturb(x, draws) for _ in range(12)], 1).flatten(0, 1)
        theirs = captum_infidelity(
            net, lambda inputs, changes=changes: (changes, inputs - changes), x, maps[name], target=target,
            n_perturb_samples=12, normalize=normalize,
        )
        assert torch.allclose(ours.scaled if normalize else ours.plain, theirs, rtol=1e-9, atol=1e-15), name


def test_a_complete_map_has_no_infidelity_to_the_whole_difference_from_its_baseline(batch):
    """The gradient on the ray from black of a network without biases; DeepLIFT's multipliers."""
    x, target = batch
    free, net = small_net(bias=False), small_net()
    gradient = input_gradient(free, x, target)
    multipliers = deeplift(net, x, target, baseline=GREY) / (x - GREY)
    for model, a, own, other in ((free, gradient, BLACK, GREY), (net, multipliers, GREY, BLACK)):
        to_own, to_other = (
            infidelities({"map": a}, model, batch, perturb=partial(NOISE, baseline=b, sigma=0.0), samples=2)
            for b in (own, other)
        )
        assert to_own["map"].plain.max() < 1e-24 and to_other["map"].plain.min() > 1e-8


@every_perturbation
def test_the_gradient_of_a_linear_model_has_no_infidelity_to_any_perturbation(perturb, linear, batch):
    maps = {"gradient": input_gradient(linear, *batch), "product": gradient_x_input(linear, *batch)}
    found = infidelities(maps, linear, batch, perturb=perturb)
    assert found["gradient"].plain.max() < 1e-24 and found["product"].plain.min() > 1e-6
    assert found["gradient"].scaled.min() >= 0 and found["gradient"].scaled.max() < 1e-14


@every_perturbation
def test_the_best_factor_never_makes_it_worse(perturb, maps, net, batch):
    for found in infidelities(maps, net, batch, perturb=perturb).values():
        assert (found.scaled <= found.plain + 1e-14).all()


@every_perturbation
def test_scaled_infidelity_is_free_of_the_maps_unit_and_sign_and_plain_is_not(perturb, maps, net, batch):
    for factor in (1000.0, 1e-6, -1.0):
        given = {"one": maps["gradient"], "other": factor * maps["gradient"]}
        found = infidelities(given, net, batch, perturb=perturb)
        assert torch.allclose(found["one"].scaled, found["other"].scaled, rtol=1e-9)
        assert not torch.isclose(found["one"].plain, found["other"].plain, rtol=0.01).any()


def test_a_map_that_no_perturbation_meets_gets_the_mean_square_of_the_drops(net, batch):
    """The map lies in the lower half, what changes in the upper."""
    x, target = batch
    lower, upper = noise_map(x), torch.zeros_like(x)
    lower[:, :, :8], upper[:, :, :8] = 0, 1
    found = infidelities(
        {"lower": lower, "zero": 0 * lower}, net, batch, perturb=lambda x, g: upper * NOISE(x, g), samples=8
    )
    draws = generator()
    after = [class_score(net, x - upper * NOISE(x, draws), target) for _ in range(8)]
    by_hand = (class_score(net, x, target) - torch.stack(after)).square().mean(0)
    for each in found.values():
        assert torch.allclose(each.plain, by_hand) and torch.equal(each.plain, each.scaled)


def test_noise_is_less_faithful_than_the_gradient(net, batch):
    """To small steps, of which the gradient knows almost all and noise almost nothing."""
    maps = {"gradient": input_gradient(net, *batch), "noise": noise_map(batch[0])}
    found = infidelities(maps, net, batch, perturb=partial(noisy_baseline, baseline=batch[0], sigma=0.01))
    assert (found["gradient"].plain < 0.1 * found["noise"].plain).all()
    assert (found["gradient"].scaled < 0.1 * found["noise"].scaled).all()


def test_infidelity_takes_features_too():
    model = nn.Linear(6, 3).double().eval().requires_grad_(False)
    x, target = torch.rand(4, 6, dtype=torch.float64, generator=generator()), torch.tensor([0, 1, 2, 0])
    maps = {"gradient": model.weight[target], "zero": torch.zeros_like(x)}
    found = infidelities(maps, model, (x, target), perturb=partial(NOISE, baseline=torch.zeros(6)))
    assert found["gradient"].plain.max() < 1e-24 and found["zero"].plain.min() > 0.001


def test_a_removed_square_is_a_square_of_baseline_at_any_place(batch):
    """Places are counted: 1,400 draws of 144 places, a chi-square test; images have places of their own."""
    x, draws, places, alone = batch[0], generator(), Counter(), 0
    for _ in range(200):
        change = SQUARE(x, draws)
        inside = (change != 0).all(1)
        assert torch.equal(change, torch.where(inside[:, None], x - GREY, 0))
        assert (inside.sum((1, 2)) == 25).all()
        corners = [(int(i.any(1).nonzero()[0]), int(i.any(0).nonzero()[0])) for i in inside]
        for image, (row, column) in zip(inside, corners, strict=True):
            assert image[row : row + 5, column : column + 5].all()
        places.update(corners)
        alone += len(set(corners)) > 1
    counts = [places[row, column] for row in range(12) for column in range(12)]
    assert sum(counts) == 1400 and chisquare(counts).pvalue > 0.001 and alone == 200


def test_the_noisy_baseline_is_a_baseline_with_noise(batch):
    left = batch[0] - NOISE(batch[0], generator())
    noise = torch.randn(left.shape, generator=generator(), dtype=left.dtype)
    assert torch.allclose(left, GREY + 0.2 * noise, atol=1e-14)


# Sensitivity-n


def test_sensitivity_n_of_a_linear_model_is_1_for_every_exact_map_and_every_n(linear, batch):
    exact = {
        "gradient x input": gradient_x_input,
        "integrated gradients": partial(integrated_gradients, baseline=BLACK, steps=3),
        "LRP-ε": partial(lrp_epsilon, epsilon=1e-9),
        "DeepLIFT": partial(deeplift, baseline=BLACK),
        "occlusion": partial(occlusion, size=1, stride=1, fill=BLACK),
    }
    maps = {name: sum_over_colour(method(linear, *batch)) for name, method in exact.items()}
    found = correlations(maps, linear, batch, fill=TO_BLACK)
    for name, each in found.items():
        assert each.shape == (7, len(SIZES)) and (1 - each).max() < 1e-9 and (each <= 1).all(), name
    gradient = {"gradient": sum_over_colour(input_gradient(linear, *batch))}
    assert correlations(gradient, linear, batch, fill=TO_BLACK)["gradient"].max() < 0.99


@pytest.mark.filterwarnings("ignore:An input array is constant")
def test_it_is_scipys_correlation_over_the_same_subsets(maps, net, batch):
    """An image at a time; 1e-9 is rounding. The subsets are those that the fill is asked for."""
    x, target = batch
    pixels, fill = {name: sum_over_colour(a) for name, a in maps.items()}, Remembering()
    found, asked = correlations(pixels, net, batch, fill=fill), fill.asked
    before = class_score(net, x, target)
    for k in range(len(SIZES)):
        subsets = torch.stack(asked[30 * k : 30 * (k + 1)])
        drops = torch.stack([before - class_score(net, TO_GREY(x, s), target) for s in subsets])
        for name, heat in pixels.items():
            sums = (heat * subsets[:, :, 0]).sum((2, 3))
            theirs = [pearsonr(sums[:, i].numpy(), drops[:, i].numpy()).statistic for i in range(7)]
            theirs = torch.tensor(theirs)
            assert torch.allclose(found[name][:, k], theirs, rtol=0, atol=1e-9, equal_nan=True), name
            assert theirs.isfinite().all() or name in ("zero", "grad_cam", "guided_grad_cam")


def test_a_random_map_does_not_correlate(net, batch):
    """The mean over 300 maps lies within four standard errors of 0, for each image and n."""
    maps = {str(seed): noise_map(batch[0], seed)[:, 0] for seed in range(300)}
    found = torch.stack(list(correlations(maps, net, batch).values()))
    assert (found.mean(0).abs() < 4 * found.std(0) / 300**0.5).all() and found.std(0).max() < 0.3


def test_unit_and_level_of_a_map_do_not_matter_and_its_sign_does(net, batch):
    heat = sum_over_colour(input_gradient(net, *batch))
    found = correlations({"map": heat, "other": 1000 * heat + 5, "negative": -heat}, net, batch)
    assert torch.allclose(found["map"], found["other"], rtol=0, atol=1e-9)
    assert torch.allclose(found["map"], -found["negative"], rtol=0, atol=1e-9)


def test_small_differences_of_large_drops_count():
    """A linear model whose drops differ by a ten-millionth: sums of plain squares would lose it."""
    weight = 1 + 1e-7 * torch.randn(3, 1, SIDE, SIDE, generator=generator(), dtype=torch.float64)
    model = nn.Sequential(nn.Flatten(), nn.Linear(PIXELS, 3, bias=False)).double().eval()
    model.requires_grad_(False)[1].weight.copy_(weight.flatten(1))
    x = torch.ones_like(weight)
    found = correlations({"weight": weight[:, 0]}, model, (x, torch.arange(3)), fill=TO_BLACK)
    assert (found["weight"] - 1).abs().max() < 1e-6


def test_every_set_of_n_pixels_is_equally_likely():
    """The 20 sets of three of six pixels, for a single image: 4,000 draws, a chi-square test."""
    model, fill = nn.Sequential(nn.Flatten(), nn.Linear(18, 2)).eval().requires_grad_(False), Remembering()
    batch = torch.rand(3, 3, 2, 3, generator=generator()), torch.zeros(3).long()
    correlations({"map": batch[0][:, 0]}, model, batch, sizes=[3], subsets=4000, fill=fill)
    counts = Counter(tuple(removed[1].flatten().tolist()) for removed in fill.asked)
    assert len(counts) == 20 and chisquare(list(counts.values())).pvalue > 0.001


def test_every_image_loses_its_own_n_pixels_each_equally_often(net, batch):
    fill = Remembering()
    correlations({"map": batch[0][:, 0]}, net, batch, subsets=300, sizes=SIZES[1:3], fill=fill)
    for k, n in enumerate(SIZES[1:3]):
        removed = torch.stack(fill.asked[300 * k : 300 * (k + 1)])
        assert removed.shape == (300, 7, 1, SIDE, SIDE) and (removed.sum((2, 3, 4)) == n).all()
        share, times = n / PIXELS, removed.double().mean(0).flatten(1)
        z = (times - share) / (share * (1 - share) / 300) ** 0.5
        assert z.abs().max() < 4.5 and 0.9 < z.std() < 1.1
        assert all(len(draw.flatten(1).unique(dim=0)) > 5 for draw in removed)


def test_where_a_side_is_constant_the_correlation_is_undefined(net, batch):
    """All pixels, a constant map (0.1 has no exact sum), a model that looks away. Nothing else is."""
    x = batch[0]
    maps = {"map": noise_map(x)[:, 0], "constant": torch.full_like(x[:, 0], 0.1)}
    found = correlations(maps, net, batch, sizes=(20, PIXELS, 255))
    assert found["constant"].isnan().all() and found["map"][:, 1].isnan().all()
    assert found["map"][:, [0, 2]].isfinite().all()

    class LooksAway(nn.Module):
        def forward(self, x):
            return 0 * x.mean((2, 3)) + 0.1

    blind = correlations(maps, LooksAway().eval(), (x, batch[1] % 3))
    assert blind["map"].isnan().all()


def test_all_pixels_have_no_correlation_even_where_rounding_differs(batch, monkeypatch):
    """As it may, from place to place in a pass; here it does, in the sums and in the scores."""
    einsum, noise = torch.einsum, generator()

    def sums(*arguments):
        found = einsum(*arguments)
        return found + 1e-12 * torch.rand(found.shape, generator=noise)

    class Rounding(nn.Module):
        def forward(self, x):
            return x.mean((2, 3)) + 1e-12 * torch.rand(len(x), 3, generator=noise)

    monkeypatch.setattr(torch, "einsum", sums)
    found = correlations({"map": batch[0][:, 0]}, Rounding().eval(), (batch[0], batch[1] % 3), sizes=[PIXELS])
    assert found["map"].isnan().all()


def test_a_fill_may_have_a_content_for_each_image(net, batch):
    """Such as noise, drawn once. Two are swapped: two images notice."""
    maps = {"map": noise_map(batch[0])[:, 0]}
    content = torch.rand(batch[0].shape, generator=generator(4), dtype=torch.float64)
    found = correlations(maps, net, batch, fill=partial(constant, value=content))
    swapped = correlations(maps, net, batch, fill=partial(constant, value=content[[0, 2, 1, 3, 4, 5, 6]]))
    changed = (found["map"] != swapped["map"]).any(1)
    assert changed.tolist() == [False, True, True, False, False, False, False]


# Both


def test_all_maps_share_the_passes(net, batch, maps):
    few = {"gradient": maps["gradient"]}
    for given in (few, maps):
        pixels = {name: sum_over_colour(a) for name, a in given.items()}
        images = sizes_of_passes(net, lambda g=given: infidelities(g, net, batch, samples=9))
        assert sum(images) == 7 * (1 + 9)
        images = sizes_of_passes(net, lambda p=pixels: correlations(p, net, batch, subsets=9))
        assert sum(images) == 7 * (1 + len(SIZES) * 9)


def test_a_map_does_not_depend_on_its_company(net, batch, maps):
    together = measures(maps, net, batch)
    for name in ("gradient", "noise"):
        for key, alone in measures({name: maps[name]}, net, batch).items():
            assert torch.allclose(together[key], alone, rtol=1e-9, atol=0), key
    assert list(infidelities(maps, net, batch)) == list(maps)


@pytest.mark.parametrize("size", [1, 2, 30, 1000])
def test_chunk_size_changes_nothing(size, net, batch, maps, monkeypatch):
    reference = measures(maps, net, batch)
    monkeypatch.setattr(fidelity, "chunk_size", lambda x: size)
    for key, found in measures(maps, net, batch).items():
        assert torch.allclose(found, reference[key], rtol=1e-8, atol=1e-14, equal_nan=True), key


@pytest.mark.parametrize(("images", "largest"), [(1, 12), (4, 12), (7, 7), (30, 12)])
def test_no_pass_is_larger_than_a_chunk_and_few_images_fill_it(images, largest, net, monkeypatch):
    """However many samples: what is held at a time is one pass."""
    monkeypatch.setattr(fidelity, "chunk_size", lambda x: 12)
    x = torch.rand(images, 3, SIDE, SIDE, dtype=torch.float64, generator=generator())
    batch = x, torch.zeros(images).long()
    for number in (24, 96):
        for call in (
            lambda n=number: infidelities({"map": x}, net, batch, samples=n),
            lambda n=number: correlations({"map": x[:, 0]}, net, batch, subsets=n, sizes=[20]),
        ):
            assert max(sizes_of_passes(net, call)) == largest


def test_memory_does_not_grow_with_the_samples(net, batch):
    """What all living tensors hold at the last pass; the tolerance is the size of one image."""
    x, held = batch[0], []

    def look(_model, images, _scores):
        seen.append(len(images[0]))
        if sum(seen) == last:
            gc.collect()
            held.append(sum(t.numel() for t in gc.get_objects() if type(t) is torch.Tensor))

    with net.register_forward_hook(look):
        for number in (40, 400):
            seen, last = [], 7 * (1 + number)
            infidelities({"map": x}, net, batch, samples=number)
            seen.clear()
            correlations({"map": x[:, 0]}, net, batch, subsets=number, sizes=[20])
    assert len(held) == 4
    assert max(abs(held[0] - held[2]), abs(held[1] - held[3])) < x[0].numel()


def test_single_precision_is_enough_for_three_digits_and_sums_are_double(net, batch, maps):
    given = {name: maps[name] for name in ("gradient", "noise")}
    reference, small = measures(given, net, batch), {name: a.float() for name, a in given.items()}
    for key, found in measures(small, net.float(), (batch[0].float(), batch[1])).items():
        assert found.dtype == torch.float64
        assert torch.allclose(found, reference[key], rtol=1e-3, atol=1e-3 if key[1] == "n" else 0), key


def test_model_images_and_maps_are_left_alone(net, batch, maps):
    x, copies = batch[0].clone(), {name: a.clone() for name, a in maps.items()}
    measures(maps, net, batch)
    assert torch.equal(batch[0], x) and all(torch.equal(maps[name], copies[name]) for name in maps)
    assert all(p.grad is None for p in net.parameters())


def test_nothing_is_kept_for_autograd(net, batch):
    heat = noise_map(batch[0]).requires_grad_()
    found = measures({"map": heat}, net, (batch[0].clone().requires_grad_(), batch[1]))
    assert not any(each.requires_grad for each in found.values())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a / 0, r"'odd' holds NaN or infinite.*isfinite"),
        (lambda a: a[:, ..., :8], r"'odd' has shape .*it must be"),
        (lambda a: a[0], r"'odd' has shape .*it must be"),
        (lambda a: a.numpy(), r"'odd' is no tensor: torch\.as_tensor"),
    ],
    ids=["NaN", "narrow", "no batch", "numpy"],
)
def test_maps_that_do_not_fit_are_named(change, message, net, batch):
    a = torch.zeros_like(batch[0])
    with pytest.raises(ValueError, match=message):
        infidelities({"even": a, "odd": change(a)}, net, batch)
    with pytest.raises(ValueError, match=message):
        correlations({"even": a[:, 0], "odd": change(a[:, 0])}, net, batch)


def test_remedies_for_maps(net, batch):
    x, target = batch
    with pytest.raises(ValueError, match=r"map\[None\] makes a batch"):
        infidelities({"map": x[0]}, net, (x[:1], target[:1]))
    with pytest.raises(ValueError, match="sum_over_colour"):
        correlations({"map": x}, net, batch)
    for measure in (infidelities, correlations):
        for given in (x, {}):
            with pytest.raises(ValueError, match="by their names"):
                measure(given, net, batch)


@pytest.mark.parametrize(
    "options",
    [{"subsets": 1}, {"sizes": []}, {"sizes": [0]}, {"sizes": [20, 257]}, {"sizes": [-1]}, {"sizes": [25.6]}],
    ids=str,
)
def test_bad_subsets_are_refused(options, net, batch):
    with pytest.raises(ValueError, match="subsets ≥ 2 and sizes of 1 to 256"):
        correlations({"map": batch[0][:, 0]}, net, batch, **options)


def test_an_infinite_perturbation_is_refused_where_the_model_hides_it(batch):
    class Cut(nn.Module):
        def forward(self, x):
            return x.clamp(0, 1).mean((2, 3))

    with pytest.raises(ValueError, match="perturb returned NaN or infinite"):
        infidelities({"map": batch[0]}, Cut().eval(), (batch[0], batch[1] % 3), perturb=lambda x, g: x / 0)


def test_bad_arguments_say_what_is_wrong(net, batch):
    x, target = batch
    cases = [
        ({"samples": 0}, "samples ≥ 1"),
        ({"perturb": lambda x, g: x[:1]}, r"perturb returned \(1, 3, 16, 16\); it must be like x"),
        ({"perturb": lambda x, g: x / 0}, "NaN or infinite"),
        ({"perturb": partial(SQUARE, size=17)}, "square of 17 pixels"),
        ({"perturb": partial(SQUARE, size=0)}, "square of 0 pixels"),
        ({"perturb": partial(NOISE, sigma=-1.0)}, "standard deviation"),
        ({"perturb": partial(NOISE, baseline=0.5)}, "finite tensor"),
        ({"perturb": partial(SQUARE, baseline=torch.zeros(5))}, "does not fit x"),
    ]
    for options, message in cases:
        with pytest.raises(ValueError, match=message):
            infidelities({"map": x}, net, batch, **options)
    with pytest.raises(ValueError, match=r"fill returned \(1, 3, 16, 16\)"):
        correlations({"map": x[:, 0]}, net, batch, fill=lambda x, removed: x[:1])
    with pytest.raises(ValueError, match=r"x\[None\]"):
        correlations({"map": x[:, 0]}, net, (x[0], target))
    with pytest.raises(ValueError, match="pixels of images"):
        correlations({"map": x[0, 0]}, nn.Linear(16, 2).double().eval(), (x[0, 0], torch.zeros(16).long()))
    with pytest.raises(ValueError, match="classes 0 to 4"):
        infidelities({"map": x}, net, (x, target + 3))
