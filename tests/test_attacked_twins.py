"""What the recorded run of attacked twins computes, on small cases."""

import pytest
import torch
from scipy.stats import mannwhitneyu
from torch import Generator, nn

from experiments.measures.attacked_maps import moved
from experiments.measures.auroc import ANSWER, SIDES, auroc, summary
from experiments.measures.distances import known
from tutorial_lib.attribution.gradients import saliency
from tutorial_lib.models.zoo import load
from tutorial_lib.notebook.samples import trained
from tutorial_lib.scores import logits

NAN = float("nan")


def test_auroc_is_the_mann_whitney_statistic():
    """U / (n m), with ties, for each seed."""
    values = torch.randint(0, 6, (3, 20, 2), generator=Generator().manual_seed(0)).double()
    values[0, :3, 0], values[0, 2:7, 1] = NAN, NAN
    for found, each in zip(auroc(values), values, strict=True):
        a, b = (side[~side.isnan()].numpy() for side in each.unbind(1))
        assert found.item() == pytest.approx(mannwhitneyu(a, b).statistic / (len(a) * len(b)))


def test_auroc_of_separated_reversed_and_equal_values():
    low, high = torch.rand(1, 9, dtype=torch.float64), 2 + torch.rand(1, 9, dtype=torch.float64)
    for first, second, expected in ((high, low, 1), (low, high, 0), (low * 0, low * 0, 0.5)):
        assert auroc(torch.stack([first, second], 2)).tolist() == [expected]


@pytest.fixture(scope="module")
def found():
    data, model = known("fashion", ("natural",)), load("fashion_natural_100")
    x, target = data.images[:12], data.targets[:12]
    methods = {"saliency": saliency, "fixed": lambda _model, x, _target: torch.ones_like(x).cumsum(3)}
    options = {"epsilon": torch.full((12,), 0.02), "generator": Generator().manual_seed(7)}
    return moved(methods, model, x, target, **options), (model, x, target)


def test_a_map_that_ignores_the_image_never_moves(found):
    for side in SIDES:
        distance = found[0][side]["fixed"]
        assert distance[~distance.isnan()].abs().max() < 1e-12


def test_attacks_that_flip_nothing_and_noise_that_does_are_left_out(found):
    moves, _ = found
    attacked = moves[SIDES[0]]["saliency"].isnan()
    assert 0 < attacked.sum() < 12
    for side in (SIDES[1], SIDES[3]):
        assert torch.equal(moves[side]["saliency"].isnan(), attacked)
    assert not moves[SIDES[2]]["saliency"].isnan().any()


def test_the_summary_counts_what_was_not_left_out(found):
    """Two seeds alike: AUROC of an even map 0.5; the first method's first images; shares of the images."""
    twice = {side: {name: v.expand(2, -1) for name, v in each.items()} for side, each in found[0].items()}
    kept = summary(twice)
    flipped = (~found[0][SIDES[0]]["saliency"].isnan()).double().mean().item()
    assert kept["counted"][SIDES[0]].tolist() == pytest.approx([flipped] * 2)
    assert kept["AUROC"][SIDES[1]]["fixed"].tolist() == pytest.approx([0.5] * 3)
    first = found[0][SIDES[2]]["saliency"][:5]
    assert torch.equal(kept["first images, first method"][SIDES[2]], first)


def test_a_model_of_one_answer_leaves_nothing():
    class Same(nn.Module):
        def forward(self, x):
            return torch.stack([x.mean((1, 2, 3)) + 5, 0 * x.mean((1, 2, 3))], 1)

    x, target = torch.rand(3, 1, 6, 6, generator=Generator().manual_seed(0)), torch.zeros(3).long()
    moves = moved({"saliency": saliency}, Same().eval(), x, target, epsilon=0.1,
                  generator=Generator().manual_seed(0))
    assert moves[SIDES[0]]["saliency"].isnan().all()
    assert not moves[SIDES[2]][ANSWER].isnan().any()


def test_the_images_are_known_to_all_networks():
    data, nets = known("shapes", ("natural", "l2")), [*trained("shapes_natural"), *trained("shapes_l2")]
    assert len(data.images) == 60 and data.targets.bincount().tolist() == [10] * 6
    assert all((logits(net, data.images).argmax(1) == data.targets).all() for net in nets)
