"""How an image of planted shapes is drawn: in float64, so that computers differ in the last bits only."""
import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Generator, Tensor

SHAPES = ("disc", "square", "triangle", "star", "cross", "ring")
SIDE = 64
MARK = slice(2, 9)  # rows and columns of the spurious mark
_MARK_COLOURS = torch.tensor(
    [[0.9, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.9], [0.9, 0.9, 0.1], [0.9, 0.1, 0.9], [0.1, 0.9, 0.9]],
    dtype=torch.float64,
)
_ROW, _COLUMN = torch.meshgrid(*[torch.arange(SIDE, dtype=torch.float64) + 0.5] * 2, indexing="ij")
_CONTRAST, _TINT, _TEXTURE, _NOISE = 0.13, 0.10, 0.35, 0.02
_STANDS_OUT = 0.45  # smallest distance in RGB of a shape's colour from what it covers


class Circle(NamedTuple):
    """A part of the image that is taken."""

    x: float
    y: float
    radius: float

    def meets(self, other: "Circle") -> bool:
        """True if less than a pixel lies between the two."""
        return math.dist(self[:2], other[:2]) <= self.radius + other.radius + 1


_CORNER = Circle(5.5, 5.5, 5.0)  # around the mark: no shape or patch is placed there


class Scene(NamedTuple):
    """An image (3, 64, 64), float32, the classes of its shapes, and their masks (shapes, 64, 64)."""

    image: Tensor
    shapes: Sequence[int]
    masks: Tensor


def scene(
    shapes: Sequence[int], *, generator: Generator, cue: float | None = None, beside: Sequence[Tensor] = ()
) -> Scene:
    """Background, shapes, two patches, mark, noise. A shape's colour stands out from the background
    that it covers, and from the same pixels of the images `beside`."""
    image, taken, masks = _background(generator), [_CORNER], []
    for shape in shapes:
        circle = _free_circle(9, 12, taken, generator)
        mask = _inside(shape, circle, angle=2 * math.pi * _uniform(generator))
        _fill(image, mask, [image, *beside], generator)
        masks.append(mask)
    for _ in range(2):
        _add_patch(image, _free_circle(5, 8, taken, generator), generator)
    mark = _mark_class(shapes, cue or 0, generator)
    if cue is not None:
        paint_mark(image, mark)
    noise = _NOISE * torch.randn(image.shape, dtype=torch.float64, generator=generator)
    masks = torch.stack(masks) if masks else torch.zeros(0, SIDE, SIDE, dtype=torch.bool)
    return Scene((image + noise).clamp(0, 1).float(), shapes, masks)


def twin_scenes(shapes: tuple[int, int], *, generator: Generator) -> list[Scene]:
    """Two scenes with one shape each that differ in its outline alone: place, size, angle, colour,
    background, patches and noise are the same."""
    ground, taken = _background(generator), [_CORNER]
    circle, angle = _free_circle(9, 12, taken, generator), 2 * math.pi * _uniform(generator)
    masks = [_inside(shape, circle, angle=angle) for shape in shapes]
    coloured = ground.clone()
    _fill(coloured, masks[0] | masks[1], [ground], generator)
    beside = _NOISE * torch.randn(ground.shape, dtype=torch.float64, generator=generator)
    for _ in range(2):
        _add_patch(beside, _free_circle(5, 8, taken, generator), generator)
    images = [(torch.where(mask, coloured, ground) + beside).clamp(0, 1).float() for mask in masks]
    return [Scene(image, [c], mask[None]) for image, c, mask in zip(images, shapes, masks, strict=True)]


def paint_mark(image: Tensor, shape: int) -> None:
    """Paint the mark of class `shape` into the corner of `image` (3, 64, 64)."""
    image[:, MARK, MARK] = _MARK_COLOURS[shape, :, None, None].to(image.dtype)


def another(shape: int, generator: Generator) -> int:
    """One of the five other classes."""
    return (shape + int(torch.randint(1, len(SHAPES), (), generator=generator))) % len(SHAPES)


