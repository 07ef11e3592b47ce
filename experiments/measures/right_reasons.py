"""C38: networks trained with the penalty of `masked_training`, and for as long without it."""

from functools import partial
from pathlib import Path

import torch
from torch import Generator, Tensor, nn

from experiments.measures.masked_training import CHANGED, EPOCHS, TRIED, WEIGHT, retrained, slope
from experiments.measures.painted_out import CUES, drawn
from experiments.measures.trainings import kept
from experiments.runner import Quantity
from experiments.worlds import LAYERS
from tutorial_lib.attribution.cam import grad_cam
from tutorial_lib.attribution.gradients import seeded
from tutorial_lib.attribution.pixels import sum_over_colour
from tutorial_lib.datasets import PlantedShapes
from tutorial_lib.evaluation.localisation import dilated, rank_accuracy
from tutorial_lib.evaluation.sanity import edge_filter, random_map, randomised
from tutorial_lib.models.shapes import ShapesResNet
from tutorial_lib.models.zoo import load
from tutorial_lib.notebook.samples import SEEDS, another_class, nearly_balanced
from tutorial_lib.scores import class_score, logits

IMAGES = 200


def on_the_mask(model: nn.Module, data: PlantedShapes) -> dict[str, Tensor]:
    """Rank accuracy in the widened and in the raw mask, (N, 2): Grad-CAM and what else is shown."""
    cam, x, target = partial(grad_cam, layer=LAYERS["shapes"]), data.images, data.targets
    maps = {
        "Grad-CAM": cam(model, x, target),
        "random weights": cam(randomised(model, "", generator=Generator().manual_seed(7)), x, target),
        "random map": seeded(random_map, seed=7)(model, x, target),
        "edge filter": edge_filter(model, x, target),
    }
    maps["another image"] = maps["Grad-CAM"][another_class(target)]
    masks = (dilated(data.masks), data.masks)
    return {name: torch.stack([rank_accuracy(sum_over_colour(a), mask) for mask in masks], 1)
            for name, a in maps.items()}


def of_swap(model: nn.Module, own: PlantedShapes, swapped: PlantedShapes) -> dict[str, Tensor]:
    """How far the logit of the class falls if its mark is swapped, and how far apart the images are, (N,)."""
    fall = class_score(model, own.images, own.targets) - class_score(model, swapped.images, own.targets)
    return {"fall": fall, "distance": (own.images - swapped.images).flatten(1).norm(dim=1)}


def right_reasons(parts: Path) -> Quantity:
    """Two trainings a seed, and the shortcut network itself, all on the same images."""
    def network(kind: str, seed: int) -> nn.Module:
        path, again = parts / f"right_{kind}_{seed}.pt", partial(retrained, kind, seed)
        return load(f"shapes_shortcut_{seed}") if kind == "suspect" else kept(path, again, ShapesResNet())

    def measure(seed: int) -> dict:
        many = drawn(2 * IMAGES, 1.0)
        ten = [network(kind, s) for kind in CHANGED for s in SEEDS]
        chosen = nearly_balanced(ten, many.images, many.targets, n=IMAGES)
        data = PlantedShapes(*(part[chosen] for part in (many.images, many.targets, many.masks, many.marks)))
        found = {"chosen": chosen}
        for kind in ("suspect", *CHANGED):
            model, tests = network(kind, seed), {what: drawn(IMAGES, cue) for what, cue in CUES.items()}
            right = {what: logits(model, t.images).argmax(1) == t.targets for what, t in tests.items()}
            areas = {"mark": data.marks, "off the mask": ~dilated(data.masks)}
            found[kind] = {"mask": on_the_mask(model, data), "right": right, "slope": {
                name: slope(model, data.images, a[:, None].float()).detach() for name, a in areas.items()},
                "swap": of_swap(model, tests["own mark"], tests["swapped"])}
        return found

    return Quantity({
        "claims": ["C38"], "suspect": "shapes_shortcut", "plain": f"its recipe, {EPOCHS['plain']} epochs",
        "penalised": f"its recipe with the penalty, {EPOCHS['penalised']} epochs, which take as long",
        "penalty": f"{WEIGHT} times the squared gradient of the mean log-probability of the six classes, "
        "summed over the pixels off the mask widened by two",
        "tried": {"weight: accuracy with swapped marks, of seed 0 on shapes of generator seed 0": TRIED},
        "images": f"{IMAGES} planted shapes of generator seed 7; maps: with the mark of the class, known "
        f"to all ten, nearly balanced, chosen of {2 * IMAGES}; accuracy: not selected",
        "Grad-CAM": "share of the K highest pixels in the widened mask of K, times 10,000: seeds x images",
        "swapped": "1 where right with the mark of another class: seeds x images", "layer": LAYERS["shapes"],
        "mean": "mask: in the widened and in the raw mask; right: accuracy; slope: the penalty before its "
        "weight, in the mark and off the mask; swap: fall of the class's logit and distance of the images, "
        "own mark against swapped: seeds", "random weights": "every parameter, generator seed 7",
        "dtype": "float32", "threads": 1,
    }, measure, stored)


def stored(found: dict) -> dict:
    """What the rule reads image by image, all else as means."""
    chosen = found.pop("chosen")[0]
    cam = {kind: (10_000 * each["mask"]["Grad-CAM"][..., 0]).round() for kind, each in found.items()}
    swapped = {kind: each["right"]["swapped"].long() for kind, each in found.items()}
    means = {kind: {group: {name: v.double().mean(1) for name, v in values.items()}
                    for group, values in each.items()} for kind, each in found.items()}
    return {"chosen": chosen, "Grad-CAM": cam, "swapped": swapped, "mean": means}
