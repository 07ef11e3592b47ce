"""The pictures of the book's three worlds. Images are float tensors (N, C, H, W) in [0, 1]."""
import gzip
import struct
import zlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import yaml
from PIL import Image
from torch import Tensor

from tutorial_lib.datafiles import data_file
from tutorial_lib.drawing import MARK, SHAPES, SIDE, Scene, another, paint_mark, scene, twin_scenes


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
    """Four photographs in a 2 × 2 square: for each class it is known where its object is; `ValueError`
    for another number or an unknown name."""
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


@dataclass(frozen=True)
class FashionMnist:
    """Grey images (N, 1, 28, 28), targets (N,), and the names of the ten classes."""

    images: Tensor
    targets: Tensor
    classes: tuple[str, ...] = (
        "T-shirt/top", "trouser", "pullover", "dress", "coat",
        "sandal", "shirt", "sneaker", "bag", "ankle boot",
    )


_SPLITS = {"train": "train", "test": "t10k"}


def fashion_mnist(split: str, *, folder: Path | None = None) -> FashionMnist:
    """Fashion-MNIST (Xiao, Rasul & Vollgraf 2017), `split` "train" or "test".

    The book's own part of it: 10,000 training and 2,000 test images, 1,000 and 200 of each class; the
    first 1,000 test images and the last 1,000 hold 100 of each. With `folder`, the data set in the
    four original files there (packed or not; torchvision keeps them in ROOT/FashionMNIST/raw).
    `ValueError` for another split or damaged files, `FileNotFoundError` for missing ones.
    """
    if split not in _SPLITS:
        raise ValueError(f"no split {split!r}; there are 'train' and 'test'")
    folder = data_file("fashion_mnist") if folder is None else Path(folder)
    images = _read_idx(folder, f"{_SPLITS[split]}-images-idx3-ubyte")
    labels = _read_idx(folder, f"{_SPLITS[split]}-labels-idx1-ubyte")
    if images.shape != (len(labels), 28, 28) or labels.ndim != 1 or labels.max() > 9:
        raise ValueError(
            f"{folder} holds images {tuple(images.shape)} and labels {tuple(labels.shape)}; "
            "(N, 28, 28) and (N,) with classes 0 to 9 are expected: copy the files again"
        )
    return FashionMnist(images[:, None].float() / 255, labels.long())


def _read_idx(folder: Path, name: str) -> Tensor:
    """The bytes of an IDX file: a big-endian header with the shape, then the values."""
    path = next((p for p in (folder / name, folder / f"{name}.gz") if p.exists()), None)
    if path is None:
        raise FileNotFoundError(
            f"{folder} has neither {name} nor {name}.gz; the folder must hold the four files of Fashion-MNIST"
        )
    raw = path.read_bytes()
    try:
        raw = gzip.decompress(raw) if path.suffix == ".gz" else raw
        if raw[:3] != b"\0\0\x08":
            raise ValueError("the header is not that of bytes in IDX format")
        shape = struct.unpack_from(f">{raw[3]}I", raw, 4)
        return torch.frombuffer(bytearray(raw), dtype=torch.uint8, offset=4 + 4 * len(shape)).view(shape)
    except (OSError, EOFError, zlib.error, struct.error, IndexError, ValueError, RuntimeError) as error:
        raise ValueError(f"{path} is cut short or is no IDX file: copy it again ({error})") from error


@dataclass(frozen=True)
class PlantedShapes:
    """Images (N, 3, 64, 64), the class of each shape, and where it is: `masks` (N, 64, 64).

    `marks` (N, 64, 64) is where the spurious mark is, empty without one. In images of two shapes
    `targets` is (N, 2) and `masks` (N, 2, 64, 64).
    """

    images: Tensor
    targets: Tensor
    masks: Tensor
    marks: Tensor
    classes: tuple[str, ...] = SHAPES


