"""Alignment, distance to the boundary, spectra and manifolds: closed forms, and scipy, sklearn, foolbox."""

import foolbox
import numpy as np
import pytest
import torch
from torch import Generator, nn

from tests.conftest import small_net
from tutorial_lib.datasets import fashion_mnist
from tutorial_lib.evaluation.appearance import roughness
from tutorial_lib.models.zoo import load
from tutorial_lib.robustness import alignment as a
from tutorial_lib.robustness.attacks import NORMS, pgd, smallest_perturbation
from tutorial_lib.scores import input_gradient, logits


def seed(number: int) -> Generator:
    return Generator().manual_seed(number)


def noise(*shape: int, number: int = 0) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=seed(number))


@pytest.fixture
def linear():
    """Three classes of 1 × 6 × 6 pixels, off-centre weights and biases."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(36, 3)).double().eval()
    model[1].weight.data, model[1].bias.data = noise(3, 36, number=1) / 6, noise(3, number=2) / 100
    return model.requires_grad_(False)


@pytest.fixture
def two_classes():
    model = nn.Sequential(nn.Flatten(), nn.Linear(36, 2)).double().eval()
    model[1].weight.data, model[1].bias.data = noise(2, 36, number=3) / 6, torch.zeros(2).double()
    return model.requires_grad_(False)


def images(n: int) -> torch.Tensor:
    """Near grey, so that no smallest perturbation meets the borders of [0, 1]."""
    return 0.5 + 0.02 * noise(n, 1, 6, 6)


class TestAlignment:
    def test_for_a_line_through_zero_it_is_the_distance_to_the_boundary(self, two_classes):
        """f(x) = w · x with w = w_1 - w_0: the nearest point of w · y = 0 is |w · x| / |w| away."""
        x = images(20)
        target = two_classes(x).argmax(1)
        g = input_gradient(a.Margin(two_classes), x, target)
        w = two_classes[1].weight[1] - two_classes[1].weight[0]
        assert torch.allclose(a.alignment(x, g), (x.flatten(1) @ w).abs() / w.norm())

    def test_it_ignores_the_size_and_sign_of_the_gradient_and_the_cosine_that_of_the_image_too(self):
        x, g = noise(5, 3, 4, 4), noise(5, 3, 4, 4, number=1)
        assert torch.allclose(a.alignment(x, -7 * g), a.alignment(x, g))
        assert torch.allclose(a.alignment(3 * x, g), 3 * a.alignment(x, g))
        assert torch.allclose(a.cosine(3 * x, -g), a.cosine(x, g))
        assert torch.allclose(a.cosine(x, -2 * x), torch.ones(5).double())

    def test_the_cosine_is_pytorchs(self):
        x, g = noise(5, 3, 4, 4), noise(5, 3, 4, 4, number=1)
        theirs = torch.cosine_similarity(x.flatten(1), g.flatten(1)).abs()
        assert torch.allclose(a.cosine(x, g), theirs)

    def test_unlike_shapes_are_refused(self):
        with pytest.raises(ValueError, match="shape"):
            a.cosine(noise(2, 1, 4, 4), noise(2, 4, 4))

    def test_the_margin_is_the_lead_over_the_best_other_class(self, batch):
        net, (x, _) = small_net().double(), batch
        scores, margins = net(x), a.Margin(net)(x)
        for c in range(scores.shape[1]):
            others = [k for k in range(scores.shape[1]) if k != c]
            assert torch.allclose(margins[:, c], scores[:, c] - scores[:, others].amax(1))
        assert torch.equal((margins > 0).int().argmax(1), scores.argmax(1))

    def test_margin_over_gradient_is_the_distance_to_the_next_class_of_a_linear_model(self, linear):
        x, margin = images(10), a.Margin(linear)
        target = linear(x).argmax(1)
        next_best = linear(x).topk(2).indices[:, 1]
        w = linear[1].weight[target] - linear[1].weight[next_best]
        found = margin(x).gather(1, target[:, None])[:, 0]
        g = input_gradient(margin, x, target)
        assert torch.allclose(g.flatten(1), w)
        foot = x.flatten(1) - (found / w.square().sum(1))[:, None] * w
        both = linear[1](foot)
        assert torch.allclose(*(both.gather(1, c[:, None]) for c in (target, next_best)))


class TestSmallestPerturbation:
    @pytest.mark.parametrize("norm", NORMS)
    def test_it_is_the_exact_distance_of_a_linear_model(self, two_classes, norm):
        """|w · x| / |w|_2, or / |w|_1: from above, within 5 % in l2, where PGD's last step overshoots."""
        x = images(20)
        target = two_classes(x).argmax(1)
        w = two_classes[1].weight[1] - two_classes[1].weight[0]
        exact = (x.flatten(1) @ w).abs() / (w.norm() if norm == "l2" else w.abs().sum())
        found = smallest_perturbation(
            two_classes, x, target, norm=norm, largest=1.0 if norm == "l2" else 0.3, halvings=14,
            iterations=60, generator=seed(0),
        )
        assert (found >= exact - 1e-9).all() and (found <= 1.05 * exact + 1e-4).all()

    def test_it_is_no_larger_than_what_deepfool_and_ddn_find(self):
        test = fashion_mnist("test")
        x, target = test.images[:60], test.targets[:60]
        for name in ("fashion_natural_100", "fashion_l2_100"):
            model = load(name)
            right = logits(model, x).argmax(1) == target
            x_r, t_r = x[right], target[right]
            ours = smallest_perturbation(model, x_r, t_r, norm="l2", largest=8.0, generator=seed(0))
            oracle = foolbox.PyTorchModel(model, bounds=(0, 1), device="cpu")
            theirs = []
            for attack in (foolbox.attacks.L2DeepFoolAttack(), foolbox.attacks.DDNAttack(steps=60)):
                _, worst, fooled = attack(oracle, x_r, t_r, epsilons=None)
                size = (worst - x_r).flatten(1).norm(dim=1)
                theirs.append(torch.where(fooled, size, torch.inf))
            best = torch.stack(theirs).amin(0)
            assert (ours / best).median() < 1.1 and (ours / best).median() > 0.8

    def test_it_is_0_where_the_model_says_another_class_already(self, two_classes):
        x = images(8)
        wrong = 1 - two_classes(x).argmax(1)
        found = smallest_perturbation(two_classes, x, wrong, norm="l2", largest=1.0, generator=seed(0))
        assert (found == 0).all()

    def test_it_is_infinite_where_the_largest_ball_has_no_other_class(self, two_classes):
        two_classes[1].bias.data[0] = 100.0
        x, target = images(4), torch.zeros(4).long()
        found = smallest_perturbation(two_classes, x, target, norm="linf", largest=0.1, generator=seed(0))
        assert found.isinf().all()

    def test_a_change_of_that_size_fools_and_more_halvings_find_no_larger_one(self):
        test, model = fashion_mnist("test"), load("fashion_natural_100")
        x = test.images[:40]
        target = logits(model, x).argmax(1)
        few, many = (smallest_perturbation(model, x, target, norm="l2", largest=4.0, halvings=h,
                                           generator=seed(0)) for h in (3, 8))
        assert (many <= few).all() and many.median() < 0.8 * few.median()

    def test_pgd_takes_one_radius_for_each_image(self, two_classes):
        x = images(3)
        target = two_classes(x).argmax(1)
        radii = torch.tensor([0.01, 0.05, 0.1]).double()
        for norm, kind in NORMS.items():
            worst = pgd(two_classes, x, target, norm=norm, epsilon=radii, generator=seed(0))
            assert (kind.size(worst - x) <= radii + 1e-9).all() and kind.size(worst - x)[2] > 0.05
        with pytest.raises(ValueError, match="positive"):
            pgd(two_classes, x, target, norm="l2", epsilon=radii - 0.01, generator=seed(0))


