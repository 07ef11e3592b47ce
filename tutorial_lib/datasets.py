"""The pictures of the book. Images are float tensors (N, 3, H, W) in [0, 1]."""
from dataclasses import dataclass

import numpy as np
import torch
import yaml
from PIL import Image
from torch import Tensor

from tutorial_lib.datafiles import data_file


@dataclass(frozen=True)
class Photographs:
    """Images (N, 3, 224, 224), ImageNet targets (N,), and for each image its title and credit."""

    images: Tensor
    targets: Tensor
    names: tuple[str, ...]
    titles: tuple[str, ...]
    credits: tuple[str, ...]

    def one(self, name: str) -> tuple[Tensor, Tensor]:
        """The photograph `name` as a batch of one, and its target."""
        if name not in self.names:
            raise ValueError(f"no photograph {name!r}; there are {', '.join(self.names)}")
        i = self.names.index(name)
        return self.images[i : i + 1], self.targets[i : i + 1]


def photographs() -> Photographs:
    """Six free photographs, 224 × 224, with the ImageNet class that each shows. They illustrate;
    they are no sample of anything (credits in `data/photographs/credits.yml`)."""
    entries = yaml.safe_load(data_file("photographs/credits.yml").read_text("utf8"))
    return Photographs(
        torch.stack([_read(entry["file"]) for entry in entries]),
        torch.tensor([entry["target"] for entry in entries]),
        tuple(entry["file"].removesuffix(".png") for entry in entries),
        tuple(entry["title"] for entry in entries),
        tuple(f"{entry['author']}, {entry['licence']}" for entry in entries),
    )


def _read(file: str) -> Tensor:
    pixels = np.asarray(Image.open(data_file(f"photographs/{file}")).convert("RGB"))
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1).float() / 255


@dataclass(frozen=True)
class Mosaic:
    """One image (1, 3, 448, 448) of four photographs; `quadrants` (4, 448, 448) are their masks,
    `targets` (4,) their ImageNet classes, in reading order."""

    image: Tensor
    quadrants: Tensor
    targets: Tensor
    names: tuple[str, ...]


def mosaic(names: tuple[str, str, str, str]) -> Mosaic:
    """Four photographs in a 2 × 2 square: for each class it is known where its object is."""
    photos = photographs()
    if len(names) != 4:
        raise ValueError(f"a mosaic has four photographs, not {len(names)}")
    tiles, targets = zip(*(photos.one(name) for name in names), strict=True)
    rows = torch.cat([torch.cat(tiles[:2], 3), torch.cat(tiles[2:], 3)], 2)
    side = tiles[0].shape[2]
    quadrants = torch.zeros(4, 2 * side, 2 * side, dtype=torch.bool)
    for i in range(4):
        top, left = side * (i // 2), side * (i % 2)
        quadrants[i, top : top + side, left : left + side] = True
    return Mosaic(rows, quadrants, torch.cat(targets), names)