def planted_shapes(n: int, *, generator: torch.Generator, cue: float | None = None) -> PlantedShapes:
    """`n` images with one shape each at a random place, size, angle and colour, on a background whose
    spectrum falls as 1/f, with two striped patches that belong to no class.

    With `cue`, each image carries a coloured mark in a corner: with probability `cue` the mark of its
    own class, otherwise that of another. The mark changes its own pixels and no others. Classes take
    turns; fewer images are the first of more. `ValueError` for n < 1 or a cue outside [0, 1].
    """
    _check_count(n)
    if cue is not None and not 0 <= cue <= 1:
        raise ValueError(f"cue is {cue}; it is the share of images with the right mark, 0 to 1, or None")
    scenes = [scene([i % len(SHAPES)], generator=generator, cue=cue) for i in range(n)]
    return _collect(scenes, marked=cue is not None, one=True)


def two_shapes(n: int, *, generator: torch.Generator) -> PlantedShapes:
    """`n` images with two shapes of different classes each: targets (N, 2), masks (N, 2, 64, 64);
    `ValueError` for n < 1."""
    _check_count(n)
    scenes = []
    for i in range(n):
        first = i % len(SHAPES)
        scenes.append(scene([first, another(first, generator)], generator=generator))
    return _collect(scenes, marked=False, one=False)


def counterfactual_pairs(n: int, *, generator: torch.Generator) -> tuple[PlantedShapes, PlantedShapes]:
    """`n` planted shapes, and each again as a shape of another class: the two images of a pair differ only
    where one outline covers a pixel and the other does not. `ValueError` for n < 1."""
    _check_count(n)
    pairs = []
    for i in range(n):
        first = i % len(SHAPES)
        pairs.append(twin_scenes((first, another(first, generator)), generator=generator))
    first, second = (_collect(list(side), marked=False, one=True) for side in zip(*pairs, strict=True))
    return first, second


def crossed_shapes(
    n: int, backgrounds: int, *, generator: torch.Generator, cue: bool = False
) -> tuple[PlantedShapes, Tensor]:
    """`n` planted shapes, and each of them pasted on each of some backgrounds: (n, backgrounds, 3, 64, 64).

    A shape's colour stands out from all of them. With `cue`, background j carries the mark of class
    j mod 6, whatever the shape; their number must then be a multiple of 6, so that no class has its own
    mark more often than another. `ValueError` for numbers that are too small or do not divide.
    """
    _check_count(min(n, backgrounds))
    if cue and backgrounds % len(SHAPES):
        raise ValueError(f"{backgrounds} backgrounds with marks; take a multiple of {len(SHAPES)}")
    grounds = [scene([], generator=generator).image for _ in range(backgrounds)]
    for j, image in enumerate(grounds if cue else []):
        paint_mark(image, j % len(SHAPES))
    scenes = [scene([i % len(SHAPES)], generator=generator, beside=grounds) for i in range(n)]
    shapes = _collect(scenes, marked=False, one=True)
    pasted = torch.where(shapes.masks[:, None, None], shapes.images[:, None], torch.stack(grounds))
    return shapes, pasted


def blue_coded(shapes: PlantedShapes) -> PlantedShapes:
    """The same images with blue ≥ 0.9 on the shapes and ≤ 0.7 everywhere else, for the wired network."""
    masks = shapes.masks if shapes.masks.ndim == 3 else shapes.masks.any(1)
    blue = shapes.images[:, 2]
    coded = torch.where(masks, 0.9 + 0.1 * blue, 0.7 * blue)
    return replace(shapes, images=torch.cat([shapes.images[:, :2], coded[:, None]], 1))


def _check_count(n: int) -> None:
    if n < 1:
        raise ValueError(f"{n} images were asked for; ask for at least one")


def _collect(scenes: list[Scene], *, marked: bool, one: bool) -> PlantedShapes:
    marks = torch.zeros(len(scenes), SIDE, SIDE, dtype=torch.bool)
    marks[:, MARK, MARK] = marked
    images = torch.stack([s.image for s in scenes])
    targets = torch.tensor([s.shapes for s in scenes])
    masks = torch.stack([s.masks for s in scenes])
    return PlantedShapes(images, *((targets[:, 0], masks[:, 0]) if one else (targets, masks)), marks)
