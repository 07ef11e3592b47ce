"""What a network looks at in many images, sorted into groups: crops of its maps, clustered (C134)."""

from typing import NamedTuple

import torch
from scipy.cluster.vq import kmeans2
from torch import Generator, Tensor, nn
from torch.nn.functional import avg_pool2d

from experiments.worlds import GREY
from tutorial_lib.evaluation.fills import constant
from tutorial_lib.scores import chunk_size

SIZE, CROPS, CLUSTERS = 12, 3, 10
DESCRIBED = {
    "crops": f"the {CROPS} squares of {SIZE} pixels with most of the map that do not meet; random: as many "
    "at random places, generator seed 7",
    "features": "what the classifier reads when all but the crop is 0.5, standardised",
    "clusters": f"k-means, k = {CLUSTERS}, best of five starts; flagged: the one with the largest mean share "
    "of the maps among those that hold one crop in a hundred",
}


class Crops(NamedTuple):
    """Squares of `SIZE` pixels: number of the image, upper row and left column, share of the image's map."""

    image: Tensor
    row: Tensor
    column: Tensor
    share: Tensor

    def pixels(self, side: int) -> Tensor:
        """Which pixels of its image each crop covers, (crops, side, side)."""
        line = torch.arange(side)
        rows, columns = ((line >= start[:, None]) & (line < start[:, None] + SIZE)
                         for start in (self.row, self.column))
        return rows[:, :, None] & columns[:, None]


def top_crops(heat: Tensor) -> Crops:
    """The `CROPS` squares of each map (N, H, W) with the largest sums of absolute values, one after the
    other, none of which meets another."""
    mass = heat.abs() / heat.abs().sum((1, 2), keepdim=True)
    sums, found = avg_pool2d(mass[:, None], SIZE, 1)[:, 0] * SIZE**2, []
    lines = [torch.arange(starts) for starts in sums.shape[1:]]
    for _ in range(CROPS):
        share, place = sums.flatten(1).max(1)
        row, column = place // sums.shape[2], place % sums.shape[2]
        found.append(Crops(torch.arange(len(heat)), row, column, share))
        starts = zip(lines, (row, column), strict=True)
        near = [(line - start[:, None]).abs() < SIZE for line, start in starts]
        sums = sums.masked_fill(near[0][:, :, None] & near[1][:, None], -1)
    return Crops(*(torch.cat(part) for part in zip(*found, strict=True)))


def random_crops(heat: Tensor, *, generator: Generator) -> Crops:
    """As many squares at random places, with their shares of the maps: the control."""
    mass, n = heat.abs() / heat.abs().sum((1, 2), keepdim=True), len(heat)
    image = torch.arange(n).repeat(CROPS)
    row, column = (torch.randint(side - SIZE + 1, (n * CROPS,), generator=generator)
                   for side in heat.shape[1:])
    crops = Crops(image, row, column, torch.zeros(n * CROPS))
    return crops._replace(share=(mass[image] * crops.pixels(heat.shape[1])).sum((1, 2)))


@torch.no_grad()
def features(model: nn.Module, x: Tensor, crops: Crops) -> Tensor:
    """What the classifier of a `ShapesResNet` reads when all but the crop is grey, (crops, 64), each number
    with mean 0 and variance 1."""
    below = nn.Sequential(model.normalise, model.stem, model.blocks, model.pool, nn.Flatten())
    others = ~crops.pixels(x.shape[2])[:, None]
    size = chunk_size(x)
    parts = zip(crops.image.split(size), others.split(size), strict=True)
    read = torch.cat([below(constant(x[image], hidden, value=GREY)) for image, hidden in parts])
    return (read - read.mean(0)) / read.std(0).clamp(min=1e-6)


def clustered(read: Tensor) -> Tensor:
    """The group of each row, by k-means (scipy; k-means++, the best of five starts by its sum of squares)."""
    rows, best = read.double().numpy(), None
    for seed in range(7, 12):
        centres, group = kmeans2(rows, CLUSTERS, iter=50, minit="++", seed=seed)
        rest = ((rows - centres[group]) ** 2).sum()
        if best is None or rest < best[0]:
            best = (rest, group)
    return torch.from_numpy(best[1]).long()


def flagged(crops: Crops, group: Tensor) -> Tensor:
    """The crops of the group that holds the largest mean share of its images' maps; (crops,) of yes and no.
    A group of fewer than one crop in a hundred is no concept."""
    sizes = torch.bincount(group, minlength=CLUSTERS)
    shares = torch.bincount(group, crops.share.double(), minlength=CLUSTERS) / sizes
    return group == shares.masked_fill(sizes < len(group) / 100, -1).nan_to_num(-1).argmax()


def place(crops: Crops, members: Tensor, *, side: int) -> Tensor:
    """The square of `SIZE` pixels that the members cover most, (side, side) of yes and no."""
    covered = crops.pixels(side)[members].float().mean(0)
    sums = avg_pool2d(covered[None], SIZE, 1)[0]
    row, column = divmod(int(sums.argmax()), sums.shape[1])
    area = torch.zeros(side, side, dtype=torch.bool)
    area[row : row + SIZE, column : column + SIZE] = True
    return area
