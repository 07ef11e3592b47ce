"""What chapter 16 records: costs, baselines, five metrics and their agreement, gradients against masks."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from scipy.stats import friedmanchisquare, spearmanr
from torch import Generator, Tensor, nn

from experiments import worlds
from experiments.measures import baselines, consensus, costs, five_metrics, preference, two_kinds
from experiments.measures.passes import MASKS, masking, passes
from experiments.measures.six_baselines import on_the_mask, own_question
from experiments.measures.starts import KINDS, NUMBER, expected_from, many, starts, with_baseline
from experiments.worlds import BLACK, GREY, LAYERS, nine_methods
from tutorial_lib.attribution.cam import grad_cam
from tutorial_lib.attribution.gradients import expected_gradients, gradient_x_input, seeded
from tutorial_lib.datasets import fashion_mnist, planted_shapes
from tutorial_lib.models.fashion import FashionCNN
from tutorial_lib.scores import input_gradient


def seed(number: int = 7) -> Generator:
    return Generator().manual_seed(number)


def built(make) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return make().eval().requires_grad_(False)


def linear(pixels: int = 784) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(pixels, 10))


@pytest.fixture(scope="module")
def clothes():
    """Twelve training images, which no claim is judged on."""
    data = fashion_mnist("train")
    return data.images[:12], data.targets[:12]


class Scalar(nn.Module):
    """One score, `function` of the images."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)[:, None]


class TestCosts:
    def test_a_pass_is_counted_each_way(self, clothes):
        model, (x, target) = built(FashionCNN), clothes
        methods = {**nine_methods("fashion"), **masking("fashion")}
        found = {name: passes(m, model, x[:2], target[:2]).tolist() for name, m in methods.items()}
        assert all(found[name] == [1, 1] for name in (*costs.FOUR, "epsilon-LRP"))
        assert found["IG"] == [64, 64] and found["SmoothGrad"] == [32, 32] and found["DeepLIFT"] == [2, 2]
        assert found["occlusion"] == [50, 0]  # 49 windows and the image
        assert found["RISE"] == found["LIME"] == [MASKS, 0]

    def test_a_second_pass_would_be_noticed(self, clothes):
        model, (x, target) = built(FashionCNN), clothes
        twice = partial(grad_cam, layer=LAYERS["fashion"])
        assert passes(lambda *a: twice(*a) + twice(*a), model, x[:3], target[:3]).tolist() == [2, 2]

    def test_steps_needed_are_those_of_a_kink_whose_place_is_known(self):
        """ReLU(x - c) from 0 to 1 rises over 1 - c; the midpoint rule counts the midpoints above c."""
        every = []
        for c in (0.5, 0.123, 0.777, 0.95):
            model = Scalar(lambda x, c=c: (x.flatten(1).sum(1) - c).relu()).eval()
            x = torch.ones(1, 1, 1, 1, dtype=torch.float64)
            found = costs.steps_needed(model, x, torch.zeros(1).long(), baseline=BLACK.double())
            gaps = np.array([abs(((np.arange(m) + 0.5) / m > c).mean() / (1 - c) - 1)
                             for m in costs.STEPS.tolist()])
            start = max(np.flatnonzero(gaps > costs.GAP), default=-1) + 1
            wanted = costs.STEPS[start].item() if start < len(gaps) else costs.MORE
            first = costs.STEPS[np.flatnonzero(gaps <= costs.GAP)[0]].item()
            assert (found["stays"].item(), found["first"].item()) == (wanted, first)
            every.append((first, wanted))
        assert any(first < stays for first, stays in every) and len(set(every)) == 4

    def test_a_linear_model_needs_the_fewest_steps_and_a_jump_all(self, clothes):
        x, target = clothes
        found = costs.steps_needed(built(linear), x, target, baseline=BLACK)
        assert (found["stays"] == costs.STEPS[0]).all()
        fine = torch.zeros(3, len(costs.STEPS), dtype=torch.bool)
        fine[1, 4], fine[2, 0] = True, True
        assert costs.first_of(fine).tolist() == [costs.MORE, costs.STEPS[4].item(), costs.STEPS[0].item()]
        assert {50, 100, 200} <= set(costs.STEPS.tolist()) and costs.STEPS[-1] < costs.MORE

    def test_copies_needed_are_those_of_the_known_variance(self):
        """The gradient of ½ Σ w x² is w x, and w (x + ε) on a copy: its variance is Σ w² σ². In faint images
        it is so large that the noise left in the mean of 256 copies would count, by a tenth."""
        w = torch.rand(1, 12, 12, generator=seed(0), dtype=torch.float64)
        model = Scalar(lambda x: (w * x.square()).flatten(1).sum(1) / 2).eval()
        x = torch.rand(62, 1, 12, 12, generator=seed(1), dtype=torch.float64)
        x[2:] *= 0.05
        found = costs.copies_needed(input_gradient, model, x, torch.zeros(62).long(), draws=seed())
        variance = (w**2).sum() * costs.SIGMA**2
        wanted = variance / (costs.ERROR**2 * (w * x).square().sum((1, 2, 3)))
        assert torch.allclose(found[:2], wanted[:2].ceil(), rtol=0.05) and (found > 5).all()
        assert (wanted / found)[2:].mean().item() == pytest.approx(1, abs=0.04)

    def test_so_many_copies_have_that_error(self, clothes):
        """Root mean square error of 40 SmoothGrads of n copies about the mean of all, on a ReLU network."""
        model, (x, target) = built(FashionCNN), (clothes[0][:2], clothes[1][:2])
        n = int(costs.copies_needed(input_gradient, model, x, target, draws=seed()).max())
        options = {"attribute": input_gradient, "sigma": costs.SIGMA, "samples": n, "generator": seed(1)}
        runs = torch.stack([costs.smoothgrad(model, x, target, **options) for _ in range(40)])
        error = runs.var(0).sum((1, 2, 3)).sqrt() / runs.mean(0).flatten(1).norm(dim=1)
        assert error.max().item() == pytest.approx(costs.ERROR, rel=0.15)

    def test_the_median_is_over_the_images_of_a_network(self):
        values = torch.tensor([[1.0, 5, 2], [10, 30, 20]])
        assert costs.median(values).tolist() == [2, 20]


