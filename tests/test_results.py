"""Recorded results: the files, the runner that makes them, and what a chapter compares with them."""

import importlib
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from experiments.measures.activations import ACTIVATIONS, agreements, built
from experiments.measures.completeness import OTHER_RULES, midpoint, nodes, other_rule
from experiments.measures.stability import BATCH, DRAWS, RADIUS, fidelity
from experiments.runner import Quantity, joined, run
from experiments.worlds import BASELINES, NUMBERS, SAMPLES, nine_methods
from experiments.wrappers import blurred, remembered
from tutorial_lib.attribution.gradients import saliency
from tutorial_lib.datafiles import data_file
from tutorial_lib.datasets import fashion_mnist
from tutorial_lib.evaluation.stability import max_sensitivity
from tutorial_lib.models.zoo import load
from tutorial_lib.notebook.results import read_result, recorded, reproduces, write_result
from tutorial_lib.notebook.samples import trained

ROOT = Path(__file__).parents[1]
SCRIPTS = sorted((ROOT / "experiments").rglob("*.py"))
NAMES = [p.stem for p in SCRIPTS if p.parent.name == "experiments" and "command_line(" in p.read_text("utf8")]
NAMES.remove("runner")
VALUES = {
    "gap": {"10": torch.tensor([[0.123456789, float("nan")], [1.2345678e-9, -98765.4321]])},
    "accuracy": torch.tensor([0.9, 0.8], dtype=torch.float64),
}


@pytest.fixture
def file(tmp_path):
    write_result(tmp_path / "new" / "a.json", {"seeds": [100, 101]}, VALUES)
    return tmp_path / "new" / "a.json"


