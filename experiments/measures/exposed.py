"""Which group of crops is flagged, and how much of the cue it shows (C134)."""

import torch
from torch import Tensor, nn

from experiments.measures.concepts import CLUSTERS, Crops, clustered, features, flagged, place
from tutorial_lib.datasets import PlantedShapes

EXAMPLES = 12


def shows_the_mark(crops: Crops, data: PlantedShapes) -> Tensor:
    """Whether a crop covers half of the mark at least."""
    marks = data.marks[crops.image]
    inside = (crops.pixels(marks.shape[1]) & marks).sum((1, 2))
    return 2 * inside >= marks.sum((1, 2))


def table(group: Tensor, share: Tensor, shown: Tensor) -> Tensor:
    """Size, mean share and how many show the mark, of each group: (groups, 3); NaN for an empty one."""
    sizes = torch.bincount(group, minlength=CLUSTERS)
    means = [torch.bincount(group, v.double(), minlength=CLUSTERS) / sizes for v in (share, shown)]
    return torch.stack([sizes, *means], 1)


def exposed(model: nn.Module, data: PlantedShapes, crops: Crops) -> tuple[dict[str, Tensor], Tensor]:
    """For each image the share of its flagged crops that show the mark, NaN where none is flagged; the
    groups; the first flagged crops; the square that they cover most, by its corner and as (side, side)."""
    group, shown = clustered(features(model, data.images, crops)), shows_the_mark(crops, data)
    members = flagged(crops, group)
    hits, chosen = (torch.bincount(crops.image[w], minlength=len(data.images))
                    for w in (members & shown, members))
    area = place(crops, members, side=data.images.shape[2])
    some = members.nonzero()[:EXAMPLES, 0]
    return {"purity": hits / chosen, "table": table(group, crops.share, shown),
            "crops": torch.stack([crops.image, crops.row, crops.column], 1)[some],
            "square": area.nonzero()[0]}, area