class TestSpectrum:
    def test_amplitudes_are_scipys_and_their_squares_the_energy(self):
        heat = noise(4, 7, 10)
        assert np.allclose(a.amplitudes(heat).numpy(), np.abs(np.fft.fft2(heat.numpy())))
        energy = a.amplitudes(heat).square().sum((1, 2)) / 70
        assert torch.allclose(energy, heat.square().sum((1, 2)))

    def test_a_map_with_its_own_amplitudes_is_itself(self):
        heat = noise(3, 2, 8, 9)
        assert torch.allclose(a.with_amplitudes(heat, a.amplitudes(heat)), heat)

    def test_a_reshaped_map_has_the_wanted_amplitudes_and_its_own_phases(self):
        heat, other = noise(3, 8, 8), noise(3, 8, 8, number=1).cumsum(1)
        new = a.with_amplitudes(heat, a.amplitudes(other))
        assert torch.allclose(a.amplitudes(new), a.amplitudes(other))
        turn = torch.fft.fft2(new) * torch.fft.fft2(heat).conj()
        assert (turn.angle().abs() < 1e-6).all()

    def test_a_random_map_of_the_spectrum_has_it_and_nothing_else(self):
        heat = noise(200, 12, 12).cumsum(1).cumsum(2)
        new = a.random_of_spectrum(heat, generator=seed(1))
        assert torch.allclose(a.amplitudes(new), a.amplitudes(heat))
        mean = a.cosine((heat - heat.mean((1, 2), keepdim=True))[:, None],
                        (new - new.mean((1, 2), keepdim=True))[:, None]).mean()
        signed = torch.cosine_similarity(heat.flatten(1), new.flatten(1)).mean().abs()
        assert mean < 0.45 and signed < 0.15
        assert torch.equal(new, a.random_of_spectrum(heat, generator=seed(1)))

    def test_a_filtered_stack_has_the_ring_powers_of_the_other(self):
        heat, like = noise(20, 3, 16, 16), noise(9, 3, 16, 16, number=1).cumsum(2).cumsum(3)
        new = a.filtered_like(heat, like)
        assert torch.allclose(a.ring_power(new), a.ring_power(like))
        assert roughness(new[:, 0]).mean() < 0.7 * roughness(heat[:, 0]).mean()

    def test_the_filter_is_linear_the_same_for_all_maps_and_shifts_with_them(self):
        heat, like = noise(6, 8, 8), noise(6, 8, 8, number=1).cumsum(1)
        new = a.filtered_like(heat, like)
        assert torch.allclose(a.filtered_like(heat.roll(3, 1), like), new.roll(3, 1))
        assert torch.allclose(a.filtered_like(heat.flip(0), like), new.flip(0))
        assert torch.allclose(a.filtered_like(5 * heat, like), new)

    def test_filtering_like_oneself_changes_nothing_and_other_sides_are_refused(self):
        heat = noise(4, 8, 8)
        assert torch.allclose(a.filtered_like(heat, heat), heat)
        with pytest.raises(ValueError, match="pixels"):
            a.filtered_like(heat, noise(4, 9, 8))