class TestFile:
    def test_round_trip_keeps_five_digits_and_the_excluded_image(self, file):
        settings, values = read_result(file)
        assert settings == {"seeds": [100, 101]} and values["accuracy"].tolist() == [0.9, 0.8]
        gap = values["gap"]["10"]
        assert gap.dtype == torch.float64
        assert gap[0, 0] == 0.12346 and gap[0, 1].isnan() and gap[1].tolist() == [1.2346e-9, -98765]
        assert "null" in file.read_text("utf8") and "NaN" not in file.read_text("utf8")

    def test_it_is_plain_json_with_settings_and_values_only(self, file):
        assert set(json.loads(file.read_text("utf8"))) == {"settings", "values"}

    def test_writing_what_was_read_changes_no_byte(self, file):
        before = file.read_bytes()
        write_result(file, *read_result(file))
        assert file.read_bytes() == before

    def test_an_infinite_number_is_refused_and_the_old_file_stays(self, file):
        before = file.read_bytes()
        with pytest.raises(ValueError):
            write_result(file, {}, {"gap": torch.tensor([1.0, math.inf])})
        assert file.read_bytes() == before and [p.name for p in file.parent.iterdir()] == ["a.json"]

    @pytest.mark.parametrize(
        "damage",
        [
            lambda text: text[: len(text) // 2],
            lambda text: "{}",
            lambda text: "[]",
            lambda text: text.replace("0.12346,", "", 1),  # a row that is shorter than the next
            lambda text: text.replace("0.12346", '"?"'),
        ],
        ids=["half", "empty", "list", "ragged", "word"],
    )
    def test_a_damaged_file_says_what_to_do(self, file, damage):
        file.write_text(damage(file.read_text("utf8")), "utf8")
        with pytest.raises(ValueError, match="git checkout data"):
            read_result(file)

    def test_a_missing_result_says_what_to_do(self):
        with pytest.raises(FileNotFoundError, match="git checkout data"):
            recorded("no_such_result")


class TestReproduces:
    stored = torch.tensor([0.5, 0.25, 0.001], dtype=torch.float64)

    def test_rounded_numbers_reproduce_themselves(self):
        live = torch.rand(5, 20, generator=torch.Generator().manual_seed(0))
        assert reproduces(torch.tensor(np.vectorize(lambda v: float(f"{v:.5g}"))(live.numpy())), live)

    def test_each_number_counts(self):
        for i in range(2):
            live = self.stored.clone()
            live[i] *= 1.002
            assert not reproduces(self.stored, live) and reproduces(self.stored, live, rel=3e-3)

    def test_a_number_near_zero_is_compared_at_the_median_size(self):
        assert reproduces(self.stored, self.stored + torch.tensor([0, 0, 0.0002]))
        assert not reproduces(self.stored, self.stored + torch.tensor([0, 0, 0.0003]))

    def test_exact_zeros_must_stay(self):
        assert reproduces(torch.zeros(3), torch.zeros(3))
        assert not reproduces(torch.zeros(3), torch.tensor([0, 1e-9, 0]))

    def test_excluded_images_must_be_the_same(self):
        stored = torch.tensor([math.nan, 1.0])
        assert reproduces(stored, stored.clone())
        for live in ([1.0, 1.0], [math.nan, math.nan], [1.0, math.nan], [math.nan, math.inf]):
            assert not reproduces(stored, torch.tensor(live))

    def test_other_shapes_do_not_compare(self):
        with pytest.raises(ValueError, match="do not compare"):
            reproduces(self.stored, self.stored[:2])


class Counted:
    """A quantity whose seeds are counted and can be interrupted."""

    def __init__(self):
        self.calls, self.stop_at = [], None

    def __call__(self, seed: int) -> dict:
        if seed == self.stop_at:
            raise KeyboardInterrupt
        self.calls.append(seed)
        return {"square": torch.tensor([seed, seed**2]) / 7, "one": torch.tensor(1.0)}


class TestRunner:
    @pytest.fixture
    def folders(self, tmp_path):
        return {"out": tmp_path / "out", "parts": tmp_path / "parts"}

    def test_an_interrupted_run_goes_on_with_the_next_seed(self, folders, tmp_path):
        measure = Counted()
        quantities = {"q": Quantity({"n": 2}, measure, seeds=(1, 2, 3, 4))}
        measure.stop_at = 3
        with pytest.raises(KeyboardInterrupt):
            run("r", quantities, **folders)
        assert measure.calls == [1, 2] and not (folders["out"] / "r.json").exists()
        measure.stop_at = None
        run("r", quantities, **folders)
        assert measure.calls == [1, 2, 3, 4]
        run("r", quantities, out=tmp_path / "straight", parts=tmp_path / "elsewhere")
        assert (folders["out"] / "r.json").read_bytes() == (tmp_path / "straight" / "r.json").read_bytes()
        settings, values = read_result(folders["out"] / "r.json")
        assert values["q"]["square"].shape == (4, 2) and values["q"]["one"].tolist() == [1] * 4
        assert settings["q"]["seeds"] == [1, 2, 3, 4] and "torch" in settings["q"]["versions"]

    def test_a_new_quantity_leaves_the_others_as_they_are(self, folders, tmp_path):
        old, new = Counted(), Counted()
        run("r", {"old": Quantity({"n": 2}, old, seeds=(1, 2))}, **folders)
        before = read_result(folders["out"] / "r.json")
        both = {"new": Quantity({"n": 3}, new, seeds=(5,)), "old": Quantity({"n": 2}, old, seeds=(1, 2))}
        run("r", both, out=folders["out"], parts=tmp_path / "cleaned")
        after = read_result(folders["out"] / "r.json")
        assert old.calls == [1, 2] and new.calls == [5] and list(after.values) == ["new", "old"]
        assert torch.equal(after.values["old"]["square"], before.values["old"]["square"])
        assert after.settings["old"] == before.settings["old"]

    def test_other_settings_are_measured_again_but_not_mixed_with_old_parts(self, folders, tmp_path):
        measure = Counted()
        run("r", {"q": Quantity({"n": 2}, measure, seeds=(1,))}, **folders)
        changed = {"q": Quantity({"n": 3}, measure, seeds=(1,))}
        with pytest.raises(ValueError, match="delete it and run again"):
            run("r", changed, **folders)
        run("r", changed, out=folders["out"], parts=tmp_path / "new")
        assert measure.calls == [1, 1]
        assert read_result(folders["out"] / "r.json").settings["q"]["n"] == 3

    def test_finish_sees_all_seeds(self, folders):
        def largest(values):
            return {"largest": values["square"].amax(1)}

        run("r", {"q": Quantity({}, Counted(), largest, seeds=(7, 14))}, **folders)
        values = read_result(folders["out"] / "r.json").values["q"]
        assert list(values) == ["largest"] and values["largest"].tolist() == [7, 28]

    def test_batches_are_joined_at_every_depth(self):
        found = joined([{"a": {"b": torch.ones(2)}}, {"a": {"b": torch.zeros(1)}}], torch.cat)
        assert found["a"]["b"].tolist() == [1, 1, 0]


class TestMeasures:
    @pytest.mark.parametrize("rule", OTHER_RULES)
    def test_quadrature_rules_are_exact_as_far_as_they_must(self, rule):
        """Constants: all; straight lines: trapezoid; polynomials of degree 2n - 1: Gauss-Legendre."""
        for n in (2, 5, 10):
            places, weights = (np.array(part) for part in nodes(rule, n))
            assert len(places) == n and weights.sum() == pytest.approx(1) and (places >= 0).all()
            degree = {"left": 0, "right": 0, "trapezoid": 1, "Gauss-Legendre": 2 * n - 1}[rule]
            assert weights @ places**degree == pytest.approx(1 / (degree + 1))
        assert places[-1] <= 1 and (places[-1] == 1) == (rule in ("right", "trapezoid"))

    def test_all_rules_find_the_same_integral_in_the_end(self):
        """A smooth network: with 300 gradients the gaps are small, and nearly 0 by Gauss-Legendre's."""
        test = fashion_mnist("test")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model = built("tanh").double().eval().requires_grad_(False)
        here = model, test.images[:4].double(), test.targets[:4]
        black = BASELINES["fashion"].double()
        gaps = {rule: other_rule(rule, *here, baseline=black)[:, -1] for rule in OTHER_RULES}
        assert gaps["Gauss-Legendre"].max() < 1e-9 and all(gap.max() < 0.05 for gap in gaps.values())

    def test_a_blur_keeps_an_even_map_and_spreads_a_point(self):
        x = torch.zeros(1, 1, 9, 9)
        even = blurred(lambda m, x, t: torch.ones_like(x), 2)(None, x, None)
        assert torch.allclose(even, torch.ones_like(x))
        x[0, 0, 4, 4] = 1
        spread = blurred(lambda m, x, t: x, 0.5)(None, x, None)[0, 0]
        assert spread.sum() == pytest.approx(1, abs=1e-3) and spread[4, 5] == spread[5, 4] > 0
        assert spread[4, 4] / spread[4, 5] == pytest.approx(math.exp(2))
        assert blurred(saliency, 0) is saliency

    def test_a_remembered_map_is_computed_once_for_the_same_objects(self):
        calls = []
        method = remembered(lambda m, x, t: calls.append(m) or x + 1)
        x, y = torch.zeros(2), torch.zeros(2)
        assert torch.equal(method("m", x, x), method("m", x, x)) and calls == ["m"]
        method("m", y, x)
        method("n", y, x)
        method("m", x, x)
        assert calls == ["m", "m", "n", "m"]

    def test_fidelity_keeps_the_sign(self):
        effects = torch.randn(3, 8, 8, generator=torch.Generator().manual_seed(0))
        assert torch.allclose(fidelity(effects, effects, 4), torch.ones(3).double())
        assert torch.allclose(fidelity(-effects, effects, 4), -torch.ones(3).double())
        assert fidelity(torch.ones(3, 8, 8), effects, 4).isnan().all()

    @pytest.mark.parametrize("activation", ACTIVATIONS)
    def test_another_activation_changes_nothing_else(self, activation):
        model, relu = built(activation), load("fashion_natural_100")
        kind = ACTIVATIONS[activation]
        assert sum(isinstance(m, kind) for m in model.modules()) == 4
        assert {k: v.shape for k, v in model.state_dict().items()} == {
            k: v.shape for k, v in relu.state_dict().items()
        }


class TestLiveSlice:
    """What a chapter does: the first images again, by library functions."""

    @pytest.mark.parametrize("world", ["fashion", "shapes"])
    def test_completeness(self, world):
        found = recorded("paths_and_samples").values[f"completeness {world}"]
        data = SAMPLES[world](trained(f"{world}_natural"), n=NUMBERS[world])
        images, targets, model = data.images[:3], data.targets[:3], load(f"{world}_natural_100")
        live = midpoint(model, images, targets, baseline=BASELINES[world])["10"]
        assert reproduces(found["midpoint"]["10"][0, :3], live)
        exact = midpoint(model.double(), images.double(), targets, baseline=BASELINES[world].double())
        for steps, gap in exact.items():
            assert reproduces(found["midpoint in float64"][steps][0, :3], gap)

    @pytest.mark.parametrize("world", ["fashion", "shapes"])
    def test_stability(self, world):
        found = recorded("class_and_stability").values[f"stability {world}"]["relative"]
        data = SAMPLES[world](trained(f"{world}_natural"), n=NUMBERS[world])
        cheap = {k: nine_methods(world)[k] for k in ("saliency", "guided backprop", "DeepLIFT", "Grad-CAM")}
        live = max_sensitivity(
            cheap, load(f"{world}_natural_100"), data.images[:BATCH], data.targets[:BATCH], radius=RADIUS,
            samples=DRAWS, generator=torch.Generator().manual_seed(7),
        )
        for name, each in live.items():
            assert reproduces(found[name][0, :BATCH], each.relative)

    def test_other_architectures(self):
        found = recorded("other_architectures").values["activations"]
        few, test = found["test image"][:5].long(), fashion_mnist("test")
        live = agreements(load("fashion_natural_100"), test.images[few], test.targets[few])["not black"]
        for name, each in live.items():
            assert reproduces(found["ReLU"]["not black"][name][0, :5], each)


class TestCommitted:
    def test_there_is_a_result_for_each_script_and_no_other(self):
        assert {p.stem for p in data_file("results").glob("*.json")} == set(NAMES)

    def test_all_results_together_are_small(self):
        assert sum(p.stat().st_size for p in data_file("results").iterdir()) <= 2_500_000

    @pytest.mark.parametrize("name", NAMES)
    def test_a_result_is_that_of_the_present_script(self, name, tmp_path):
        settings, values = recorded(name)
        quantities = importlib.import_module(f"experiments.{name}").quantities(tmp_path)
        assert list(settings) == list(values) == list(quantities)
        for key, quantity in quantities.items():
            assert {k: v for k, v in settings[key].items() if k != "versions"} == quantity.all_settings()
            assert {"python", "torch"} <= set(settings[key]["versions"])

    @pytest.mark.parametrize("path", SCRIPTS, ids=lambda p: p.stem)
    def test_scripts_are_short_and_say_what_they_do(self, path):
        text = path.read_text("utf8")
        assert len(text.splitlines()) < 120 and (text.startswith('"""') or not text)
