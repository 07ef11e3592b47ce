"""What the recorded results of chapter 12 measure, on toys with known answers; and its figure."""

import torch
from torch import nn

from experiments.measures.black_shapes import JUDGED, shares
from experiments.measures.classes import likenesses, runner_up
from experiments.measures.errors import BLIND, CASES, SEEING, THIRD, judged
from experiments.measures.forced_class import EPSILON, coin_flips, forced
from experiments.measures.logistic import logistic
from experiments.measures.pulls import pulls
from tutorial_lib.models.zoo import load
from tutorial_lib.notebook import panels
from tutorial_lib.scores import loss_and_gradient


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_the_runner_up_is_the_highest_class_beside_the_target():
    scores = torch.tensor([[3.0, 1.0, 2.0], [0.0, 5.0, 4.0]])
    assert runner_up(nn.Identity().eval(), scores, torch.tensor([0, 2])).tolist() == [2, 1]


def test_opposite_maps_are_alike_without_signs_and_opposed_with_them():
    heat = torch.randn(3, 4, 4, generator=generator())
    found = likenesses({"m": heat}, {"m": -heat}, torch.ones(3, 4, 4, dtype=torch.bool))
    assert torch.allclose(found["absolute"]["m"], torch.ones(3).double())
    assert torch.allclose(found["signed"]["m"], -torch.ones(3).double())


def test_a_map_that_is_the_distance_is_pulled_by_the_input_alone():
    x, slope = torch.rand(2, 3, 8, 8, generator=generator()), torch.rand(2, 8, 8, generator=generator(1))
    distance = (x - 0.5).abs().amax(1)
    by_input, by_slope = pulls(distance, x, slope, torch.tensor(0.5), torch.ones(2, 8, 8, dtype=torch.bool))
    assert torch.allclose(by_input, torch.ones(2).double()) and (by_slope.abs() < 0.4).all()


def test_the_attack_stays_in_the_ball_and_lowers_the_loss_of_the_wanted_class():
    model, x = load("fashion_natural_100"), torch.rand(6, 1, 28, 28, generator=generator())
    wanted = torch.arange(6)
    moved = forced(model, x, wanted, generator=generator())
    assert (moved - x).abs().max() <= EPSILON + 1e-6 and moved.min() >= 0 and moved.max() <= 1
    before, after = (loss_and_gradient(model, at, wanted)[0] for at in (x, moved))
    assert (after < before).all()


def test_coin_flips_are_as_large_as_the_attack_may_be():
    x = torch.full((2, 1, 8, 8), 0.5)
    assert torch.allclose((coin_flips(x, generator=generator()) - x).abs(), torch.full_like(x, EPSILON))


def test_the_logistic_rule_is_where_its_loss_is_flat():
    rows, labels = torch.randn(200, 3, generator=generator()).double(), torch.arange(200).double() % 2
    rows[:, 1] += labels
    w = logistic(rows, labels, ridge=0.01).requires_grad_()
    loss = nn.functional.binary_cross_entropy_with_logits(rows @ w[:-1] + w[-1], labels)
    slope = torch.autograd.grad(loss + 0.01 * w[:-1].square().sum(), w)[0]
    assert slope.abs().max() < 1e-9 and w[1] == w[:-1].max()


def test_a_rule_sees_what_separates_the_cases_and_nothing_else():
    grades = {case: {name: torch.rand(5, THIRD, generator=generator(k)) for name in (*BLIND, *SEEING)}
              for k, case in enumerate(CASES)}
    grades[CASES[0]]["on the mark"] += 1
    grades[CASES[2]]["MoRF"][0, 0] = torch.nan
    blind, seeing = (judged(grades, (CASES[0], CASES[2]), names) for names in (BLIND, SEEING))
    assert blind.shape == (5, THIRD, 2) and blind.isfinite().all()
    assert (seeing[..., 0, None] > seeing[:, None, :, 1]).double().mean() > 0.99
    assert abs((blind[..., 0, None] > blind[:, None, :, 1]).double().mean() - 0.5) < 0.15


def test_a_black_shape_has_no_share_from_black():
    x, masks = torch.rand(2, 3, 64, 64, generator=generator()), torch.zeros(2, 64, 64, dtype=torch.bool)
    masks[:, 20:40, 20:40] = True
    found = shares(load("shapes_natural_100"), x.masked_fill(masks[:, None], 0), torch.tensor([0, 1]), masks)
    for method in ("IG", "DeepLIFT"):
        assert set(JUDGED) < set(found[method]) and (found[method]["black"][:, 1] == 0).all()
        assert (found[method]["grey"][:, 1] > 0).all() and (found[method]["black"][:, 0] > 0).all()


def test_a_numbered_grid_has_a_number_above_each_map():
    maps = {"a": torch.rand(2, 4, 4), "b": torch.rand(2, 4, 4)}
    figure = panels.numbered_grid(
        torch.rand(2, 1, 4, 4), maps, {"a": [1.0, -0.001], "b": [1, 0.5]}, rows=["one", "two"]
    )
    titles = [ax.get_title() for ax in figure.axes]
    assert titles == ["one", "a\n1.00", "b\n1.00", "two", "0.00", "0.50"]