class TestBaselines:
    def test_starts_are_images_or_one_for_all_and_the_noise_is_drawn_twice(self, clothes):
        x, grey = clothes[0], worlds.average("fashion")
        found = starts(x, grey)
        assert set(found) == {*KINDS, "uniform again"} and found["mean"].item() == grey.item()
        for start in found.values():
            assert start.expand_as(x).min() >= 0 and start.max() <= 1
        assert not torch.equal(found["uniform"], found["uniform again"])
        assert found["uniform"].mean().item() == pytest.approx(0.5, abs=0.02)
        inside = found["Gaussian"][(found["Gaussian"] > 0) & (found["Gaussian"] < 1)]
        assert inside.median().item() > grey.item() / 2
        assert found["blurred"].std() < x.std() and found["blurred"].shape == x.shape

    @pytest.mark.parametrize("kind", KINDS)
    def test_on_a_linear_model_expected_gradients_multiply_with_the_distance_from_the_mean_baseline(
        self, kind, clothes
    ):
        model, (x, target), grey = built(linear), (clothes[0][:3], clothes[1][:3]), GREY
        found = expected_from(kind, grey, brightest=BLACK + 1)(model, x, target)
        start = many(kind, x, grey).mean(0) if kind in ("uniform", "Gaussian") else starts(x, grey)[kind]
        assert torch.allclose(found, (x - start) * input_gradient(model, x, target), atol=1e-5)

    def test_two_hundred_draws_of_a_noise_are_the_librarys_expected_gradients(self, clothes):
        model, (x, target) = built(FashionCNN), clothes
        some = torch.rand(NUMBER, 1, 28, 28, generator=seed())
        theirs = seeded(expected_gradients, seed=7, baselines=some)(model, x, target)
        assert torch.equal(expected_from("uniform", GREY, brightest=BLACK + 1)(model, x, target), theirs)

    def test_the_brightest_colour_is_a_limit_for_all_three_methods(self):
        """At 0.25 white, grey and what was brighter become the same."""
        x, target = planted_shapes(2, generator=seed(0)).images, torch.zeros(2).long()
        model = built(lambda: nn.Sequential(*linear(3 * 64 * 64), nn.ReLU()))
        limit = torch.full((1, 3, 1, 1), 0.25)
        table = with_baseline(x, GREY, brightest=limit)
        maps = {name: method(model, x, target) for name, method in table.items()}
        assert len(maps) == 18
        for method in ("IG", "DeepLIFT", "expected gradients"):
            assert torch.allclose(maps[f"{method}, white"], maps[f"{method}, mean"], atol=1e-5)
            assert not torch.allclose(maps[f"{method}, white"], maps[f"{method}, black"], atol=1e-3)

    def test_on_a_linear_model_a_map_answers_the_question_of_its_own_baseline(self, clothes):
        """And not that of another; 1e-4 is rounding. (DeepLIFT refuses a model without activations.)"""
        model, (x, target) = built(linear), clothes
        begin = {kind: s.expand_as(x) for kind, s in starts(x, GREY).items() if kind in KINDS}
        table = {name: m for name, m in with_baseline(x, GREY).items() if name.startswith("IG")}
        maps = {name: method(model, x, target) for name, method in table.items()}
        assert all(v.max() < 1e-4 for v in own_question(model, x, target, maps, begin, seed()).values())
        wrong = {"IG, white": maps["IG, black"], "IG, black": maps["IG, white"]}
        left = own_question(model, x, target, wrong, {k: begin[k] for k in ("black", "white")}, seed())
        assert all(v.mean() > 0.05 for v in left.values())

    def test_on_the_mask_a_map_of_the_mask_is_right(self):
        data = planted_shapes(6, generator=seed(0))
        truth = data.masks[:, None].float().expand(-1, 3, -1, -1)
        found = on_the_mask({"truth": truth, "opposite": -truth}, data.masks)
        assert (found["narrow"]["truth"] == 1).all() and (found["narrow"]["opposite"] == 0).all()
        assert (found["wide"]["truth"] > 0.4).all() and (found["wide"]["truth"] < 1).all()

    def test_the_scale_ends_at_equal_maps_and_begins_at_those_of_other_images(self):
        draws = torch.randn(5, 40, 12, 12, generator=seed(0))
        names, where = ("black", *baselines.OTHERS), torch.ones(40, 12, 12, dtype=torch.bool)
        same, partner = dict.fromkeys(names, draws[0]), torch.arange(40).roll(-1)
        m, floor, ceiling = baselines.on_scale(same, same, where, partner)["mean"].unbind(1)
        assert torch.allclose(m, torch.ones(40).double()) and torch.equal(m, ceiling)
        theirs = spearmanr(draws[0, 3].abs().flatten(), draws[0, 4].abs().flatten())[0]
        assert floor[3].item() == pytest.approx(theirs)

    def test_the_ceiling_is_the_mean_of_both_baselines_between_two_networks(self):
        draws = torch.randn(3, 40, 12, 12, generator=seed(0))
        names, where = ("black", *baselines.OTHERS), torch.ones(40, 12, 12, dtype=torch.bool)
        own = dict.fromkeys(names, draws[0])
        twin = own | {"mean": draws[1]}  # black has not changed, the mean baseline's map is new
        ceiling = baselines.on_scale(own, twin, where, torch.arange(40).roll(-1))["mean"][:, 2]
        theirs = spearmanr(draws[0, 0].abs().flatten(), draws[1, 0].abs().flatten())[0]
        assert ceiling[0].item() == pytest.approx((1 + theirs) / 2)

    def test_a_scale_that_is_too_short_is_stored_without_ends(self):
        draws = torch.rand(5, 40, 3, generator=seed(0))
        fine = draws + torch.tensor([1.0, 0, 2])
        each = {"pixels": {"a": draws}, "whole image": {"a": fine}, "beside": {"c": {"a": draws[..., 0]}}}
        found = baselines.summary({"IG": each})["IG"]["e"]
        assert found["pixels"]["a"].isnan().tolist() == [True, False, True, False]
        lo, value, hi, n = found["whole image"]["a"].tolist()
        assert lo < value < hi and 0.3 < value < 0.7 and n == 200