def outline(shape: int, u: Tensor, v: Tensor) -> Tensor:
    """True where (u, v) lies inside the shape of radius 1 around the origin."""
    r, angle, third = (u * u + v * v).sqrt(), torch.atan2(v, u), 2 * math.pi / 3
    u, v = u.abs(), v.abs()
    return (
        r < 0.95,
        torch.maximum(u, v) < 0.8,
        r * torch.cos((angle + third / 2) % third - third / 2) < 0.55,
        r < 0.62 + 0.42 * torch.cos(5 * angle),
        (torch.minimum(u, v) < 0.3) & (torch.maximum(u, v) < 1),
        (r < 1) & (r > 0.55),
    )[shape]


def _uniform(generator: Generator, low: float = 0, high: float = 1) -> float:
    return low + (high - low) * torch.rand((), dtype=torch.float64, generator=generator).item()


def _background(generator: Generator) -> Tensor:
    """Noise whose amplitude falls as 1/frequency, mostly grey, and one tint for the whole image."""
    frequency = torch.fft.fftfreq(SIDE, dtype=torch.float64)
    distance = (frequency[:, None] ** 2 + frequency**2).sqrt()
    distance[0, 0] = torch.inf
    white = torch.randn(4, SIDE, SIDE, dtype=torch.float64, generator=generator)
    pink = torch.fft.ifft2(torch.fft.fft2(white) / distance).real
    pink = pink / pink.std((1, 2), keepdim=True)
    tint = _TINT * torch.randn(3, 1, 1, dtype=torch.float64, generator=generator)
    return 0.5 + _CONTRAST * (0.8 * pink[:1] + 0.6 * pink[1:]) + tint


def _free_circle(low: float, high: float, taken: list[Circle], generator: Generator) -> Circle:
    """A circle of random radius and place that meets none of the taken ones; it is added to them."""
    radius = _uniform(generator, low, high)
    while True:
        x, y = (_uniform(generator, radius + 1, SIDE - radius - 1) for _ in "xy")
        circle = Circle(x, y, radius)
        if not any(circle.meets(other) for other in taken):
            taken.append(circle)
            return circle


def _inside(shape: int, circle: Circle, *, angle: float) -> Tensor:
    x, y = (_COLUMN - circle.x) / circle.radius, (_ROW - circle.y) / circle.radius
    cosine, sine = math.cos(angle), math.sin(angle)
    return outline(shape, cosine * x + sine * y, cosine * y - sine * x)


def _fill(image: Tensor, mask: Tensor, grounds: Sequence[Tensor], generator: Generator) -> None:
    """A colour that stands out, with a third of the texture that was there before."""
    means = torch.stack([ground[:, mask].double().mean(1) for ground in grounds])
    while True:
        colour = torch.rand(3, dtype=torch.float64, generator=generator)
        if (colour - means).norm(dim=1).min() > _STANDS_OUT:
            break
    image[:, mask] = colour[:, None] + _TEXTURE * (image[:, mask] - means[0, :, None])


def _add_patch(image: Tensor, circle: Circle, generator: Generator) -> None:
    """Stripes under a Gaussian window: conspicuous, and of no class."""
    x, y = _COLUMN - circle.x, _ROW - circle.y
    angle, phase = _uniform(generator, 0, math.pi), _uniform(generator, 0, 2 * math.pi)
    wave = torch.cos(
        2 * math.pi / _uniform(generator, 3.5, 6.5) * (x * math.cos(angle) + y * math.sin(angle)) + phase
    )
    window = torch.exp(-(x * x + y * y) / (circle.radius**2 / 2))
    strength = 0.15 + 0.5 * torch.rand(3, 1, 1, dtype=torch.float64, generator=generator)
    image += strength * window * wave


def _mark_class(shapes: Sequence[int], cue: float, generator: Generator) -> int:
    """The shape's own class with probability `cue`. It always draws, so that the rest of the image
    does not depend on whether there is a mark."""
    own = shapes[0] if shapes else 0
    other = another(own, generator)
    return own if _uniform(generator) < cue else other
