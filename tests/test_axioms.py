"""The columns of Table 2: the toys are what they say, and methods whose rows are proved get them."""

from functools import partial

import pytest
import torch
from torch import nn

from tests.conftest import BLACK
from tutorial_lib.attribution.cam import grad_cam
from tutorial_lib.attribution.gradients import (
    deconvnet,
    gradient_x_input,
    guided_backprop,
    integrated_gradients,
    saliency,
    seeded,
    smoothgrad,
)
from tutorial_lib.attribution.propagation import deeplift, lrp_epsilon
from tutorial_lib.evaluation.axioms import (
    bind,
    completeness_gap,
    implementation_invariance,
    input_invariance,
    relative_difference,
    saturation,
    sensitivity,
)
from tutorial_lib.evaluation.toys import (
    PAIRS,
    Nested,
    distance_to_kinks,
    equal_pair,
    points_off_kinks,
    random_network,
    rewritten,
    saturating_network,
    shifted_twin,
    wired_dummies,
)
from tutorial_lib.models.zoo import load
from tutorial_lib.notebook.claims import all_claims
from tutorial_lib.notebook.table2 import row
from tutorial_lib.scores import class_score, input_gradient

FIRST = torch.zeros(4, dtype=torch.long)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def form(model):
    """What tells two ways of writing apart: the modules, their parameters, the order in `Nested`."""
    modules = [(type(m).__name__, getattr(m, "outer", None)) for m in model.modules()]
    return modules, [p.tolist() for p in model.parameters()]


@pytest.mark.parametrize("place", ["low", "high"])
@pytest.mark.parametrize("kind", list(PAIRS))
def test_pairs_are_one_function_in_two_forms(kind, place):
    """Equal in value and in gradient at points off kinks, with noise as well, and not equal in form."""
    found = 0.0
    for seed in range(5):
        one, two = equal_pair(kind, place, generator=generator(seed))
        x = points_off_kinks([one, two], (2, 6, 6), n=4, generator=generator(seed))
        noisy = x + 0.15 * torch.randn(x.shape, generator=generator(), dtype=x.dtype)
        for points in (x, noisy, torch.zeros_like(x)):
            assert torch.allclose(one(points), two(points), rtol=0, atol=1e-10)
        assert relative_difference(input_gradient(one, x, FIRST), input_gradient(two, x, FIRST)) < 1e-10
        assert distance_to_kinks([one, two], x).min() > 1e-3
        found = max(found, input_gradient(one, x, FIRST).abs().max().item())
        assert form(one) != form(two)
    assert found > 1e-4


def test_points_are_refused_where_a_network_sits_on_its_kink():
    on_kink = nn.Sequential(nn.ReLU()).eval()
    on_kink.register_forward_pre_hook(lambda _m, x: (0 * x[0],))
    with pytest.raises(ValueError, match="kinks"):
        points_off_kinks([on_kink], (1, 2, 2), n=1, generator=generator())


@pytest.mark.parametrize("form", ["a", "b"])
def test_the_saturating_toys_are_min_of_one_and_the_sum(form):
    for features in (1, 2):
        x = torch.rand(20, features, 4, 4, dtype=torch.float64, generator=generator())
        expected = x.sum(1).clamp(max=1).sum((1, 2))[:, None]
        assert torch.allclose(saturating_network(form, features)(x), expected)


def test_the_two_nested_forms_are_equal_everywhere():
    u = torch.randn(1, 2, 100, 100, generator=generator()) * 3
    assert torch.allclose(Nested(outer=True)(u), Nested(outer=False)(u), atol=1e-5)


def test_dummies_have_no_effect():
    for model, x, dummy in wired_dummies(generator=generator()):
        noise = torch.randn(50, *x.shape[1:], generator=generator(), dtype=x.dtype)
        assert torch.allclose(model(x + noise * dummy), model(x).expand(50, -1), atol=1e-12)
        assert (model(x + noise * ~dummy) - model(x)).abs().max() > 0.1


@pytest.mark.parametrize("name", ["fashion_natural_100", "shapes_natural_100"])
def test_a_trained_network_can_be_rewritten(name):
    model = load(name).double()
    relu = "layers.4" if name.startswith("fashion") else "blocks.2.relu"
    twin, (c, side) = rewritten(model, relu), (1, 28) if name.startswith("fashion") else (3, 64)
    x = torch.rand(4, c, side, side, dtype=torch.float64, generator=generator())
    target = torch.arange(4)
    assert torch.allclose(model(x), twin(x), atol=1e-10)
    assert relative_difference(saliency(model, x, target), saliency(twin, x, target)) < 1e-10
    assert relative_difference(guided_backprop(model, x, target), guided_backprop(twin, x, target)) > 0.01


def test_a_shift_is_absorbed_by_an_unpadded_layer_and_by_no_other():
    fashion = load("fashion_natural_100").double()
    x, shift = torch.rand(4, 1, 28, 28, dtype=torch.float64), torch.full((1, 1, 28, 28), -1.0).double()
    twin = shifted_twin(fashion, "layers.1", shift)
    assert torch.allclose(fashion(x), twin(x + shift), atol=1e-8)
    with pytest.raises(ValueError, match="pads with zeros"):
        shifted_twin(load("shapes_natural_100").double(), "stem.0", torch.full((1, 3, 64, 64), 0.5).double())
    with pytest.raises(ValueError, match="no bias"):
        shifted_twin(load("fashion_no_bias_100").double(), "layers.1", shift)