class TestFiveMetrics:
    """On a linear model the truth is known: w (x - baseline)."""

    @pytest.fixture(scope="class")
    def grades(self, clothes):
        model, (x, target) = built(linear), clothes
        truth = gradient_x_input(model, x, target)
        noise = torch.randn(x.shape, generator=seed(70)) * truth.std()
        maps = {"truth": truth, "half": truth + noise, "noise": noise}
        maps["saliency"] = input_gradient(model, x, target)
        return five_metrics.graded("fashion", model, x, target, maps)

    @pytest.mark.parametrize("metric", ["LeRF", "ROAD", "infidelity", "Sensitivity-n"])
    def test_the_truth_is_graded_higher_than_noise(self, metric, grades):
        """And half of it is in between, where the metric's black is the truth's."""
        truth, half, noise = (grades[metric][name].mean() for name in ("truth", "half", "noise"))
        assert truth > noise and (truth > half > noise or metric in ("LeRF", "ROAD"))

    def test_the_truth_leaves_nothing_and_sums_to_the_drop(self, grades):
        """1e-4 is rounding in float32. A map in units of score per pixel is read as it is."""
        for name in ("truth", "saliency"):
            assert grades["infidelity, squares"][name].abs().max() < 1e-4
        assert (grades["Sensitivity-n"]["truth"] > 0.9999).all()
        assert grades["infidelity, squares"]["noise"].mean() < -0.5

    def test_grades_are_made_of_their_variants(self, grades):
        squares, noisy = (grades[f"infidelity, {kind}"]["half"] for kind in ("squares", "noisy baseline"))
        assert torch.allclose(grades["infidelity"]["half"], -(squares * noisy).sqrt())
        assert set(five_metrics.METRICS) < set(grades) and set(consensus.VARIANTS) < set(grades)

    def test_the_areas_are_those_of_the_removal_curves(self, clothes, grades):
        model, (x, target) = built(linear), clothes
        heat = {"truth": gradient_x_input(model, x, target).sum(1)}
        area = five_metrics.areas("fashion", model, x, target, heat, ["mean", "imputed"])
        assert torch.equal(-grades["MoRF"]["truth"], area["morf"]["mean"]["truth"])
        assert torch.equal(grades["LeRF"]["truth"], area["lerf"]["mean"]["truth"])
        both = (area["lerf"]["imputed"]["truth"] - area["morf"]["imputed"]["truth"]) / 2
        assert torch.equal(grades["ROAD"]["truth"], both)

    def test_the_first_batch_by_itself_has_the_grades_that_it_has_among_all(self, clothes, grades):
        model, (x, target), few = built(linear), clothes, slice(five_metrics.BATCH)
        maps, draws = {"truth": gradient_x_input(model, x, target)[few]}, seed()
        left = five_metrics.left_over("fashion", model, x[few], target[few], maps, draws)
        alike = five_metrics.correlations(model, x[few], target[few], maps, draws)
        again = {"infidelity, squares": -left["squares"]["truth"], "Sensitivity-n": alike["truth"]}
        for name, live in again.items():
            assert torch.allclose(grades[name]["truth"][few].to(live), live, atol=1e-6)


