"""The code behind the recorded results of chapter 15, on toys."""

import pytest
import torch
from torch import Generator, nn
from torch.nn import functional as F

from experiments.measures.robust_twins import gains
from experiments.measures.trainings import TRAININGS, decayed, kept
from experiments.measures.widths import built, vulnerability
from tutorial_lib.models.fashion import FashionCNN
from tutorial_lib.notebook.samples import balanced, nearly_balanced


def toy() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.Linear(784, 10)).eval()


class Says(nn.Module):
    """Names the class that stands in the first pixel, unless the second one is lit."""

    def forward(self, x):
        classes = (10 * x[:, 0, 0, 0]).round().long()
        return F.one_hot((classes + x[:, 0, 0, 1].long()) % 10, 10).float()


def marked(classes: list[int], wrong: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.zeros(len(classes), 1, 2, 2)
    x[:, 0, 0, 0] = torch.tensor(classes) / 10
    x[wrong, 0, 0, 1] = 1
    return x, torch.tensor(classes)


class TestSample:
    def test_it_is_the_balanced_one_where_that_exists(self):
        x, target = marked([0, 1, 2] * 8, wrong=[0, 4])
        pick = {"images": x, "targets": target, "n": 12}
        assert torch.equal(nearly_balanced([Says().eval()], **pick), balanced([Says().eval()], **pick))

    def test_a_class_with_too_few_gives_all_and_the_others_share_its_places_in_file_order(self):
        classes = [0] * 6 + [1] * 3 + [2] * 6
        x, target = marked(classes, wrong=[0, 7])
        chosen = nearly_balanced([Says().eval()], x, target, n=10)
        assert chosen.tolist() == [1, 2, 3, 4, 6, 8, 9, 10, 11, 12]

    def test_too_few_images_are_refused(self):
        x, target = marked([0, 1], wrong=[0])
        with pytest.raises(ValueError, match="1 are right"):
            nearly_balanced([Says().eval()], x, target, n=2)


def test_decay_adds_the_squared_weights_to_the_loss():
    model, x, target = toy(), torch.rand(4, 1, 28, 28), torch.arange(4)
    size = sum((p**2).sum() for p in model.parameters())
    found = decayed(model, x, target, Generator(), weight=0.01)
    assert torch.allclose(found, F.cross_entropy(model(x), target) + 0.01 * size)


def test_the_ladder_has_five_trainings_of_three_strengths_and_five_networks_of_the_book():
    kinds = [kind for kind, _ in TRAININGS]
    assert len(set(kinds)) == 5 and all(kinds.count(kind) == 3 for kind in kinds)
    assert sum(isinstance(how, str) for how in TRAININGS.values()) == 5


def test_weights_are_made_once_and_read_afterwards(tmp_path):
    made = []

    def make():
        made.append(1)
        return toy()

    for _ in range(2):
        again = kept(tmp_path / "new" / "toy.pt", make, nn.Sequential(nn.Flatten(), nn.Linear(784, 10)))
        assert torch.equal(again[1].weight, toy()[1].weight) and not again.training
    assert made == [1]


def test_a_network_of_width_1_is_the_books_and_wider_ones_have_16_times_its_inner_weights():
    shapes = {k: v.shape for k, v in FashionCNN().state_dict().items()}
    assert {k: v.shape for k, v in built(1).state_dict().items()} == shapes
    inner = next(k for k, s in shapes.items() if len(s) == 4 and s[1] == 32)
    assert built(4).state_dict()[inner].numel() == 16 * shapes[inner].numel()
    assert built(0.25)(torch.zeros(2, 1, 28, 28)).shape == (2, 10)


def test_a_linear_model_never_moves_its_gradient_and_falls_within_its_own_yardstick():
    """With scores so large that the loss sees the next class alone; PGD's fixed steps fall a little short."""
    model, x = toy(), 0.3 + 0.4 * torch.rand(60, 1, 28, 28, generator=Generator().manual_seed(0))
    model[1].weight.data *= 50
    target = model(x).argmax(1)
    found = vulnerability(model.requires_grad_(False), x, target)
    assert found["instability"].nanmedian() < 1e-6
    yardstick = found["gradient margin"].median()
    assert found["flipped"][found["gradient margin"] < 0.9 * yardstick].all()
    assert not found["flipped"][found["gradient margin"] > 1.5 * yardstick].any()


def test_a_gain_is_positive_for_the_better_map_in_both_orders():
    """Low is good when the highest pixels go first, high when the lowest do."""
    low, high = torch.tensor([[0.2, 0.3]]), torch.tensor([[0.6, 0.5]])
    found = {"start": torch.tensor([0.8]), "morf": {"black": {"own": low, "blank": high}},
             "lerf": {"black": {"own": high, "blank": low}}}
    for order in ("morf", "lerf"):
        assert torch.allclose(gains(found, order, "black"), torch.tensor([[0.5, 0.25]]))