def test_options_are_bound_only_where_a_method_has_them():
    assert bind(saliency, baseline=0, layer="x").keywords == {}
    assert bind(grad_cam, baseline=0, layer="x").keywords == {"layer": "x"}
    assert bind(partial(integrated_gradients, steps=3), baseline=1, layer="x").keywords == {
        "steps": 3,
        "baseline": 1,
    }


def test_completeness_gap_by_hand():
    """S = 2 x₁ at x = (1, 5), black baseline: the map (2, 1) is off by a half of the rise."""
    model = nn.Sequential(nn.Linear(2, 1, bias=False)).eval().requires_grad_(False)
    model[0].weight[:] = torch.tensor([[2.0, 0.0]])
    x, target = torch.tensor([[1.0, 5.0]]), torch.tensor([0])
    gap = completeness_gap(model, x, target, torch.tensor([[2.0, 1.0]]), baseline=torch.zeros(1))
    assert gap.item() == 0.5


def constant(_model, x, _target):
    """The same map for everything."""
    return torch.ones_like(x)


def occlusion_of_entries(model, x, target):
    """Drop of the score when one entry is set to zero."""
    drops = []
    for i in range(x[0].numel()):
        without = x.clone().flatten(1)
        without[:, i] = 0
        drops.append(class_score(model, x, target) - class_score(model, without.view_as(x), target))
    return torch.stack(drops, 1).view_as(x)


def all_credit_to_the_first(model, x, target):
    """Complete, and nothing else."""
    a = torch.zeros_like(x)
    a[:, 0, 0, 0] = class_score(model, x, target) - class_score(model, torch.zeros_like(x), target)
    return a


ROWS = {  # implementation, input invariance, saturation, sensitivity, completeness, sensitivity (a), dummy
    "saliency": (saliency, "Yes Yes No No No No Yes"),
    "gradient_x_input": (gradient_x_input, "Yes No No No Depends(biases) No Yes"),
    "guided_backprop": (guided_backprop, "No Yes Depends(implementation) No No No No"),
    "deconvnet": (deconvnet, "No Yes Depends(implementation) No No No No"),
    "smoothgrad": (
        seeded(smoothgrad, seed=0, attribute=saliency, sigma=0.15, samples=8),
        "Yes Yes No No No No Yes",
    ),
    "integrated_gradients": (
        partial(integrated_gradients, steps=3000),
        "Yes Depends(baseline) Yes Yes Yes Yes Yes",
    ),
    "deeplift": (deeplift, "No Depends(baseline) Yes No Yes Yes No"),
    "grad_cam": (grad_cam, "Yes Yes Depends No No No No"),
    "constant": (constant, "Yes Yes Yes No No Yes No"),
    "occlusion": (occlusion_of_entries, "Yes No No No No Yes Yes"),
    "first": (all_credit_to_the_first, "Yes No Yes No Yes No No"),
}


@pytest.mark.parametrize("name", list(ROWS))
def test_rows_are_those_that_can_be_proved(name):
    """METHODS §1; four mini-methods separate the parts of sensitivity."""
    method, expected = ROWS[name]
    instances = 20 if name == "integrated_gradients" else 100
    found = row(method, instances=instances)
    assert [cell.replace(" ", "") for cell in found.values()] == expected.split(), found


def test_a_sample_that_misses_a_kind_is_refused():
    """A method may be refuted by one kind of pair only, as DeepLIFT is by the nested forms."""
    with pytest.raises(ValueError, match="at least 20"):
        implementation_invariance(saliency, instances=19, generator=generator())
    with pytest.raises(ValueError, match="at least 12"):
        input_invariance(saliency, instances=11, generator=generator())


def test_lrp_is_gradient_times_input_in_every_column():
    ours, gxi = row(partial(lrp_epsilon, epsilon=1e-12), instances=40), row(gradient_x_input, instances=40)
    assert ours == gxi


def test_columns_return_what_the_claims_read():
    measured = {
        "implementation_invariance": implementation_invariance(saliency, instances=20, generator=generator()),
        "input_invariance": input_invariance(saliency, instances=20, generator=generator()),
        "saturation": saturation(saliency),
        "sensitivity": sensitivity(saliency, instances=20, generator=generator()),
    }
    for item in all_claims().values():
        if item.get("column") in measured:
            assert set(item["measures"]) == set(measured[item["column"]])


def test_one_rule_for_a_column():
    """The row of a method may read the lines of any item of its column."""
    rules = {}
    for item in all_claims().values():
        if "column" in item:
            rules.setdefault(item["column"], set()).add(repr((item["cell"], item.get("sub_results"))))
    assert len(rules) == 5 and all(len(found) == 1 for found in rules.values())


def test_dense_first_layers_are_dense():
    model = random_network(generator=generator(), first=6)
    assert model.below(torch.zeros(1, 2, 6, 6).double()).shape == (1, 4, 1, 1)
    assert BLACK.shape == (1, 1, 1, 1)
