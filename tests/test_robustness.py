"""Attacks and training: PGD against foolbox and by hand, objectives against formulas, whole files only."""

import dataclasses
import json
import subprocess
import sys
from functools import partial
from itertools import pairwise

import foolbox
import pytest
import torch
from torch import Generator, nn
from torch.nn import functional as F

from tutorial_lib.datafiles import data_file, whole_or_nothing
from tutorial_lib.datasets import fashion_mnist
from tutorial_lib.evaluation.statistics import row_share, wilson
from tutorial_lib.models.zoo import cards, load, read_model
from tutorial_lib.robustness import training
from tutorial_lib.robustness.attacks import NORMS, pgd
from tutorial_lib.robustness.cards import CONFIRMATION, TUNING, right, shape_share
from tutorial_lib.robustness.training import RECIPES, adversarial, gradient_regularised, make, noisy
from tutorial_lib.scores import logits, loss_and_gradient


def seed(number: int) -> Generator:
    return Generator().manual_seed(number)


@pytest.fixture(scope="module")
def test_images():
    data = fashion_mnist("test")
    return data.images[:500], data.targets[:500]


def linear(weight: torch.Tensor) -> nn.Module:
    """Two scores: 0 and the weighted sum of the pixels."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(weight.numel(), 2, bias=False)).double().eval()
    model[1].weight.data = torch.stack([torch.zeros_like(weight.flatten()), weight.flatten()])
    return model


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("epsilon", [0.05, 0.5])
def test_the_budget_and_the_range_are_kept(norm, epsilon):
    x = torch.rand(6, 3, 8, 8, generator=seed(1))
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 4)).eval()
    worst = pgd(model, x, torch.tensor([0, 1, 2, 3, 0, 1]), norm=norm, epsilon=epsilon, generator=seed(0))
    change = (worst - x).flatten(1)
    length = change.abs().amax(1) if norm == "linf" else change.norm(dim=1)
    assert length.max() <= epsilon * (1 + 1e-5) and length.min() > 0
    assert worst.min() >= 0 and worst.max() <= 1


@pytest.mark.parametrize("norm", NORMS)
def test_a_linear_model_is_attacked_to_its_optimum(norm):
    """Away from the borders of [0, 1] the largest fall of a linear score is known: ε Σ|w|, or ε|w|. In the
    l2 ball steps of 2.5 ε in all turn a random start to the best direction but for a few hundredths."""
    weight = torch.randn(1, 4, 4, dtype=torch.float64, generator=seed(2))
    x = torch.full((3, 1, 4, 4), 0.5, dtype=torch.float64)
    worst = pgd(linear(weight), x, torch.ones(3, dtype=torch.long), norm=norm, epsilon=0.2, generator=seed(0))
    fall = -((worst - x) * weight).flatten(1).sum(1)
    best = 0.2 * (weight.abs().sum() if norm == "linf" else weight.norm())
    assert (fall <= best + 1e-12).all() and (fall >= (1 if norm == "linf" else 0.97) * best - 1e-9).all()


@pytest.mark.parametrize("norm", NORMS)
def test_start_points_fill_the_ball(norm):
    """In two dimensions the mean radius is known: 2/3 in the disc, and the corners of the square are hit."""
    start = NORMS[norm].start(torch.zeros(20_000, 1, 1, 2, dtype=torch.float64), seed(0)).flatten(1)
    if norm == "l2":
        assert start.norm(dim=1).max() <= 1 and start.norm(dim=1).mean().item() == pytest.approx(
            2 / 3, abs=0.01
        )
    else:
        assert start.abs().max() <= 1 and start.norm(dim=1).max() > 1.3
        assert start.abs().mean().item() == pytest.approx(0.5, abs=0.01)
    assert start.mean(0).abs().max() < 0.02


def test_projection_is_the_nearest_point_of_the_ball():
    d = torch.randn(50, 1, 3, 3, generator=seed(0))
    for norm, order in (("linf", torch.inf), ("l2", 2)):
        project = NORMS[norm].project
        assert torch.allclose(project(project(d, 0.3), 0.3), project(d, 0.3))
        small = 0.01 * d
        assert torch.equal(project(small, 0.3), small)
        inside = project(d, 0.3)
        assert inside.flatten(1).norm(order, 1).max() <= 0.3001
        others = NORMS[norm].start(d.repeat(20, 1, 1, 1), seed(1)) * 0.3
        distance = (d - inside).flatten(1).norm(dim=1).repeat(20)
        assert ((d.repeat(20, 1, 1, 1) - others).flatten(1).norm(dim=1) >= distance - 1e-6).all()


@pytest.mark.parametrize(
    ("norm", "epsilon", "theirs"),
    [
        ("linf", 0.1, partial(foolbox.attacks.LinfPGD, abs_stepsize=0.0125)),
        ("l2", 1.5, partial(foolbox.attacks.L2PGD, abs_stepsize=0.1875)),
    ],
)
@pytest.mark.parametrize("name", ["fashion_linf_100", "fashion_l2_100"])
def test_pgd_leaves_the_accuracy_that_foolbox_leaves(test_images, name, norm, epsilon, theirs):
    x, target = test_images
    model = load(name)
    ours = pgd(model, x, target, norm=norm, epsilon=epsilon, iterations=20, generator=seed(0))
    oracle = foolbox.PyTorchModel(model, bounds=(0, 1), device="cpu")
    torch.manual_seed(0)
    _, worst, _ = theirs(steps=20)(oracle, x, target, epsilons=epsilon)
    found = (logits(model, ours).argmax(1) == target).float().mean().item()
    expected = (logits(model, worst).argmax(1) == target).float().mean().item()
    assert found == pytest.approx(expected, abs=0.02)
    assert found < (logits(model, x).argmax(1) == target).float().mean() - 0.03


def test_more_iterations_do_not_leave_more(test_images):
    x, target = test_images[0][:200], test_images[1][:200]
    model = load("fashion_linf_100")
    left = [
        (
            logits(
                model, pgd(model, x, target, norm="linf", epsilon=0.1, iterations=n, generator=seed(0))
            ).argmax(1)
            == target
        )
        .float()
        .mean()
        for n in (1, 5, 20, 50)
    ]
    assert all(a >= b - 0.01 for a, b in pairwise(left))


def test_bad_options_of_an_attack(net, batch):
    for options, words in (
        ({"norm": "l1", "epsilon": 0.1}, "linf, l2"),
        ({"norm": "l2", "epsilon": 0.0}, "positive"),
        ({"norm": "l2", "epsilon": 0.1, "iterations": 0}, "positive"),
    ):
        with pytest.raises(ValueError, match=words):
            pgd(net, *batch, generator=seed(0), **options)
    x, target = batch
    for bad in (x + 1, x - 1, x / 0):
        with pytest.raises(ValueError, match=r"\[0, 1\]"):
            pgd(net, bad, target, norm="l2", epsilon=0.1, generator=seed(0))


def test_loss_and_gradient_is_finite_differences(net, batch):
    x, target = batch
    _, gradient = loss_and_gradient(net, x, target)
    step = 1e-6 * torch.randn(x.shape, dtype=x.dtype, generator=seed(3))
    rise = F.cross_entropy(net(x + step), target, reduction="none") - F.cross_entropy(
        net(x - step), target, reduction="none"
    )
    assert torch.allclose(rise, 2 * (gradient * step).flatten(1).sum(1), atol=1e-10)


def test_an_attack_leaves_the_model_alone(net, batch):
    net.requires_grad_(True)
    pgd(net, *batch, norm="l2", epsilon=0.1, generator=seed(0))
    assert all(p.grad is None for p in net.parameters())


def test_gradient_penalty_of_a_linear_model():
    """For scores (0, w·x) the gradient of the loss of class 1 is -(1 - p) w."""
    weight = torch.randn(1, 4, 4, dtype=torch.float64, generator=seed(4))
    model, x = linear(weight), torch.rand(5, 1, 4, 4, dtype=torch.float64, generator=seed(5))
    target = torch.ones(5, dtype=torch.long)
    p = model(x).softmax(1)[:, 1]
    expected = -p.log().mean() + 0.1 * ((1 - p) ** 2 * weight.square().sum()).mean()
    found = gradient_regularised(model, x, target, seed(0), weight=0.1)
    assert torch.allclose(found, expected)
    found.backward()
    assert model[1].weight.grad.abs().sum() > 0


def test_adversarial_loss_is_the_largest_of_the_ball():
    weight = torch.randn(1, 4, 4, dtype=torch.float64, generator=seed(4))
    model, x = linear(weight), torch.full((2, 1, 4, 4), 0.5, dtype=torch.float64)
    found = adversarial(
        model, x, torch.ones(2, dtype=torch.long), seed(0), norm="linf", epsilon=0.1, iterations=7
    )
    worst = model(x)[:, 1] - 0.1 * weight.abs().sum()
    assert torch.allclose(found, F.softplus(-worst).mean(), atol=1e-6)


def test_noise_augmentation_scatters_by_sigma():
    seen = []

    class Spy(nn.Module):
        def forward(self, x):
            seen.append(x)
            return x.mean((2, 3)).repeat(1, 2)

    x = torch.full((8, 1, 50, 50), 0.5)
    noisy(Spy(), x, torch.zeros(8, dtype=torch.long), seed(0), sigma=0.1)
    assert (seen[0] - x).std().item() == pytest.approx(0.1, rel=0.03)


def test_permuted_labels_keep_the_classes_balanced():
    _, target = training.permuted_fashion(None, None)
    assert target.bincount().tolist() == [1000] * 10


def test_flips_mirror_about_half_of_the_images():
    x = torch.rand(400, 1, 4, 4, generator=seed(0))
    out = training.flipped(x, seed(1))
    mirrored = (out == x.flip(3)).flatten(1).all(1)
    assert ((out == x).flatten(1).all(1) | mirrored).all() and 150 < mirrored.sum() < 250


@pytest.fixture
def quick(monkeypatch):
    """The natural Fashion-MNIST recipe on 640 images for one epoch, its card measured on 50 images."""

    def few(folder, cue):
        data = fashion_mnist("train")
        return data.images[:640], data.targets[:640]

    def briefly(model, part):
        test = fashion_mnist("test")
        return {"clean": right(model, test.images[part.fashion][:50], test.targets[part.fashion][:50])}

    recipe = dataclasses.replace(RECIPES["fashion_natural"], data=few, epochs=1)
    monkeypatch.setitem(RECIPES, "fashion_natural", recipe)
    monkeypatch.setattr("tutorial_lib.robustness.cards.fashion_numbers", briefly)


def test_training_writes_weights_and_a_card_and_is_reproducible(quick, tmp_path):
    for folder in ("one", "two"):
        make("fashion_natural", seed=3, out=tmp_path / folder)
    make("fashion_natural", seed=4, out=tmp_path / "one")
    found, other = cards(tmp_path / "one"), cards(tmp_path / "two")
    assert found["fashion_natural_3"]["SHA-256"] == other["fashion_natural_3"]["SHA-256"]
    assert found["fashion_natural_3"]["SHA-256"] != found["fashion_natural_4"]["SHA-256"]
    assert read_model(tmp_path / "one", "fashion_natural_3")
    assert {f.suffix for f in (tmp_path / "one").iterdir()} == {".pt", ".json"}


def test_a_second_call_trains_nothing(quick, tmp_path, monkeypatch):
    make("fashion_natural", seed=3, out=tmp_path)
    monkeypatch.setattr(training, "train", None)
    make("fashion_natural", seed=3, out=tmp_path)


def test_an_interruption_leaves_nothing_half_written(quick, tmp_path, monkeypatch):
    def interrupted(_state, file):
        file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        make("fashion_natural", seed=3, out=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_old_file_survives_a_failure(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(OSError, match="disk full"), whole_or_nothing(path) as temporary:
        temporary.write_text("half")
        raise OSError("disk full")
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_a_recipe_that_starts_from_another_trains_that_one_first(quick, tmp_path, monkeypatch):
    recipe = dataclasses.replace(RECIPES["fashion_natural"], start="fashion_natural")
    monkeypatch.setitem(RECIPES, "fashion_noise", recipe)
    make("fashion_natural", seed=3, out=tmp_path)
    started, x = [], fashion_mnist("test").images[:5]

    def seen(recipe, model, **_):
        started.append(logits(model.eval(), x))
        return model

    monkeypatch.setattr(training, "train", seen)
    make("fashion_noise", seed=3, out=tmp_path)
    assert torch.equal(started[0], logits(read_model(tmp_path, "fashion_natural_3"), x))
    assert {f.stem for f in tmp_path.glob("*.json")} == {"fashion_natural_3", "fashion_noise_3"}


def test_files_that_do_not_belong_together_are_said_so(quick, tmp_path):
    make("fashion_natural", seed=3, out=tmp_path)
    weights = tmp_path / "fashion_natural_3.pt"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(ValueError, match=str(weights)):
        make("fashion_natural", seed=3, out=tmp_path)
    weights.unlink()
    make("fashion_natural", seed=3, out=tmp_path)
    assert weights.exists()


def test_seeds_for_choosing_recipes_never_see_the_confirmation_images(quick, tmp_path):
    make("fashion_natural", seed=3, out=tmp_path)
    assert cards(tmp_path)["fashion_natural_3"]["part"] == "tuning"
    tuning, kept = TUNING, CONFIRMATION
    assert tuning.fashion.stop <= kept.fashion.start and {tuning.shapes, tuning.crossed} == {0}
    assert 0 not in (kept.shapes, kept.crossed)


def test_weights_that_are_not_finite_are_not_written(quick, tmp_path, monkeypatch):
    def diverged(recipe, model, **_):
        next(model.parameters()).data.fill_(float("nan"))
        return model

    monkeypatch.setattr(training, "train", diverged)
    with pytest.raises(ValueError, match="not finite"):
        make("fashion_natural", seed=3, out=tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_interruption_between_weights_and_card_is_made_good(quick, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(json, "dumps", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            make("fashion_natural", seed=3, out=tmp_path)
    assert not list(tmp_path.glob("*.json")) and not list(tmp_path.glob(".*"))
    make("fashion_natural", seed=3, out=tmp_path)
    assert read_model(tmp_path, "fashion_natural_3")


def test_errors_of_the_command(tmp_path):
    def run(*arguments):
        command = [sys.executable, "-m", "tutorial_lib.robustness.training", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode != 0 and "Traceback" not in done.stderr
        return done.stderr

    assert "fashion_natural" in run("fashion_naturl", "--out", str(tmp_path))
    assert "--full" in run("fashion_full", "--out", str(tmp_path))
    assert "four files" in run("fashion_full", "--out", str(tmp_path), "--full", str(tmp_path))
    part = str(data_file("fashion_mnist"))
    assert "not all 60,000" in run("fashion_full", "--out", str(tmp_path), "--full", part)
    assert "device" in run("fashion_natural", "--out", str(tmp_path), "--device", "nothing")
    assert list(tmp_path.iterdir()) == []


def test_every_recipe_names_what_exists():
    for recipe in RECIPES.values():
        assert (
            recipe.architecture in training.ARCHITECTURES and (recipe.start or "fashion_natural") in RECIPES
        )


def test_wilson_is_the_formula():
    """Wilson (1927), written out for 90 of 100 and z = 1.959964."""
    z, p, n = 1.959964, 0.9, 100
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * (p * (1 - p) / n + z * z / (4 * n * n)) ** 0.5
    found = wilson(90, n=100)
    assert (found.lo, found.hi) == pytest.approx((middle - half, middle + half), abs=1e-6)
    assert wilson(0, n=10).lo == 0 and wilson(10, n=10).hi == 1
    with pytest.raises(ValueError, match="no share"):
        wilson(11, n=10)


def test_row_share():
    rows = torch.arange(4.0)[:, None].expand(4, 3)
    assert row_share(rows) == pytest.approx(1) and row_share(rows.T) == pytest.approx(0)
    both = torch.tensor([[0.0, 1.0], [1.0, 2.0]])
    assert row_share(both) == pytest.approx(0.5)
    with pytest.raises(ValueError, match="no variance"):
        row_share(torch.ones(3, 3))


def test_row_share_is_unbiased():
    """Rows, columns and interaction of variances 1, 2 and 3: a share of 1/6; pure noise: about 0."""
    draw = partial(torch.randn, generator=seed(0), dtype=torch.float64)
    tables = [draw(40, 1) + 2**0.5 * draw(1, 40) + 3**0.5 * draw(40, 40) for _ in range(200)]
    assert sum(map(row_share, tables)) / 200 == pytest.approx(1 / 6, abs=0.01)
    assert sum(row_share(draw(100, 10)) for _ in range(50)) / 50 < 0.02


def test_the_shape_share_tells_natural_from_shortcut_models():
    natural = shape_share(load("shapes_natural_100"), TUNING, cue=False)
    assert natural > 0.4 > 0.1 > shape_share(load("shapes_shortcut_100"), TUNING, cue=True)


def test_zoo_cards_have_the_command_that_made_them():
    for name, card in cards().items():
        recipe, number = name.rsplit("_", 1)
        assert f" {recipe} --seed {number} " in card["command"] and json.dumps(card)
