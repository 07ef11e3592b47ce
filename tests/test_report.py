"""`explain_report`: silent about clean models, and one planted fault after the other that it must name."""

import copy
import math
from functools import cache

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tutorial_lib.attribution.cam import grad_cam
from tutorial_lib.attribution.gradients import integrated_gradients, saliency, seeded, smoothgrad
from tutorial_lib.attribution.perturbation import occlusion
from tutorial_lib.datasets import fashion_mnist, planted_shapes
from tutorial_lib.evaluation import red_flags
from tutorial_lib.evaluation.fills import blurred
from tutorial_lib.evaluation.sanity import randomised
from tutorial_lib.models.check import last_feature_maps, used_again
from tutorial_lib.models.zoo import load
from tutorial_lib.notebook.findings import LINES, Finding, Report
from tutorial_lib.notebook.report import explain_report

X, TARGET = fashion_mnist("test").images[:2], fashion_mnist("test").targets[:2]
NET, ONE = load("fashion_natural_100"), nn.ReLU()


class Around(nn.Module):
    """The network in a function of it and the images."""

    def __init__(self, function):
        super().__init__()
        self.model, self.function = NET, function
        self.eval()

    def forward(self, x):
        return self.function(self.model, x)


class FunctionalReLU(nn.Module):
    def forward(self, z):
        return F.relu(z)


def with_relus(make):
    twin = copy.deepcopy(NET)
    for name in [name for name, m in twin.named_modules() if isinstance(m, nn.ReLU)]:
        twin.set_submodule(name, make())
    return twin.eval()


def randomised_from(layer):
    return randomised(NET, layer, generator=torch.Generator().manual_seed(0))


def dense(*first):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(*first, nn.Linear(784, 10), nn.ReLU(), nn.Linear(10, 10)).eval()


def third_class(strength):
    return strength * F.one_hot(torch.tensor(3), 10)


def with_mark(x):
    x = x.clone()
    x[:, :, :4, :4] = 1
    return x


def raises(_model, _x):
    raise TypeError("two arguments are missing")


def only_with_gradients(model, x):
    x = x if x.requires_grad else x.detach().requires_grad_()
    scores = model(x)
    return scores + torch.autograd.grad(scores.sum(), x, create_graph=True)[0].mean()


