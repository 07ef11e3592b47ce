"""Randomised models: what changes, what stays, and that the reader's model is left alone."""

import pytest
import torch
from torch import nn

from tests.conftest import small_net
from tutorial_lib.datasets import fashion_mnist
from tutorial_lib.evaluation.sanity import cascade, independent, randomised, weighted_layers
from tutorial_lib.models.zoo import load

IMAGES = {
    "fashion_natural_100": (1, 28, 28), "shapes_natural_100": (3, 64, 64), "efficientnet_lite0": (3, 96, 96)
}
SERIES = [cascade, independent]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module", params=IMAGES)
def known(request):
    """A model of the book and a batch that fits it."""
    return load(request.param), torch.rand(2, *IMAGES[request.param], generator=generator())


def changed_layers(model, copy):
    """The weighted layers of which every parameter differs; it fails where some differ and some do not."""
    found = []
    for name in weighted_layers(model):
        pair = (m.get_submodule(name).parameters(recurse=False) for m in (model, copy))
        differs = {not torch.equal(a, b) for a, b in zip(*pair, strict=True)}
        assert len(differs) == 1, name
        found += [name] if differs.pop() else []
    return found


def same_weights(model, other, name):
    pair = (m.get_submodule(name).parameters(recurse=False) for m in (model, other))
    return all(torch.equal(a, b) for a, b in zip(*pair, strict=True))


def test_weighted_layers_go_from_the_output_to_the_input(known):
    model, x = known
    layers, order = weighted_layers(model), []
    handles = [
        model.get_submodule(name).register_forward_hook(lambda m, i, o, name=name: order.append(name))
        for name in layers
    ]
    model(x)
    for handle in handles:
        handle.remove()
    assert layers == order[::-1]
    owned = sum(p.numel() for name in layers for p in model.get_submodule(name).parameters(recurse=False))
    assert owned == sum(p.numel() for p in model.parameters())


def test_a_cascade_randomises_one_layer_more_at_each_step(known):
    model, x = known
    layers = weighted_layers(model)
    seen = []
    for name, copy in cascade(model, layers[:6], generator=generator()):
        seen.append(name)
        assert changed_layers(model, copy) == seen
        assert copy(x).isfinite().all() and not copy.training
    assert seen == layers[:6]


def test_a_whole_cascade_leaves_no_parameter_as_it_was(known):
    model, _ = known
    *_, (_, last) = cascade(model, weighted_layers(model), generator=generator())
    assert changed_layers(model, last) == weighted_layers(model)


def test_independent_randomises_one_layer_at_a_time(known):
    model, _ = known
    layers = weighted_layers(model)[:4]
    found = list(independent(model, layers, generator=generator()))
    assert [name for name, _ in found] == layers
    assert all(changed_layers(model, copy) == [name] for name, copy in found)


def test_a_layer_has_the_same_random_numbers_at_every_later_step_and_in_both_series():
    """Earlier copies stay valid when the iterator goes on."""
    model = load("shapes_natural_100")
    layers = weighted_layers(model)
    steps = list(cascade(model, layers, generator=generator(3)))
    alone = dict(independent(model, layers, generator=generator(3)))
    for i, (name, copy) in enumerate(steps):
        assert changed_layers(model, copy) == layers[: i + 1]
        assert same_weights(copy, alone[name], name)
        assert all(same_weights(copy, later, name) for _, later in steps[i:])


@pytest.mark.parametrize("series", SERIES)
def test_the_generator_decides(series):
    model = small_net()
    layers = weighted_layers(model)

    def last(seed):
        *_, (_, copy) = series(model, layers, generator=generator(seed))
        return nn.utils.parameters_to_vector(copy.parameters())

    assert torch.equal(last(1), last(1)) and not torch.equal(last(1), last(2))


def test_blocks_are_layers_too():
    model = load("shapes_natural_100")
    blocks = ["classifier", "blocks.3", "blocks.2"]
    steps = [changed_layers(model, copy) for _, copy in cascade(model, blocks, generator=generator())]
    inside = [[name for name in weighted_layers(model) if name.startswith(block)] for block in blocks]
    assert steps == [inside[0], inside[0] + inside[1], inside[0] + inside[1] + inside[2]]


