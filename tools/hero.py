"""Draw book/static/hero.jpg, the picture of the landing page and the README."""
from functools import partial
from pathlib import Path

import torch

from tutorial_lib.attribution.cam import grad_cam
from tutorial_lib.attribution.gradients import (
    guided_backprop,
    integrated_gradients,
    saliency,
    seeded,
    smoothgrad,
)
from tutorial_lib.attribution.pixels import max_over_colour, sum_over_colour
from tutorial_lib.datasets import photographs
from tutorial_lib.models.zoo import load
from tutorial_lib.notebook.plots import MapFigure, draw_image, draw_map

METHODS = {
    "saliency": (saliency, max_over_colour),
    "SmoothGrad": (seeded(smoothgrad, seed=0, attribute=saliency, sigma=0.1), max_over_colour),
    "guided backprop": (guided_backprop, sum_over_colour),
    "integrated gradients": (
        partial(integrated_gradients, baseline=torch.full((1, 3, 1, 1), 0.5)), sum_over_colour,
    ),
    "Grad-CAM": (partial(grad_cam, layer="head"), sum_over_colour),
}

if __name__ == "__main__":
    model, photos = load("efficientnet_lite0"), photographs()
    figure = MapFigure(figsize=(9.6, 3.5), layout="constrained")
    axes = figure.subplots(2, 1 + len(METHODS))
    for row, name in zip(axes, ("coffee", "chelsea"), strict=True):
        x, target = photos.one(name)
        draw_image(row[0], x[0])
        for ax, (title, (method, pixels)) in zip(row[1:], METHODS.items(), strict=True):
            draw_map(ax, pixels(method(model, x, target))[0])
            if name == "coffee":
                ax.set_title(title, fontsize=9)
    axes[0, 0].set_title("photograph", fontsize=9)
    path = Path(__file__).parents[1] / "book" / "static" / "hero.jpg"
    figure.savefig(path, dpi=120, pil_kwargs={"quality": 85})