RUN = {  # the model, images, classes or None for the predicted ones, the checks that must warn, what is said
    "functional ReLU": (with_relus(FunctionalReLU), X, TARGET, {"obstacles"}, "an nn.ReLU module for each"),
    "in-place ReLU": (with_relus(lambda: nn.ReLU(inplace=True)), X, TARGET, {"obstacles"}, "inplace=False"),
    "reused ReLU": (with_relus(lambda: ONE), X, TARGET, {"reused"}, "a module of its own"),
    "soft-max": (nn.Sequential(NET, nn.Softmax(1)).eval(), X, TARGET, {"obstacles"}, "explain the logits"),
    "0 to 255": (NET, 255 * X, TARGET, {"obstacles"}, "normalisation is the model's first layer"),
    "dropout": (Around(lambda m, x: m(F.dropout(x, 0.1, training=True))), X, TARGET,
                {"randomness", "mixing"}, "dropout that stayed on"),
    "batch statistics": (Around(lambda m, x: m(x - x.mean((0, 2, 3), keepdim=True) + 0.3)), X, TARGET,
                         {"mixing"}, "the layer that computes means over the batch"),
    "random weights": (randomised_from(""), X, None, {"untrained look"}, "training left little trace"),
    "random last layer": (randomised_from("layers.9"), X, TARGET, {"other answer"}, "Check the weights"),
    "shifted classes": (NET, X, (TARGET + 1) % 10, {"other answer"}, "the order of the classes"),
    "flat scores": (Around(lambda m, x: m(x) / 100), X, TARGET, {"doubt"}, "There is little to explain"),
    "one class": (Around(lambda m, x: m(x) + third_class(100)), X, None, {"empty image"}, "balance of the"),
    "rounded input": (Around(lambda m, x: m((16 * x).round() / 16)), X, TARGET,
                      {"gap", "disagreement", "peak off"}, "Believe occlusion"),
    "detached branch": (Around(lambda m, x: 0.7 * m(x.detach()) + 0.3 * m(x)), X, TARGET, {"gap"},
                        "a detached branch"),
    "no gradient": (Around(lambda m, x: m(x.detach())), X, TARGET, {"randomness", "gap", "no map"},
                    "No map of IG: element 0 of tensors does not require grad"),
    "root at 0": (Around(lambda m, x: m(x.sqrt().square())), X, TARGET, {"mixing", "gap", "no map"},
                  "the map 'IG' holds NaN or infinite values"),
    "ripples": (Around(lambda m, x: m(x) + 0.1 * (500 * x).sin().sum((2, 3))), X, TARGET,
                {"disagreement", "peak off", "unsteady"}, "Do not show this map alone"),
    "a mark": (Around(lambda m, x: m(x) + third_class(400) * (x[:, :, :4, :4].mean((2, 3)) - 0.8)),
               with_mark(X), None, {"one window"}, "or a mark beside it"),
    "no feature maps": (dense(nn.Flatten()), X, None, {"doubt"}, "no Grad-CAM: no module of the model gives"),
}
STOPPED = {  # the same for what gives no score: `ready` warns, and nothing else is measured
    "training mode": (copy.deepcopy(NET).train(), X, TARGET, "call model.eval()"),
    "uint8": (NET, (255 * X).byte(), TARGET, "x.float() / 255"),
    "NaN": (NET, X / 0, TARGET, "torch.nan_to_num(x)"),
    "colour": (NET, X.expand(-1, 3, -1, -1), TARGET, "the model takes (N, 1, H, W)"),
    "class 10": (NET, X, TARGET + 10, "the model has classes 0 to 9"),
    "tuple": (Around(lambda m, x: (m(x), x)), X, TARGET, "must return one tensor of class scores (N, K)"),
    "TypeError": (Around(raises), X, TARGET, "the model raises TypeError: two arguments are missing"),
    "only with gradients": (Around(only_with_gradients), X, TARGET, "does not require grad"),
    "in-place input": (Around(lambda m, x: m(x.sub_(0.1))), X.clone(), TARGET, "a leaf Variable"),
    "features": (dense(), X.flatten(1), TARGET, "about images (N, C, H, W), not (2, 784)"),
    "no batch": (NET, X[0], TARGET, "x[None] makes a batch"),
    "numpy": (NET, X.numpy(), TARGET, "torch.as_tensor(...)"),
    "float classes": (NET, X, TARGET.float(), "dtype long"),
    "float64": (NET, X.double(), TARGET, "move one to the other"),
}
CASES = {"clean": (NET, X, TARGET), **RUN, **STOPPED}
every_report = pytest.mark.parametrize("name", CASES)


@cache
def report_of(name):
    model, x, target = CASES[name][:3]
    return explain_report(model, x, model(x).argmax(1) if target is None else target)


def text_of(report):
    return " ".join(str(report).split())


def about_the_model(report):
    return [f for f in report.findings if not f.of]


# What it finds


def test_clean_models_get_no_warning_about_the_model():
    shape = planted_shapes(1, generator=torch.Generator().manual_seed(0))
    shapes = explain_report(load("shapes_natural_100"), shape.images, shape.targets)
    for report in (report_of("clean"), shapes):
        assert len(about_the_model(report)) == 11 and len(report.maps) == 6
        assert [f.check for f in about_the_model(report) if f.warns] == []


@pytest.mark.parametrize("name", RUN)
def test_a_planted_fault_is_found_and_the_text_says_what_it_means(name):
    report, (*_, checks, words) = report_of(name), RUN[name]
    assert checks <= {f.check for f in report.findings if f.warns}
    assert words in text_of(report)


@pytest.mark.parametrize("name", STOPPED)
def test_what_gives_no_score_is_one_warning_with_a_remedy(name):
    report = report_of(name)
    assert report.warnings == ("obstacles",) and len(report.findings) == 1 and not report.maps
    assert report.findings[0].value == 1 and STOPPED[name][3] in text_of(report)


def test_every_check_has_a_fault_that_raises_it():
    assert set().union(*(checks for *_, checks, _ in RUN.values())) == set(LINES)