def test_every_parameter_keeps_its_mean_and_spread():
    """Biases too. Mean within five standard errors; the spread of n normal numbers scatters by 1/√(2n)."""
    model = load("fashion_natural_100")
    *_, (_, last) = cascade(model, weighted_layers(model), generator=generator())
    for (name, before), after in zip(model.named_parameters(), last.parameters(), strict=True):
        spread, n = before.std(correction=0), before.numel()
        assert abs(after.mean() - before.mean()) < 5 * spread / n**0.5, name
        assert abs(after.std(correction=0) / spread - 1) < 5 / (2 * n) ** 0.5, name
    assert min(p.numel() for p in model.parameters()) == 10


def test_the_numbers_are_normal_about_the_mean():
    """Weights of two values far from 0 become a bell about their mean: 68 % within one deviation."""
    layer = nn.Linear(200, 50, bias=False)
    with torch.no_grad():
        layer.weight.copy_((torch.arange(10_000).view(50, 200) % 2) * 2.0 + 4)  # mean 5, deviation 1
    weight = randomised(nn.Sequential(layer), "0", generator=generator())[0].weight
    within = ((weight - 5).abs() < 1).double().mean().item()
    assert within == pytest.approx(0.6827, abs=0.02) and ((weight - 5).abs() > 2).any()


def test_what_has_no_spread_stays():
    model = nn.Sequential(nn.Linear(50, 40), nn.BatchNorm1d(40), nn.PReLU()).eval()
    changed = randomised(model, "", generator=generator())
    same = [torch.equal(a, b) for a, b in zip(model.parameters(), changed.parameters(), strict=True)]
    assert same == [False, False, True, True, True]


@pytest.mark.parametrize("series", SERIES)
@pytest.mark.parametrize("layers", [["7", "3"], ["7", "nowhere"], ["7", "1"], ["7", "7"]])
def test_the_readers_model_is_never_changed(series, layers):
    """Not by a series that ends, and not by one that fails: unknown, without parameters, named twice."""
    model = small_net()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    try:
        for _, copy in series(model, layers, generator=generator()):
            nn.init.zeros_(copy.get_submodule("0").weight)  # nor by what is done with a copy
    except ValueError:
        assert layers != ["7", "3"]
    after = model.state_dict()
    assert before.keys() == after.keys() and all(torch.equal(before[key], after[key]) for key in before)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (["0", "nowhere"], "no layer 'nowhere'"),
        (["1"], "no parameters"),
        (["0", "0"], "share parameters"),
        (["0", ""], "share parameters"),
        (["7.weight"], "no layer"),
    ],
)
def test_a_cascade_says_which_layers_it_cannot_take(layers, message):
    with pytest.raises(ValueError, match=message):
        list(cascade(small_net(), layers, generator=generator()))


def test_an_unknown_layer_is_refused_before_anything_is_drawn():
    noise = generator()
    with pytest.raises(ValueError, match="no layer"):
        next(cascade(small_net(), ["0", "nowhere"], generator=noise))
    assert torch.equal(noise.get_state(), generator().get_state())
    with pytest.raises(ValueError, match="no layer"):
        list(independent(small_net(), ["nowhere"], generator=noise))


def test_a_model_without_parameters_has_nothing_to_randomise():
    with pytest.raises(ValueError, match="nothing to randomise"):
        weighted_layers(nn.Sequential(nn.Flatten(), nn.ReLU()))


def test_random_weights_know_nothing():
    """The trained network finds most classes of its images; after the whole cascade, about one in ten."""
    data, model = fashion_mnist("test"), load("fashion_natural_100")
    steps = cascade(model, weighted_layers(model), generator=generator())
    right = [
        (net(data.images[:300]).argmax(1) == data.targets[:300]).double().mean().item()
        for net in (model, *(copy for _, copy in steps))
    ]
    assert right[0] > 0.8 and max(right[1:]) < 0.4
