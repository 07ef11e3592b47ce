"""Models that explain themselves (C121)."""

import pytest
import torch
from torch import Generator

from experiments.measures.additive import (
    evidence_map,
    exactness,
    fashion_patches,
    linear,
    linear_map,
    patch_map,
    shapes_patches,
)
from experiments.measures.three_models import kinds
from tutorial_lib.models.layers import Normalise
from tutorial_lib.models.zoo import ARCHITECTURES
from tutorial_lib.scores import class_score

CASES = {"fashion": (fashion_patches, (1, 28, 28), 10, "FashionCNN"),
         "shapes": (shapes_patches, (3, 64, 64), 6, "ShapesResNet")}


@pytest.fixture(params=CASES)
def case(request):
    make, shape, classes, architecture = CASES[request.param]
    torch.manual_seed(0)
    model = make().double().eval().requires_grad_(False)
    x = torch.rand(4, *shape, generator=Generator().manual_seed(1), dtype=torch.float64)
    return request.param, model, x, torch.arange(4) % classes, architecture


def test_both_have_as_many_parameters(case):
    _, model, *_, architecture = case
    sizes = [sum(p.numel() for p in net.parameters()) for net in (model, ARCHITECTURES[architecture]())]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.01)


def test_the_evidence_of_a_patch_depends_on_its_pixels_alone(case):
    _, model, x, *_ = case
    said = model.evidence(x)
    row, column = 1, said.shape[3] - 1
    top, left = row * model.stride, column * model.stride
    inside = torch.zeros_like(x, dtype=torch.bool)
    inside[..., top : top + model.patch, left : left + model.patch] = True
    other = model.evidence(torch.where(inside, x, 1 - x))
    assert torch.equal(other[..., row, column], said[..., row, column])
    changed = model.evidence(torch.where(inside, 1 - x, x))
    assert not torch.equal(changed[..., row, column], said[..., row, column])
    assert left + model.patch == x.shape[3]  # the patches reach the border: every pixel is seen


def test_the_map_adds_up_to_the_score(case):
    _, model, x, target, _ = case
    heat = evidence_map(model, x, target)
    assert heat.shape == (4, *x.shape[2:])
    assert torch.allclose(heat.sum((1, 2)), class_score(model, x, target))
    baseline = torch.full((1, 1, 1, 1), 0.25, dtype=torch.float64)
    rise = class_score(model, x, target) - class_score(model, baseline.expand_as(x), target)
    assert torch.allclose(patch_map(model, x, target, baseline=baseline).sum((1, 2)), rise)


@pytest.mark.parametrize("world", CASES)
def test_what_softmax_regression_says_of_itself_is_exact(world):
    _, shape, classes, _ = CASES[world]
    zero = 0.0 if world == "fashion" else 0.5
    torch.manual_seed(0)
    model = linear(Normalise([zero] * shape[0], [0.3] * shape[0]), side=shape[1], classes=classes)
    model = model.double().eval().requires_grad_(False)
    x = torch.rand(4, *shape, generator=Generator().manual_seed(1), dtype=torch.float64)
    target = torch.arange(4)
    found = exactness(linear_map(model, x, target), model, x, target, world=world)
    assert found["completeness"].max() < 1e-9 and found["squares"].max() < 1e-9
    wrong = exactness(1.1 * linear_map(model, x, target), model, x, target, world=world)
    assert torch.allclose(wrong["completeness"], torch.tensor(0.1).double())
    assert torch.allclose(wrong["squares"], torch.tensor(0.1).double())


def test_three_kinds_train_by_the_recipe_of_their_world():
    for world in CASES:
        three = kinds(world)
        assert list(three) == ["softmax regression", "patch-additive", "CNN"]
        assert len({kind.recipe.epochs for kind in three.values()}) == 1