def test_all_obstacles_are_named_at_once():
    """Twice in place, beyond [0, 1], and a class too many."""
    report = explain_report(with_relus(lambda: nn.ReLU(inplace=True)), 2 * X, TARGET + 10)
    assert report.findings[0].value == 3
    for words in ("inplace=False", "images lie in [0, 1]", "classes 0 to 9"):
        assert words in text_of(report)


def test_a_value_on_the_line_is_no_warning_and_nan_is_one():
    for check, line in LINES.items():
        assert not Finding(check, line).warns and Finding(check, line + 1e-6).warns
        assert Finding(check, math.nan).warns


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (2, 3, 3, 5), (1, 2, 9, 1)], ids=str)
def test_tiny_images_have_a_report(shape):
    x = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    model = nn.Sequential(nn.Flatten(), nn.Linear(x[0].numel(), 3)).eval()
    report = explain_report(model, x, torch.zeros(len(x)).long())
    assert len(report.maps) >= 5 and str(report).endswith("checks warn.")


# What it measures


def test_the_maps_are_those_that_the_notes_name():
    maps, x = report_of("clean").maps, X
    options = {"size": 4, "stride": 4, "fill": x.mean((2, 3), keepdim=True)}
    black, smooth = torch.zeros(1, 1, 1, 1), seeded(smoothgrad, seed=0, attribute=saliency, sigma=0.15)
    expected = {
        "saliency": saliency(NET, x, TARGET), "SmoothGrad": smooth(NET, x, TARGET),
        "IG": integrated_gradients(NET, x, TARGET, baseline=black),
        "IG, blurred": integrated_gradients(NET, x, TARGET, baseline=blurred(x, sigma=3.5)),
        "occlusion": occlusion(NET, x, TARGET, **options),
        "Grad-CAM": grad_cam(NET, x, TARGET, layer="layers.6"),
    }
    assert list(maps) == list(expected)
    assert all(torch.equal(heat, expected[name][:, 0]) for name, heat in maps.items())
    for words in ("sigma 0.15", "4 × 4", "layer 'layers.6'", "rank correlation"):
        assert words in text_of(report_of("clean"))


@pytest.mark.parametrize("name", ["clean", "ripples"])
def test_peaks_are_compared_with_the_drops_of_occlusion(name):
    report = report_of(name)
    drops = F.avg_pool2d(report.maps["occlusion"], 4).flatten(1)
    found = {f.of: f.value for f in report.findings if f.check == "peak off"}
    assert found.keys() == report.maps.keys() - {"occlusion"}
    for of, value in found.items():
        assert value == pytest.approx(red_flags.overruled(report.maps[of], drops, size=4))


def test_one_image_has_the_maps_that_it_has_in_a_batch():
    """All but SmoothGrad, whose noise is drawn for the batch."""
    report, batch = explain_report(NET, X[:1], TARGET[:1]), report_of("clean")
    assert not any(math.isnan(f.value) for f in report.findings) and len(report.findings) == 22
    for name in batch.maps.keys() - {"SmoothGrad"}:
        assert torch.allclose(report.maps[name], batch.maps[name][:1], rtol=1e-3, atol=1e-4)


def test_it_costs_about_1300_passes_an_image():
    seen = []
    with NET.register_forward_hook(lambda _model, x, _scores: seen.append(len(x[0]))):
        explain_report(NET, X, TARGET)
    assert sum(seen) / len(X) == pytest.approx(1300, rel=0.1)


# What it leaves alone


def test_two_calls_give_the_same_report_and_another_seed_other_noise():
    """Of a model that draws random numbers itself, too."""
    model = RUN["dropout"][0]
    first, again = report_of("dropout"), explain_report(model, X, TARGET)
    other = explain_report(model, X, TARGET, seed=1)
    assert str(first) == str(again) and str(first) != str(other)
    assert all(torch.equal(first.maps[name], again.maps[name]) for name in first.maps)
    assert not torch.equal(first.maps["SmoothGrad"], other.maps["SmoothGrad"])


