"""Grad-CAM before its ReLU, and the two scores that contrast a class with another."""

import captum.attr as ca
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tests.conftest import small_net
from tutorial_lib.attribution.cam import CrossEntropy, Margin, grad_cam, signed_cam, upsample
from tutorial_lib.attribution.captum_bridge import captum_grad_cam, largest_difference
from tutorial_lib.attribution.pixels import sum_over_colour
from tutorial_lib.scores import class_score, input_gradient, logits

every_layer = pytest.mark.parametrize("layer", ["0", "1", "3", "4"])  # "4" is the last before the average


def contrast(net: nn.Module, score: nn.Module) -> nn.Module:
    return nn.Sequential(net, score).eval()


def predicted(net: nn.Module, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The predicted class P of each image, and another class Q."""
    p = logits(net, x).argmax(1)
    return p, (p + torch.arange(1, len(p) + 1) % 4 + 1) % 5


def by_hand(net: nn.Sequential, x: torch.Tensor, layer: int, score) -> torch.Tensor:
    """Grad-CAM of any `score` (z -> one number), one image at a time, without the library."""
    maps = []
    for image in x[:, None]:
        A = net[: layer + 1](image).detach().requires_grad_()
        score(net[layer + 1 :](A)[0]).backward()
        maps.append(sum(A.grad[0, k].mean() * A.detach()[0, k] for k in range(A.shape[1])))
    return torch.stack(maps)[:, None]


@every_layer
def test_margin_is_the_difference_of_two_signed_maps(layer, net, batch):
    """α_k is linear in the score, so the contrast of the maps is the map of the contrast, at any layer."""
    x, _ = batch
    p, q = predicted(net, x)
    ours = signed_cam(contrast(net, Margin()), x, q, layer=f"0.{layer}")
    difference = signed_cam(net, x, p, layer=layer) - signed_cam(net, x, q, layer=layer)
    assert largest_difference(ours, difference) < 1e-12


@every_layer
def test_contrasts_agree_with_a_computation_by_hand(layer, net, batch):
    x, _ = batch
    p, q = predicted(net, x)
    for i in range(len(x)):
        one = slice(i, i + 1)
        scores = {
            Margin: lambda z, i=i: z[p[i]] - z[q[i]],
            CrossEntropy: lambda z, i=i: F.cross_entropy(z[None], q[i : i + 1]),
        }
        for wrapper, score in scores.items():
            ours = grad_cam(contrast(net, wrapper()), x[one], q[one], layer=f"0.{layer}")
            theirs = upsample(by_hand(net, x[one], int(layer), score).relu(), x[one])
            assert torch.allclose(sum_over_colour(ours), theirs[:, 0], rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("wrapper", [Margin, CrossEntropy])
def test_contrasts_agree_with_captum(wrapper, net, batch):
    x, _ = batch
    _, q = predicted(net, x)
    model = contrast(net, wrapper())
    ours, theirs = grad_cam(model, x, q, layer="0.4"), captum_grad_cam(model, x, q, layer="0.4")
    assert largest_difference(ours, theirs) < 1e-12
    gradient = ca.Saliency(model).attribute(x.clone().requires_grad_(), target=q, abs=False)
    assert largest_difference(input_gradient(model, x, q), gradient) < 1e-12


def test_margin_adds_up_to_the_lead_without_the_biases(net, batch):
    x, _ = batch
    p, q = predicted(net, x)
    places = signed_cam(contrast(net, Margin()), x, q, layer="0.4").sum((1, 2, 3))
    bias = net[7].bias
    lead = class_score(net, x, p) - class_score(net, x, q) - (bias[p] - bias[q])
    assert torch.allclose(places, lead)


def test_the_contrast_marks_what_speaks_for_p_and_its_negative_what_speaks_for_q():
    """Two features, one left and one right; class 0 reads the left one, class 1 the right one."""
    net = nn.Sequential(nn.Identity(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 2, bias=False))
    net[3].weight.data = torch.eye(2)
    x = torch.zeros(1, 2, 2, 4)
    x[:, 0, :, :2], x[:, 1, :, 2:] = 1.0, 0.5
    for wrapper in (Margin, CrossEntropy):
        places = signed_cam(contrast(net, wrapper()), x, torch.tensor([1]), layer="0.0")[0, 0]
        assert (places[:, :2] > 0).all() and (places[:, 2:] < 0).all()


def sure(net: nn.Sequential, factor: float) -> nn.Sequential:
    """The network with its logits multiplied, so that p_P moves to 1."""
    net[7].weight.data *= factor
    net[7].bias.data *= factor
    return net


def test_cross_entropy_becomes_the_margin_as_the_network_becomes_sure(batch):
    x, _ = batch
    cosines, shares = [], []
    for factor in (1, 1e2, 1e3, 1e4):
        net = sure(small_net(), factor)
        _, q = predicted(net, x)
        maps = [signed_cam(contrast(net, w()), x, q, layer="0.4").flatten(1) for w in (Margin, CrossEntropy)]
        cosines.append(F.cosine_similarity(*maps).min().item())
        shares.append(logits(net, x).softmax(1).amax(1).min().item())
    assert shares == sorted(shares) and shares[-1] > 1 - 1e-9
    assert cosines[0] < 0.99 and cosines[-1] > 1 - 1e-9


def test_with_two_classes_cross_entropy_is_p_times_the_margin(batch):
    """Σ_c p_c ∇(z_c - z_Q) has one term, so the maps are parallel however unsure the network is."""
    x, _ = batch
    net = nn.Sequential(small_net(), nn.Linear(5, 2).double()).eval().requires_grad_(False)
    p = logits(net, x).argmax(1)
    probability = logits(net, x).softmax(1).gather(1, p[:, None])
    margin, loss = (
        signed_cam(contrast(net, w()), x, 1 - p, layer="0.0.4").flatten(1) for w in (Margin, CrossEntropy)
    )
    assert largest_difference(loss, probability * margin) < 1e-12


def test_asked_why_p_rather_than_p_the_margin_is_zero_and_the_cross_entropy_fades(batch):
    x, _ = batch
    sizes = []
    for factor in (1, 1e3, 1e4):
        net = sure(small_net(), factor)
        p, _ = predicted(net, x)
        assert (signed_cam(contrast(net, Margin()), x, p, layer="0.4") == 0).all()
        loss = signed_cam(contrast(net, CrossEntropy()), x, p, layer="0.4")
        sizes.append((loss.abs().sum() / signed_cam(net, x, p, layer="4").abs().sum()).item())
    assert sizes[0] > 0 and sizes == sorted(sizes, reverse=True) and sizes[-1] < 1e-9


@every_layer
def test_grad_cam_is_the_positive_part_enlarged(layer, net, batch):
    x, target = batch
    places = signed_cam(net, x, target, layer=layer)
    assert (places < 0).any() and (places > 0).any()
    assert torch.equal(
        grad_cam(net, x, target, layer=layer), upsample(places.relu(), x).expand_as(x) / x.shape[1]
    )
