"""Rows of the method cards from the recorded runs, each with its interval of 99 %."""
from collections.abc import Callable

import torch
from torch import Tensor

from tools.card_rows import OPEN, WORLDS, Finding, Findings, Row, by_world, judged
from tutorial_lib.datasets import planted_shapes
from tutorial_lib.evaluation.statistics import Interval, crossed, exact, image_mean, on_the_scale
from tutorial_lib.notebook.results import recorded

LEVEL, SEED = 0.99, 7
EIGHT = {"fashion": "fashion, maps", "shapes": "shapes, defences"}  # where SmoothGrad was attacked


def draws() -> torch.Generator:
    return torch.Generator().manual_seed(SEED)


def interval(values: Tensor, statistic: Callable = image_mean) -> Interval:
    return crossed(values, level=LEVEL, generator=draws(), statistic=statistic)


def placed(likeness: Tensor, floor: Tensor, ceiling: Tensor) -> Interval:
    return on_the_scale(likeness, floor, ceiling, level=LEVEL, generator=draws())


def class_change() -> Findings:
    """e of the class and its runner-up: 0 as the measured effects, 1 the same map."""
    run, found, controls = recorded("class_and_stability").values, {}, {}
    for world in WORLDS:
        each = run[f"classes {world}"]
        alike = {key: v / 100 for key, v in each["alike"].items()}
        floor = alike.pop("occlusion")
        found[world] = {key: placed(m, floor, torch.ones_like(m)) for key, m in alike.items()}
        low, noise = floor.nanmean(1), each["mean, classes"]["absolute"]["random map"]
        blind = exact(((noise - low) / (1 - low)).mean().item(), n=int(floor.isfinite().sum()))
        controls[world], found[world]["random map"] = f"{blind.value:.2f}", blind
        found[world]["occlusion"] = exact(0, n=int(floor.isfinite().sum()))
    return by_definition(judged(found, controls, "class", below=True), "0: it sets the zero of this scale")


def by_definition(findings: Findings, words: str) -> Findings:
    """Occlusion is what the others are compared with: no measurement, and said so."""
    rows = [row._replace(words=words) for row in findings["occlusion"].rows]
    return {**findings, "occlusion": findings["occlusion"]._replace(rows=rows)}


def median(values: Tensor) -> Tensor:
    return values.nanmedian(1).values


def steadiness() -> Findings:
    """Largest relative change of the map under small noise that leaves the decision; median image. Of RISE
    and LIME the mean image of one world is recorded, which decides nothing."""
    run, found, others = recorded("class_and_stability").values, {}, {}
    constant = "0 (constant map)"
    for world in WORLDS:
        each = run[f"stability {world}"]["relative"]
        found[world] = {key: interval(v, median) for key, v in each.items() if key != "constant"}
    beside = run["gradients and perturbations"]["relative"]
    for key in ("RISE", "LIME"):
        mean = beside[key].mean().item()
        words = f"{mean:.3f}, mean of 50 images, same masks (chapter 16)"
        others[key] = Finding([Row(WORLDS["fashion"], words, constant, f"{mean:.2f}")], {"calm": OPEN})
    return judged(found, dict.fromkeys(WORLDS, constant), "calm", below=True) | others


def covering() -> Findings:
    """Rank correlation of the map's patches with the fall of the score when each is covered."""
    run, found, controls = recorded("class_and_stability").values, {}, {}
    for world in WORLDS:
        each = {key: interval(v) for key, v in run[f"stability {world}"]["fidelity"].items()}
        controls[world] = f"{each['random map'].value:.2f}"
        found[world] = each
    return by_definition(judged(found, controls, "cover", below=False), "1: it is what covering does")


def dealt_labels() -> Findings:
    """e of a network that learnt dealt-out labels: 0 as another image's map, 1 as a second training."""
    run = recorded("randomisation").values["permuted"]
    parts, noise = run["images"], run["means"]["likeness"]["random map"].mean()
    found = {key: placed(m, parts["floor"][key], parts["ceiling"][key])
             for key, m in parts["likeness"].items()}  # fmt: skip
    return judged({"fashion": found}, {"fashion": f"alike by {noise:.2f}"}, "labels", below=True)


def random_weights() -> Findings:
    """Likeness to the map of the same network with every parameter random; an empty map has none."""
    each = recorded("randomisation").values["shapes"]["images"]["likeness"]
    found = {key: interval(v.nan_to_num(0)) for key, v in each.items()}
    control = f"{found['random map'].value:z.2f} (edge filter 1)"
    rows = by_world({"shapes": found}, {"shapes": control})
    for key, v in each.items():
        if empty := int(v.isnan().sum()):
            rows[key][0] = rows[key][0]._replace(words=f"{rows[key][0].words}, {empty} of them empty")
    return {key: Finding(own, {}) for key, own in rows.items()}


def on_the_shape() -> Findings:
    """Share of the highest pixels that lie in the mask, widened by two pixels; the mask itself beside it."""
    run = recorded("randomisation").values["shapes"]
    found = {key: interval(v) for key, v in run["images"]["rank accuracy"].items()}
    noise, edges = found["random map"], found["edge filter"]
    control = f"{noise.value:.2f} (edge filter {edges.value:.2f})"
    result = judged({"shapes": found}, {"shapes": control}, "region", below=False)
    narrow, blank = (run["means"][f"rank accuracy, {kind}"] for kind in ("trained, narrow", "random, wide"))
    for key, each in result.items():
        row, q = each.rows[0], found[key]
        more = f"; in the narrow mask {narrow[key].mean():.2f}; on random weights {blank[key].mean():.2f}"
        each.rows[0] = row._replace(words=row.words + more, short=f"{q.value:.2f} [{q.lo:.2f}, {q.hi:.2f}]")
    return result


def attacked() -> Findings:
    """Overlap of the highest pixels after an attack on this map over that after noise of the same size."""
    run, found = recorded("attacks").values, {}
    for world in WORLDS:
        each = {**run[world]["natural"], "SmoothGrad": run[EIGHT[world]]["natural"]["SmoothGrad of 8"]}
        found[world] = {key: interval(overlaps(maps), ratio) for key, maps in each.items()}
    areas = {"fashion": 78 / 784, "shapes": planted_shapes(120, generator=draws()).masks.float().mean()}
    controls = {world: f"two share {area:.2f}" for world, area in areas.items()}
    result = judged(found, controls, "attack", below=False)
    for i, row in enumerate(result["SmoothGrad"].rows):
        result["SmoothGrad"].rows[i] = row._replace(words=f"{row.words}, with 8 copies")
    return result


def overlaps(each: dict) -> Tensor:
    """(seeds, images, attack and noise); an image counts in both or in none."""
    pair = torch.stack([each[change]["overlap"] / 10_000 for change in ("attack", "noise")], -1)
    return pair.where(pair.isfinite().all(-1, keepdim=True), torch.nan)


def ratio(pair: Tensor) -> Tensor:
    return pair[..., 0].nanmean(1) / pair[..., 1].nanmean(1)