@pytest.mark.parametrize("name", ["dropout", "root at 0", "training mode", "TypeError", "in-place input"])
def test_random_state_model_and_images_are_left_alone(name):
    model, x, target = CASES[name][:3]
    model, images = copy.deepcopy(model).requires_grad_(), x.clone()
    weights, state = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    modes = [m.training for m in model.modules()]
    explain_report(model, x, target)
    assert torch.equal(torch.get_rng_state(), state) and torch.equal(x, images)
    assert all(torch.equal(value, weights[key]) for key, value in model.state_dict().items())
    assert [m.training for m in model.modules()] == modes
    assert not any(m._forward_hooks or m._forward_pre_hooks or m._backward_hooks for m in model.modules())
    assert all(p.requires_grad and p.grad is None for p in model.parameters())


def test_the_callers_gradient_mode_changes_nothing():
    with torch.no_grad():
        without = explain_report(NET, X, TARGET)
    recorded = explain_report(NET, X.clone().requires_grad_(), TARGET)
    assert str(without) == str(report_of("clean")) == str(recorded)
    assert not any(heat.requires_grad for heat in recorded.maps.values())


# The text


@every_report
def test_the_text_has_one_line_for_each_check_and_each_map(name):
    report, lines = report_of(name), str(report_of(name)).splitlines()
    for f in about_the_model(report):
        (line,) = (line for line in lines if line.startswith(f"{f.check:15}"))
        assert ("!" in line) == f.warns and f"{f.value:.2f}" in line and f"{f.line:g}" in line
    for of in report.maps:
        (line,) = (line for line in lines if line.startswith(f"{of:15}"))
        assert line.count("!") == sum(f.warns for f in report.findings if f.of == of)
    assert lines[-1] == f"{len(report.warnings)} of {len(report.findings)} checks warn."


@every_report
def test_each_kind_of_warning_is_explained_once_with_the_maps_it_is_about(name):
    report, text = report_of(name), str(report_of(name))
    kinds = {(f.check, math.isnan(f.value)) for f in report.findings if f.warns}
    assert sum(line.startswith("! ") for line in text.splitlines()) == len(kinds)
    for check, _ in kinds:
        assert f"\n! {check}" in text
    assert ".." not in text_of(report).replace("...", "")


@every_report
def test_no_line_is_wider_than_the_page(name):
    assert max(map(len, str(report_of(name)).splitlines())) <= 76


def test_warnings_name_the_check_and_its_map():
    found = (Finding("obstacles", 0), Finding("doubt", 0.51), Finding("peak off", 0.3, of="IG"),
             Finding("peak off", 0.1, of="saliency"),
             Finding("peak off", math.nan, of="Grad-CAM", details="No."))
    report = Report(found, {"IG": X[:, 0], "saliency": X[:, 0]}, ("a note",))
    assert report.warnings == ("doubt", "peak off, IG", "peak off, Grad-CAM")
    text = str(report)
    assert "! peak off (IG): Where" in text and "! peak off (Grad-CAM): No. This cannot" in text
    assert "\n· a note\n" in text and text.endswith("\n3 of 5 checks warn.")


# What it asks of the model's modules


def test_modules_that_run_twice_are_counted_once_each():
    relu, other = nn.ReLU(), nn.ReLU6()
    conv = nn.Conv2d(1, 1, 1)
    model = nn.Sequential(relu, conv, relu, other, conv, other, nn.ReLU(), relu, nn.Flatten()).eval()
    assert used_again(model, X) == 2 and used_again(NET, X) == 0


def test_the_last_feature_maps_are_those_of_a_layer_that_grad_cam_takes():
    """Not of a module that runs twice, nor of one position, and hooks are gone afterwards."""
    relu, names = nn.ReLU(), ("2", "layers.6")
    twice = nn.Sequential(nn.Conv2d(1, 2, 3), relu, nn.Conv2d(2, 2, 3), relu, nn.AdaptiveAvgPool2d(1),
                          nn.Flatten()).eval()
    for model, name in zip((twice, NET), names, strict=True):
        assert last_feature_maps(model, X) == name
        assert grad_cam(model, X, TARGET * 0, layer=name).shape == X.shape
        assert not any(m._forward_hooks for m in model.modules())
    with pytest.raises(ValueError, match="no module of the model gives feature maps"):
        last_feature_maps(dense(nn.Flatten()), X)