class TestConsensus:
    @staticmethod
    def grades(own: float, shared: float, *, seeds: int = 5, images: int = 30) -> Tensor:
        """Nine methods with a quality that all metrics see, one that each sees by itself, and noise."""
        quality = torch.arange(9.0)
        alone = torch.stack([quality[torch.randperm(9, generator=seed(k))] for k in range(5)])
        noise = torch.randn(seeds, images, 5, 9, generator=seed(9))
        return shared * quality + own * alone + noise

    def test_w_and_its_ceiling_are_scipys(self):
        values = self.grades(1, 0.5)
        w, ceiling = consensus.levels(values)
        grades = values.mean(1).numpy()
        for s in range(5):
            assert w[s].item() == pytest.approx(friedmanchisquare(*grades[s].T).statistic / (5 * 8))
            rho = np.mean([spearmanr(grades[s, m], grades[(s + 1) % 5, m])[0] for m in range(5)])
            assert ceiling[s].item() == pytest.approx((1 + 4 * rho) / 5)

    def test_e_is_one_where_metrics_agree_as_networks_do_and_zero_where_they_share_nothing(self):
        one, nothing = consensus.place(self.grades(0, 1)), consensus.place(self.grades(1, 0))
        assert one.value == pytest.approx(1, abs=0.02)
        assert abs(nothing.value) < 0.25 and nothing.level == 0.99
        assert nothing.value < consensus.place(self.grades(1, 1)).value < one.value

    def test_without_agreement_between_networks_the_scale_is_too_short(self):
        e = consensus.place(torch.randn(5, 30, 5, 9, generator=seed(3)))
        assert math.isinf(e.lo) and math.isinf(e.hi)

    def test_the_floor_is_one_over_the_number_of_metrics(self):
        mean, high = consensus.permuted(5, 9).tolist()
        assert mean == pytest.approx(0.2, abs=0.01) and 0.3 < high < 0.45

    def test_families_make_nine_and_one_is_left_out_at_a_time(self):
        assert sorted(consensus.NINE) == sorted(nine_methods("fashion"))
        values = self.grades(1, 1)
        names = (*five_metrics.METRICS, *consensus.VARIANTS)
        found = {m: {n: values[:, :, i % 5, j] for j, n in enumerate(consensus.NINE)}
                 for i, m in enumerate(names)}
        stored = consensus.summary(found)
        assert len(stored["e"]) == 1 + 5 + 3
        kept = [j for j, n in enumerate(consensus.NINE) if n not in consensus.FAMILIES["input-multiplied"]]
        e = consensus.place(values[..., kept])
        assert stored["e"]["without input-multiplied"][:3].tolist() == pytest.approx([e.lo, e.value, e.hi])
        places = torch.stack([torch.stack(list(row.values())) for row in stored["places"].values()])
        assert places.sum(1).eq(45).all()


