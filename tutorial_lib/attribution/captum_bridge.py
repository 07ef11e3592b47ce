"""Captum's implementation of a method in this book's shape, and the distance between two maps."""
import warnings

import torch
from captum.attr import LayerAttribution, LayerGradCam
from torch import Tensor, nn

from tutorial_lib.models.check import find_layer
from tutorial_lib.scores import Attribute


def from_captum(method: type, /, **options) -> Attribute:
    """A captum class as an `Attribute`; `options` go to its `attribute`, none is set for you."""
    def attribute(model: nn.Module, x: Tensor, target: Tensor) -> Tensor:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return method(model).attribute(x, target=target, **options).detach()

    return attribute


def captum_grad_cam(model: nn.Module, x: Tensor, target: Tensor, *, layer: str) -> Tensor:
    """Captum's Grad-CAM with the ReLU that it leaves out by default, up-sampled as ours."""
    method = LayerGradCam(model, find_layer(model, layer))
    coarse = method.attribute(x, target=target, relu_attributions=True)
    cam = LayerAttribution.interpolate(coarse, tuple(x.shape[2:]), "bilinear")
    return cam.detach().expand_as(x) / x.shape[1]


def largest_difference(ours: Tensor, theirs: Tensor) -> float:
    """max |ours - theirs| / max |theirs|, over all images and pixels."""
    if ours.shape != theirs.shape:
        raise ValueError(f"maps of shape {tuple(ours.shape)} and {tuple(theirs.shape)} do not compare")
    if not (torch.isfinite(ours).all() and torch.isfinite(theirs).all()):
        raise ValueError("a map holds NaN or infinite values")
    difference, scale = (ours - theirs).abs().max().item(), theirs.abs().max().item()
    return difference / scale if difference else 0.0
