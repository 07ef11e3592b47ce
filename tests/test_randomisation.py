"""The checks that randomise: what is drawn for whom, what is compared with what, what is stored."""

import math

import pytest
import torch

from experiments.measures.likeness import alike_elsewhere, complexity, following, lit, pixel_maps, stored
from experiments.measures.permutation import JUDGED
from experiments.measures.randomisation import COPIES, EACH, blank_copies, edge_likeness, first_of_each
from experiments.measures.way_down import DOWN, steps_down
from experiments.worlds import NUMBERS, SAMPLES, nine_methods
from tutorial_lib.attribution.gradients import guided_backprop, saliency
from tutorial_lib.attribution.pixels import max_over_colour, sum_over_colour
from tutorial_lib.evaluation.agreement import rank_correlations
from tutorial_lib.evaluation.sanity import cascade, randomised, weighted_layers
from tutorial_lib.models.zoo import load
from tutorial_lib.notebook.results import recorded, reproduces
from tutorial_lib.notebook.samples import SEEDS, another_class, trained

WORLDS = ["fashion", "shapes"]


def generator(seed=7):
    return torch.Generator().manual_seed(seed)


def noise(model, copy):
    """The normal numbers that a random copy was made of, parameter by parameter."""
    pairs = zip(model.parameters(), copy.parameters(), strict=True)
    return torch.cat([((b - a.mean()) / a.std(correction=0)).flatten() for a, b in pairs])


@pytest.mark.parametrize("world", WORLDS)
def test_no_two_random_copies_share_their_numbers(world):
    model, second = load(f"{world}_natural_100"), load(f"{world}_natural_101")
    copies, others = blank_copies(world, 100), blank_copies(world, 101)
    drawn = [noise(model, copies[name]) for name in COPIES] + [noise(second, others[name]) for name in COPIES]
    table = torch.corrcoef(torch.stack(drawn))
    assert (table - torch.eye(len(drawn))).abs().max() < 0.02
    assert all(net.training is False for net in copies.values())


