"""One step and no gradient: FGSM and a decision-based attack, against closed forms, PGD and Foolbox."""

import foolbox
import pytest
import torch
from torch import Generator, nn

from tutorial_lib.datasets import fashion_mnist
from tutorial_lib.models.zoo import load
from tutorial_lib.notebook.samples import another_class
from tutorial_lib.robustness.attacks import NORMS, fgsm, hop_skip_jump, pgd, smallest_perturbation
from tutorial_lib.scores import logits

each_norm = pytest.mark.parametrize("norm", NORMS)


def seed(number: int) -> Generator:
    return Generator().manual_seed(number)


@pytest.fixture
def line():
    """Two classes on either side of a plane through grey, in float64."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 2)).double().eval().requires_grad_(False)
    w = torch.randn(16, dtype=torch.float64, generator=seed(1))
    model[1].weight.data = torch.stack([0 * w, w])
    model[1].bias.data = torch.stack([0 * w[0], -w.sum() / 2])
    return model


@pytest.fixture
def points():
    return 0.5 + 0.1 * (torch.rand(12, 1, 4, 4, dtype=torch.float64, generator=seed(2)) - 0.5)


@pytest.fixture(scope="module")
def garments():
    """Test images for tuning that both networks know, and for each one of another class."""
    data = fashion_mnist("test")
    x, target = data.images[:60], data.targets[:60]
    nets = [load(f"fashion_{kind}_100") for kind in ("natural", "l2")]
    right = torch.stack([logits(net, x).argmax(1) == target for net in nets]).all(0)
    x, target = x[right][:24], target[right][:24]
    return nets, x, target, x[another_class(target)]


@each_norm
def test_fgsm_is_foolbox_s(garments, norm):
    nets, x, target, _ = garments
    theirs = {"linf": foolbox.attacks.LinfFastGradientAttack, "l2": foolbox.attacks.L2FastGradientAttack}
    for net in nets:
        oracle = foolbox.PyTorchModel(net, bounds=(0, 1), device="cpu")
        _, worst, _ = theirs[norm](random_start=False)(oracle, x, target, epsilons=0.3)
        assert torch.allclose(fgsm(net, x, target, norm=norm, epsilon=0.3), worst, atol=1e-5)


@each_norm
def test_fgsm_is_the_optimum_of_a_linear_model(line, points, norm):
    worst = fgsm(line, points, torch.ones(12).long(), norm=norm, epsilon=0.1)
    w = line[1].weight[1]
    fall = ((points - worst).flatten(1) @ w)
    assert torch.allclose(fall, 0.1 * (w.abs().sum() if norm == "linf" else w.norm()), atol=1e-12)


@each_norm
def test_fgsm_takes_one_radius_for_each_image_and_stays_in_the_range(line, norm):
    x = torch.rand(3, 1, 4, 4, dtype=torch.float64, generator=seed(3))
    radii = torch.tensor([0.01, 0.1, 0.5]).double()
    worst = fgsm(line, x, torch.ones(3).long(), norm=norm, epsilon=radii)
    size = NORMS[norm].size(worst - x)
    assert (size <= radii + 1e-12).all() and size[2] > size[0] and 0 <= worst.min() <= worst.max() <= 1


@each_norm
def test_the_decision_based_attack_finds_the_distance_of_a_linear_model(line, points, norm):
    """|margin| / |w|_2, or / |w|_1, never less, and with many votes at most a twentieth more."""
    scores = line(points)
    target, w = scores.argmax(1), line[1].weight[1]
    start = (1 - target.double()).view(-1, 1, 1, 1) * (line[1].weight[1] > 0).double().view(1, 1, 4, 4)
    start = start + target.double().view(-1, 1, 1, 1) * (w < 0).double().view(1, 1, 4, 4)
    found = hop_skip_jump(line, points, target, start=start, norm=norm, iterations=25, samples=400,
                          generator=seed(0))
    exact = (scores[:, 1] - scores[:, 0]).abs() / (w.norm() if norm == "l2" else w.abs().sum())
    size = NORMS[norm].size(found - points)
    assert (size >= exact - 1e-9).all() and (size <= 1.05 * exact).all()


@each_norm
def test_it_ends_across_the_boundary_and_nearer_than_it_began(garments, norm):
    nets, x, target, start = garments
    for net in nets:
        found = hop_skip_jump(net, x, target, start=start, norm=norm, iterations=2, generator=seed(0))
        assert (logits(net, found).argmax(1) != target).all() and 0 <= found.min() <= found.max() <= 1
        assert (NORMS[norm].size(found - x) < NORMS[norm].size(start - x)).all()


@each_norm
def test_more_iterations_find_no_larger_change(garments, norm):
    nets, x, target, start = garments
    few, many = (
        hop_skip_jump(nets[1], x, target, start=start, norm=norm, iterations=n, generator=seed(0)) - x
        for n in (2, 8)
    )
    few, many = (NORMS[norm].size(change) for change in (few, many))
    assert (many <= few).all() and many.mean() < 0.95 * few.mean()


@each_norm
def test_it_asks_for_decisions_only(garments, norm):
    """A network whose scores are replaced by its decision, so that no gradient is left, is attacked alike."""
    nets, x, target, start = garments

    class Decision(nn.Module):
        def forward(self, y):
            return nn.functional.one_hot(nets[0](y).argmax(1), 10).float()

    sizes = [
        hop_skip_jump(net, x[:4], target[:4], start=start[:4], norm=norm, iterations=3, generator=seed(0))
        for net in (nets[0], Decision().eval())
    ]
    assert torch.equal(*sizes)


@each_norm
def test_it_finds_no_larger_changes_than_foolbox_s_attack_of_this_name(garments, norm):
    """Medians of two random searches of equal length: about the same in l∞, smaller ones in l2."""
    nets, x, target, start = garments
    for net in nets:
        oracle = foolbox.PyTorchModel(net, bounds=(0, 1), device="cpu")
        torch.manual_seed(0)
        attack = foolbox.attacks.HopSkipJumpAttack(
            steps=12, initial_gradient_eval_steps=40, max_gradient_eval_steps=40, constraint=norm,
            gamma=784 / 100,  # votes at a hundredth of the distance, as ours
        )
        worst = attack.run(oracle, x, foolbox.criteria.Misclassification(target), starting_points=start)
        theirs = NORMS[norm].size(worst - x).median()
        ours = hop_skip_jump(net, x, target, start=start, norm=norm, generator=seed(0))
        assert 0.4 < NORMS[norm].size(ours - x).median() / theirs < 1.1


def test_it_finds_no_less_than_the_attack_that_sees_gradients(garments):
    """So far from optimal it is on these networks: a check that PGD is not fooled by a flat loss."""
    nets, x, target, start = garments
    for net in nets:
        blind = hop_skip_jump(net, x, target, start=start, norm="l2", generator=seed(0))
        seeing = smallest_perturbation(net, x, target, norm="l2", largest=8.0, generator=seed(0))
        assert (NORMS["l2"].size(blind - x) > 0.95 * seeing).float().mean() > 0.9


def test_bad_arguments(line, points):
    target = torch.ones(12).long()
    for attack in (fgsm, pgd):
        more = {} if attack is fgsm else {"generator": seed(0)}
        for options, words in (
            ({"norm": "l1", "epsilon": 0.1}, "linf, l2"),
            ({"norm": "l2", "epsilon": 0.0}, "positive"),
        ):
            with pytest.raises(ValueError, match=words):
                attack(line, points, target, **options, **more)
        with pytest.raises(ValueError, match=r"\[0, 1\]"):
            attack(line, points + 1, target, norm="l2", epsilon=0.1, **more)
    with pytest.raises(ValueError, match="other classes"):
        hop_skip_jump(line, points, line(points).argmax(1), start=points, norm="l2", generator=seed(0))
