"""Class activation maps from gradients, and scores that contrast two classes (paper §3.3)."""
from torch import Tensor, nn
from torch.nn import functional as F

from tutorial_lib.attribution.gradients import guided_backprop
from tutorial_lib.models.check import find_layer
from tutorial_lib.scores import layer_gradient


def cam_weights(gradient: Tensor) -> Tensor:
    """α_k = mean over the positions of ∂S_c/∂A_k.  (N, K, h, w) -> (N, K, 1, 1)"""
    return gradient.mean((2, 3), keepdim=True)


def signed_cam(model: nn.Module, x: Tensor, target: Tensor, *, layer: str) -> Tensor:
    """Σ_k α_k A_k at the layer's own resolution, (N, 1, h, w): Grad-CAM before its ReLU."""
    activation, gradient = layer_gradient(model, x, target, layer=find_layer(model, layer))
    if activation.ndim != 4:
        raise ValueError(f"layer {layer!r} gives {tuple(activation.shape)}, not feature maps (N, K, h, w)")
    return (cam_weights(gradient) * activation).sum(1, keepdim=True)


def upsample(cam: Tensor, x: Tensor) -> Tensor:
    """Bilinear, to the height and width of `x`."""
    return F.interpolate(cam, x.shape[2:], mode="bilinear", align_corners=False)


def grad_cam(model: nn.Module, x: Tensor, target: Tensor, *, layer: str) -> Tensor:
    """Grad-CAM (paper §3.3; Selvaraju et al. 2017), ReLU on, bilinear; `layer` by its name.

    One map for all colours: it is spread evenly over the channels, so that their sum is the map.
    """
    cam = signed_cam(model, x, target, layer=layer).relu()
    return upsample(cam, x).expand_as(x) / x.shape[1]


def guided_grad_cam(model: nn.Module, x: Tensor, target: Tensor, *, layer: str) -> Tensor:
    """Guided backpropagation ⊙ Grad-CAM (paper §3.3; Selvaraju et al. 2017)."""
    cam = signed_cam(model, x, target, layer=layer).relu()
    return guided_backprop(model, x, target) * upsample(cam, x)


class Margin(nn.Module):
    """Scores z (N, K) -> z_P - z_Q for each class Q, P being the predicted class.

    After a model it asks "why P rather than Q?": `nn.Sequential(model, Margin())`, explained at target Q.
    """

    def forward(self, scores: Tensor) -> Tensor:
        return scores.amax(1, keepdim=True) - scores


class CrossEntropy(nn.Module):
    """Scores z (N, K) -> -log p_Q for each class Q as the label: the contrast of Prabhushankar et al.
    (2020). It is log Σ_c exp z_c - z_Q, a `Margin` with a soft maximum."""

    def forward(self, scores: Tensor) -> Tensor:
        return -scores.log_softmax(1)
