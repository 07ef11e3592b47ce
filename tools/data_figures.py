"""The pictures of book/data_and_models.md: python -m tools.data_figures"""

from pathlib import Path

import torch
from torch import Generator

from tutorial_lib.attribution.gradients import saliency
from tutorial_lib.attribution.pixels import max_over_colour
from tutorial_lib.datasets import blue_coded, fashion_mnist, photographs, planted_shapes, two_shapes
from tutorial_lib.models.zoo import load
from tutorial_lib.notebook import plots
from tutorial_lib.scores import logits

FIGURES = Path(__file__).parents[1] / "book" / "figures"


def seed(number: int) -> Generator:
    return Generator().manual_seed(number)


def saliency_grid(x, target, classes, names: dict[str, str]):
    """The first images of four classes that all networks classify rightly, with their saliency."""
    models = {title: load(name) for title, name in names.items()}
    right = torch.stack([logits(model, x).argmax(1) == target for model in models.values()]).all(0)
    first_of_class = {int(target[i]): int(i) for i in right.nonzero().flatten().flip(0)}
    index = sorted(first_of_class.values())[:4]
    maps = {t: max_over_colour(saliency(m, x[index], target[index])) for t, m in models.items()}
    return plots.attribution_grid(x[index], maps, rows=[classes[k] for k in target[index]])


def figures() -> dict[str, plots.MapFigure]:
    photos, test = photographs(), fashion_mnist("test")
    first = torch.cat([(test.targets == k).nonzero()[i] for i in (0, 1) for k in range(10)])
    plain, marked = (planted_shapes(1000, generator=seed(7), cue=cue) for cue in (None, 1.0))
    pairs = two_shapes(6, generator=seed(8))
    four = torch.cat([plain.images[:6], marked.images[:6], pairs.images, blue_coded(plain).images[:6]])
    names = [plain.classes[k] for k in plain.targets[:6]]
    titles = [*names, *names, *(" + ".join(plain.classes[k] for k in t) for t in pairs.targets), *names]
    fashion = {"natural": "fashion_natural_100", "robust, l∞": "fashion_linf_100"}
    fashion["robust, l2"] = "fashion_l2_100"
    shapes = {"natural": "shapes_natural_100", "robust, l2": "shapes_l2_100"}
    return {
        "photographs": plots.gallery(photos.images, photos.names, columns=6),
        "fashion": plots.gallery(test.images[first], [*test.classes, *[""] * 10], columns=10),
        "shapes": plots.gallery(four, titles, columns=6),
        "saliency_fashion": saliency_grid(test.images[1000:], test.targets[1000:], test.classes, fashion),
        "saliency_shapes": saliency_grid(plain.images, plain.targets, plain.classes, shapes),
    }


if __name__ == "__main__":
    FIGURES.mkdir(exist_ok=True)
    for name, figure in figures().items():
        (FIGURES / f"{name}.jpeg").write_bytes(plots.jpeg(figure))