class TestManifold:
    def test_principal_directions_are_singular_vectors(self):
        x = noise(60, 1, 4, 5) * torch.linspace(1, 3, 20).view(1, 1, 4, 5)
        ours = a.principal_directions(x, k=6)
        flat = x.flatten(1).numpy()
        theirs = np.linalg.svd(flat - flat.mean(0))[2][:6]
        both = ours.T.numpy() @ theirs.T
        assert np.allclose(np.abs(both), np.eye(6), atol=1e-8)
        v = noise(7, 1, 4, 5, number=2)
        off = v.flatten(1).numpy() - v.flatten(1).numpy() @ theirs.T @ theirs
        expected = np.linalg.norm(off, axis=1) / v.flatten(1).norm(dim=1).numpy()
        assert np.allclose(a.residual(v, ours).numpy(), expected)

    def test_the_residual_is_0_along_1_across_and_known_for_noise(self):
        directions = a.principal_directions(noise(50, 1, 5, 5), k=10)
        inside = (noise(4, 10) @ directions.T).view(4, 1, 5, 5)
        assert a.residual(inside, directions).max() < 1e-6
        v = noise(4, 25).view(4, 1, 5, 5)
        across = v - (v.flatten(1) @ directions @ directions.T).view_as(v)
        assert torch.allclose(a.residual(across, directions), torch.ones(4).double())
        many = a.residual(noise(4000, 1, 5, 5, number=5), directions).square().mean()
        assert many.item() == pytest.approx(1 - 10 / 25, abs=0.01)

    @pytest.mark.parametrize("k", [0, 25, 40])
    def test_impossible_numbers_of_directions_are_refused(self, k):
        with pytest.raises(ValueError, match="principal directions"):
            a.principal_directions(noise(25, 1, 8, 8), k=k)

    def test_the_tangents_of_a_linear_decoder_are_its_columns_space_at_every_code(self):
        decode = nn.Linear(3, 12).double()
        tangents = a.tangent_directions(decode, noise(5, 3))
        assert torch.allclose(tangents.mT @ tangents, torch.eye(3).double().expand(5, 3, 3))
        columns = decode.weight.detach().T.view(3, 1, 3, 4)
        for one in tangents:
            assert a.residual(columns, one).max() < 1e-6

    def test_the_tangents_of_a_bent_decoder_are_its_small_steps(self):
        decode = nn.Sequential(nn.Linear(2, 9), nn.Tanh(), nn.Linear(9, 16)).double()
        codes, step = noise(6, 2), 1e-6 * noise(6, 2, number=1)
        moved = (decode(codes + step) - decode(codes)).detach().view(6, 1, 4, 4)
        tangents = a.tangent_directions(decode, codes)
        assert a.residual(moved, tangents).max() < 1e-4
        assert a.residual(moved, tangents.roll(1, 0)).min() > 1e-3
