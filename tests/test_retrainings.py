"""Remove and retrain: what is stored of the right answers, and the trainings."""

import pytest
import torch

from experiments.measures import retrainings
from experiments.measures.retrainings import SHARES, of_map, summary
from experiments.measures.roar import data, retrained, right_answers
from experiments.worlds import pixel_map
from tutorial_lib.attribution.gradients import saliency
from tutorial_lib.evaluation.removal import Explained
from tutorial_lib.evaluation.sanity import edge_filter
from tutorial_lib.models.zoo import load
from tutorial_lib.notebook.results import recorded
from tutorial_lib.notebook.samples import another_class

KINDS = ("retrained", "not retrained", "retrained, swapped", "not retrained, swapped")


def few_images(n, asked):
    x, target, test, wanted, fill = data()
    return x[:n], target[:n], test[:asked], wanted[:asked], fill


@pytest.fixture
def found():
    """Right answers of 5 seeds, 2 shares, 40 images; retrained, IG is always wrong, random always right."""
    draws = torch.Generator().manual_seed(0)
    table = {m: {kind: torch.randint(2, (5, 1 if "swapped" in kind else 2, 40), generator=draws).float()
                 for kind in KINDS} for m in ("IG", "saliency", "random map")}  # fmt: skip
    table["random map"]["retrained"] = torch.ones(5, 2, 40)
    table["IG"]["retrained"] = torch.zeros(5, 2, 40)
    return table


def test_losses_are_the_random_map_less_the_map_and_positive_where_the_map_hurts_more(found):
    stored = summary(found)
    assert stored["lost, less random"]["IG"].tolist() == [1, 1, 1]
    expected = 1 - found["saliency"]["retrained"].mean()
    assert stored["lost, less random"]["saliency"][1] == pytest.approx(expected.item())
    by_share = stored["lost, less random, by share"]["saliency"]
    assert by_share.shape == (2, 3) and by_share[:, 1].mean() == pytest.approx(expected.item())
    assert "random map" not in stored["lost, less random"]


def test_the_swap_compares_own_and_swapped_masks_at_the_same_share(found):
    stored, table = summary(found), found["saliency"]
    retrained, not_retrained = (
        table[kind][:, SHARES.index(0.3)].mean() - table[f"{kind}, swapped"][:, 0].mean()
        for kind in KINDS[:2]
    )
    assert stored["lost through the swap, retrained"]["saliency"][1] == pytest.approx(retrained.item())
    difference = stored["lost through the swap"]["saliency"][1].item()
    assert difference == pytest.approx((retrained - not_retrained).item(), abs=1e-6)


def test_accuracies_keep_seeds_and_shares(found):
    accuracy = summary(found)["accuracy"]
    assert accuracy["retrained"]["IG"].shape == (5, 2)
    assert accuracy["retrained, swapped"]["IG"].shape == (5, 1)


def test_a_training_depends_on_its_images_and_its_seed_alone():
    x, target, *_ = few_images(128, 1)
    asked = (x, 1), (x, 1), (1 - x, 1), (x, 2)
    nets = [retrained(images, target, seed=seed, epochs=1) for images, seed in asked]
    first, again, inverted, other = (net.layers[1].weight for net in nets)
    assert torch.equal(first, again) and not torch.equal(first, inverted) and not torch.equal(first, other)


def test_an_edge_map_goes_through_all_kinds(monkeypatch):
    """One epoch on 640 images, 60 asked: the shapes of all that is kept, and the swap of masks."""
    def quick(x, target, *, seed, epochs=1):
        return retrained(x, target, seed=seed, epochs=1)

    monkeypatch.setattr(retrainings, "data", lambda: few_images(640, 60))
    monkeypatch.setattr(retrainings, "retrained", quick)
    kept = of_map("edge filter", edge_filter, 100)
    assert set(kept) == {*KINDS, "retrained, predicted class", "masks alone"}
    assert kept["retrained"].shape == (2, 60) and kept["masks alone"].shape == (1, 60)
    *_, x, target, fill = few_images(640, 60)
    heat = pixel_map("edge filter", edge_filter(None, x, target))[another_class(target)]
    natural = load("fashion_natural_100")
    swapped = Explained(x, target, heat)
    expected = right_answers(lambda *_: natural, swapped, swapped, (0.3,), fill)
    assert torch.equal(kept["not retrained, swapped"], expected)
    assert torch.equal(kept["retrained"][:1], kept["retrained, predicted class"])  # it knows no class


def test_saliency_of_the_first_seed_is_answered_as_recorded():
    """The part of the record that needs no training."""
    *_, x, target, fill = data()
    natural = load("fashion_natural_100")
    test = Explained(x, target, pixel_map("saliency", saliency(natural, x, target)))
    live = right_answers(lambda *_: natural, test, test, SHARES, fill).mean(1)
    stored = recorded("retrainings").values["roar"]["accuracy"]["not retrained"]["saliency"][0]
    assert torch.allclose(stored, live.double(), atol=0.003)
