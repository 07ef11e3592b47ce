"""How well the distance of maps tells one kind of change from another (C04)."""

import torch
from scipy.stats import rankdata
from torch import Generator, Tensor

from tutorial_lib.evaluation.statistics import crossed

FIRST, ANSWER = 5, "the answer itself"
SIDES = ("attack, new class", "attack, old class", "noise", "no attack, new class")


def auroc(values: Tensor) -> Tensor:
    """Share of the pairs in which the first kind is larger than the second, ties half; NaN are left out.
    (seeds, N, 2) -> (seeds,)"""
    found = []
    for first, second in (seed.unbind(-1) for seed in values):
        a, b = first[~first.isnan()], second[~second.isnan()]
        ranks = torch.from_numpy(rankdata(torch.cat([a, b]).numpy()))
        found.append((ranks[: len(a)].sum() / len(a) - (len(a) + 1) / 2) / len(b))
    return torch.stack(found)


def paired(first: dict, second: dict) -> dict:
    """AUROC of the second kind of network less that of the first, paired by image, at 95 %: side, method."""
    def difference(values: Tensor) -> Tensor:
        return auroc(values[..., 2:]) - auroc(values[..., :2])

    found = {}
    for side in SIDES[:2]:
        found[side] = {}
        for name in first[side]:
            columns = [each[key][name] for each in (first, second) for key in (side, SIDES[2])]
            i = crossed(torch.stack(columns, 2), level=0.95, statistic=difference,
                        generator=Generator().manual_seed(7))
            found[side][name] = torch.tensor([i.value, i.lo, i.hi])
    return found


def summary(found: dict) -> dict:
    """What is stored: for each method the AUROC of its distance with its 95 % interval (value, lo, hi), for
    both choices of the class; the median distances; how many decisions flipped."""
    noise, area = found[SIDES[2]], {}
    for side in SIDES[:2]:
        area[side] = {}
        for name, distance in found[side].items():
            i = crossed(torch.stack([distance, noise[name]], 2), level=0.95, statistic=auroc,
                        generator=Generator().manual_seed(7))
            area[side][name] = torch.tensor([i.value, i.lo, i.hi])
    counted = {side: (~each[ANSWER].isnan()).double().mean(1) for side, each in found.items()}
    medians = {side: {name: distance.nanmedian(1).values for name, distance in each.items()}
               for side, each in found.items()}
    first = {side: next(iter(each.values()))[0, :FIRST] for side, each in found.items()}
    return {"AUROC": area, "counted": counted, "median": medians, "first images, first method": first}