class TestPreference:
    def test_the_same_masks_give_the_same_map_and_new_ones_another(self, clothes):
        model, (x, target) = built(FashionCNN), (clothes[0][:2], clothes[1][:2])
        kept, new = two_kinds.methods(), two_kinds.fresh()
        for name in ("RISE", "LIME"):
            first, second = (kept[name](model, x.clone(), target) for _ in range(2))
            assert torch.equal(first, second)
            draws = [new[f"{name}, fresh masks"](model, x, target) for _ in range(2)]
            assert torch.equal(draws[0], first) and not torch.allclose(draws[1], first)
        level = two_kinds.centred(kept["RISE"])(model, x, target).mean((1, 2, 3))
        assert level.abs().max() < 1e-5 * kept["RISE"](model, x, target).abs().max()

    def test_every_pair_is_measured(self):
        known = {*two_kinds.methods(), *two_kinds.fresh(), "RISE, centred"}
        assert {name for pair in (two_kinds.PAIRS | two_kinds.BESIDE).values() for name in pair} <= known
        assert list(two_kinds.PAIRS) == ["sal_occ", "ig_rise", "sg_lime", "cam_occ"]

    def test_ratios_and_gains_are_first_over_and_less_second(self):
        names = {name for pair in (two_kinds.PAIRS | two_kinds.BESIDE).values() for name in pair}
        steady = ("saliency", "IG", "SmoothGrad", "Grad-CAM")
        size = {name: torch.full((5, 20), 2.0 if name in steady else 8.0) for name in names}
        grade = {name: torch.rand(5, 20, generator=seed(0)) + (name == "saliency") for name in names}
        single = {name: torch.ones(5) for name in names}
        found = preference.summary({
            "relative": size, "absolute": size, "passes": single, "seconds": single,
            "grades": dict.fromkeys(five_metrics.METRICS, grade),
        })
        assert torch.allclose(found["log ratio"]["sal_occ"], torch.tensor(0.25).log(), atol=1e-4)
        lo, value, hi, n = found["gain"]["MoRF"]["sal_occ"].tolist()
        assert lo <= 1 <= hi and n == 100 and value == pytest.approx(1, abs=1e-6)
        assert found["gain"]["MoRF"]["cam_occ"][1].item() == pytest.approx(0, abs=1e-6)

    def test_time_and_passes_are_not_those_of_a_remembered_map(self, clothes):
        """Each call sees another object, and RISE asks 500 times as often as saliency."""
        model, (x, target) = built(FashionCNN), clothes
        mine = two_kinds.methods()
        mine["RISE"](model, x, target)
        assert passes(mine["RISE"], model, x, target).tolist() == [MASKS, 0]
        assert preference.seconds(mine["RISE"], model, x, target) > 5 * preference.seconds(
            mine["saliency"], model, x, target)