def test_the_first_copy_of_the_first_network_is_that_of_seed_7():
    """A chapter draws it again without knowing of the others."""
    model = load("fashion_natural_100")
    again = randomised(model, "", generator=generator())
    pairs = zip(again.parameters(), blank_copies("fashion", 100)["copy 1"].parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_pytorchs_own_weights_are_not_those_that_a_training_started_from():
    own = blank_copies("fashion", 100)["PyTorch's own"]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(100)
        start = type(own)()
    assert not torch.equal(own.layers[1].weight, start.layers[1].weight)
    limit = 1 / math.sqrt(16)  # uniform within 1/√(inputs): what PyTorch does
    assert own.layers[1].weight.abs().max() <= limit


@pytest.mark.parametrize("world", WORLDS)
def test_the_way_down_reaches_every_layer_once(world):
    weighted = weighted_layers(load(f"{world}_natural_100"))
    inside = [[name for name in weighted if f"{name}.".startswith(f"{layer}.")] for layer in DOWN[world]]
    assert sorted(name for names in inside for name in names) == sorted(weighted) and all(inside)


def test_the_way_down_draws_for_the_networks_in_turn():
    steps, others = (steps_down("fashion", seed, cascade) for seed in (100, 101))
    first = list(cascade(load("fashion_natural_100"), DOWN["fashion"], generator=generator()))
    assert torch.equal(steps[0][1].layers[9].weight, first[0][1].layers[9].weight)
    drawn = [noise(load(f"fashion_natural_{s}"), net[-1][1]) for s, net in ((100, steps), (101, others))]
    assert torch.corrcoef(torch.stack(drawn))[0, 1].abs() < 0.02


@pytest.mark.parametrize("world", WORLDS)
def test_the_images_on_the_way_down_are_a_smaller_sample_of_the_same_kind(world):
    models = trained(f"{world}_natural")
    large = SAMPLES[world](models, n=NUMBERS[world])
    few = first_of_each(large.targets, EACH[world])
    small = SAMPLES[world](models, n=EACH[world] * len(large.targets.unique()))
    assert torch.equal(large.images[few], small.images) and torch.equal(large.targets[few], small.targets)


def test_the_floor_takes_the_second_map_from_the_partner_and_pixels_of_both():
    first, second = torch.arange(8.0).view(2, 2, 2), torch.tensor([[[9, 8], [7, 99]], [[3, 4], [5, 0.0]]])
    where = torch.tensor([[[1, 1], [1, 0]], [[1, 1], [1, 1]]], dtype=torch.bool)
    found = alike_elsewhere({"m": first}, {"m": second}, where, torch.tensor([1, 0]))["m"]
    assert found.tolist() == [1, -1]  # 0 1 2 against 3 4 5; 4 5 6 against 9 8 7


def test_only_fashion_leaves_black_pixels_out():
    x = torch.tensor([0, 0.5, 1, 0]).view(1, 1, 2, 2)
    assert lit(x, "fashion").tolist() == [[[False, True], [True, False]]] and lit(x, "shapes").all()


def test_the_random_map_is_new_at_each_call_and_the_edges_are_not():
    model, x = load("fashion_natural_100"), torch.rand(2, 1, 28, 28, generator=generator(0))
    draws, target = generator(0), torch.tensor([0, 1])
    one, two = (pixel_maps({}, model, x, target, draws=draws) for _ in range(2))
    assert torch.equal(one["edge filter"], two["edge filter"])
    assert rank_correlations(one["random map"], two["random map"]).abs().max() < 0.15


def test_colour_is_joined_by_the_rule_of_the_method():
    model, x, target = load("shapes_natural_100"), torch.rand(1, 3, 64, 64), torch.tensor([0])
    methods = {name: nine_methods("shapes")[name] for name in ("saliency", "guided backprop")}
    found = pixel_maps(methods, model, x, target, draws=generator())
    assert torch.equal(found["saliency"], max_over_colour(saliency(model, x, target)))
    assert torch.equal(found["guided backprop"], sum_over_colour(guided_backprop(model, x, target)))


def test_edges_are_like_themselves_and_noise_times_the_input_is_not_noise():
    x = torch.rand(3, 1, 20, 20, generator=generator(0))
    maps = pixel_maps({}, None, x, None, draws=generator())
    found = edge_likeness({**maps, "input": x[:, 0]}, x, None)
    assert found["edge filter"].tolist() == [1, 1, 1]
    product = maps["random map"] * x[:, 0]
    assert torch.equal(found["random map x input"], rank_correlations(product, maps["edge filter"]))


def test_complexity_is_the_entropy_of_the_histogram():
    even = torch.arange(400.0).view(1, 20, 20)
    halves = (even < 200).float()
    lone = (even == 7).float()
    p = torch.tensor([1 / 400, 399 / 400])
    wanted = [math.log(100), math.log(2), -(p * p.log()).sum().item()]
    found = complexity(torch.cat([even, halves, lone]))
    assert found.tolist() == pytest.approx(wanted)
    assert complexity(5 * halves - 3).item() == pytest.approx(math.log(2))
    assert complexity(torch.ones(1, 4, 4)).isnan().all()


def test_the_ceilings_twins_go_around():
    assert [following(seed) for seed in SEEDS] == [101, 102, 103, 104, 100]


def test_stored_means_leave_empty_maps_out_and_images_keep_their_gaps():
    nan = math.nan
    found = stored({"images": {"a": torch.tensor([[0.123456, nan]])},
                    "means": {"b": {"c": torch.tensor([[1.0, nan, 2], [nan, nan, nan]])}}})
    assert found["images"]["a"][0, 0] == 0.1235 and found["images"]["a"][0, 1].isnan()
    assert found["means"]["b"]["c"][0] == 1.5 and found["means"]["b"]["c"][1].isnan()


def test_the_recorded_checks_reproduce_on_the_first_images():
    """Library functions only, as in the chapter."""
    found = recorded("randomisation").values["permuted"]["images"]
    data = SAMPLES["fashion"](trained("fashion_natural"), n=NUMBERS["fashion"])
    nets = [load(f"fashion_{name}") for name in ("natural_100", "permuted_100", "natural_101")]
    few, more = slice(0, 12), slice(0, 20)
    x, target, where = data.images[more], data.targets[more], lit(data.images[more], "fashion")
    partner = another_class(data.targets)[few]
    for name in ("saliency", "guided backprop", "Gradient x Input", "DeepLIFT", "Grad-CAM"):
        assert name in JUDGED
        a, b, c = (pixel_maps({name: nine_methods("fashion")[name]}, net, x, target, draws=generator())[name]
                   for net in nets)
        assert reproduces(found["likeness"][name][0, more], rank_correlations(a, b, where=where))
        assert reproduces(found["ceiling"][name][0, more], rank_correlations(a, c, where=where))
        floor = rank_correlations(a[few], b[partner], where=where[few] & where[partner])
        assert reproduces(found["floor"][name][0, few], floor)
