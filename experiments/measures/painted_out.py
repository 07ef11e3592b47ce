"""C134: the cue of the shortcut networks found by clusters of crops, and the networks trained without it."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import avg_pool2d

from experiments.measures.concepts import DESCRIBED, random_crops, top_crops
from experiments.measures.exposed import exposed
from experiments.measures.reported import COLUMNS, row
from experiments.measures.trainings import kept
from experiments.runner import Quantity
from experiments.worlds import GREY, LAYERS
from tutorial_lib.attribution.cam import grad_cam
from tutorial_lib.attribution.gradients import integrated_gradients
from tutorial_lib.attribution.pixels import sum_over_colour
from tutorial_lib.datasets import PlantedShapes, planted_shapes
from tutorial_lib.evaluation.fills import constant
from tutorial_lib.evaluation.localisation import dilated, rank_accuracy
from tutorial_lib.models.shapes import ShapesResNet
from tutorial_lib.models.zoo import load
from tutorial_lib.notebook.report import explain_report
from tutorial_lib.robustness.training import RECIPES, shapes_data, train
from tutorial_lib.scores import logits

IMAGES, REPORTED, MAPPED, SHOWN = 500, 12, 100, 3


def drawn(n: int, cue: float | None) -> PlantedShapes:
    return planted_shapes(n, generator=Generator().manual_seed(7), cue=cue)


def heat(model: nn.Module, data: PlantedShapes) -> Tensor:
    """Integrated gradients from grey of the predicted class, (N, H, W)."""
    target = logits(model, data.images).argmax(1)
    return sum_over_colour(integrated_gradients(model, data.images, target, baseline=GREY, steps=64))


def without(area: Tensor, _folder: Path | None, cue: float | None) -> tuple[Tensor, Tensor]:
    """The training images of the shortcut networks with a square painted grey."""
    images, target = shapes_data(None, cue)
    return constant(images, area[None, None], value=GREY), target


def retrained(area: Tensor, seed: int) -> nn.Module:
    """The recipe of the shortcut network of this seed, on the painted images."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = ShapesResNet()
    recipe = replace(RECIPES["shapes_shortcut"], data=partial(without, area))
    return train(recipe, model, seed=seed, device="cpu", folder=None)


CUES = {"swapped": 0.0, "own mark": 1.0, "no mark": None}


def looked_at(model: nn.Module, data: PlantedShapes) -> dict[str, Tensor]:
    """The warnings of the report on the first images, as they are, and where Grad-CAM looks in more of them:
    rank accuracy in the widened mask and about the mark, (2, MAPPED); the first maps, coarsely."""
    x, target = data.images[:MAPPED], data.targets[:MAPPED]
    cam = sum_over_colour(grad_cam(model, x, target, layer=LAYERS["shapes"]))
    places = (dilated(data.masks[:MAPPED]), dilated(data.marks[:MAPPED], by=6))
    return {"warns": row(explain_report(model, x[:REPORTED], target[:REPORTED]))["warns"],
            "maps": avg_pool2d(cam[:SHOWN, None], 4)[:, 0],
            "Grad-CAM": torch.stack([rank_accuracy(cam, place) for place in places])}


def of_seed(seed: int, parts: Path, *, images: int = IMAGES) -> dict:
    """Purity by top and by random crops, the squares, and who is right with which mark, (N,) each."""
    suspect, data = load(f"shapes_shortcut_{seed}"), drawn(images, 1.0)
    maps = heat(suspect, data)
    crops = {"top": top_crops(maps), "random": random_crops(maps, generator=Generator().manual_seed(7))}
    found, nets = {"groups": {}}, {"before": suspect}
    for name, squares in crops.items():
        found["groups"][name], area = exposed(suspect, data, squares)
        row, column = found["groups"][name]["square"].tolist()
        path = parts / f"painted_{row}_{column}_{seed}.pt"
        nets[name] = kept(path, partial(retrained, area, seed), ShapesResNet())
    tests = {what: drawn(images, cue) for what, cue in CUES.items()}
    found["right"] = {name: {what: logits(net, test.images).argmax(1) == test.targets
                             for what, test in tests.items()} for name, net in nets.items()}
    found["looked at"] = {name: looked_at(net, tests["own mark"]) for name, net in nets.items()}
    return found


def painted_out(parts: Path) -> Quantity:
    """One shortcut network a seed and two trainings without a square."""
    def stored(found: dict) -> dict:
        right = {name: {what: v.double().mean(1) for what, v in each.items()}
                 for name, each in found["right"].items()}
        swapped = {name: each["swapped"].long() for name, each in found["right"].items() if name != "random"}
        groups = found["groups"]
        purity = {name: each.pop("purity") for name, each in groups.items()}
        looked = {name: {"warns": each["warns"], "Grad-CAM": each["Grad-CAM"].mean(2),
                         "maps": (1000 * each["maps"][0] / each["maps"][0].max()).round()}
                  for name, each in found["looked at"].items()}
        return {"purity": (100 * purity["top"]).round(), "swapped": swapped, "accuracy": right,
                "looked at": looked,
                "mean purity": {name: v.nanmean(1) for name, v in purity.items()}, "groups": groups}

    return Quantity({
        "claims": ["C134"], "networks": "shapes_shortcut", "images": f"{IMAGES} planted shapes of generator "
        "seed 7 with the mark of their class", "map": "IG of the predicted class, 64 steps, baseline 0.5",
        **DESCRIBED,
        "purity": "share of the flagged crops that show half of the mark or more, in hundredths; null: "
        "none is flagged: seeds x images", "groups": "table: size, mean share of the maps, share that shows "
        "the mark: seeds x groups x 3; square: upper row and left column of the square that flagged crops "
        "cover most; crops: image, row and column of the first twelve flagged",
        "after": "recipe of shapes_shortcut, that square of its images painted 0.5",
        "swapped": "1 where right with the mark of another class, the same shapes: seeds x images",
        "columns": COLUMNS, "looked at": f"own mark: warnings of the report on the first {REPORTED}: seeds x "
        "columns; Grad-CAM: share of its highest pixels in the mask widened by 2 and the mark widened by "
        f"6, {MAPPED} images: seeds x 2; maps: the first {SHOWN} of the first seed, means of 4 x 4 pixels",
        "accuracy": "before; after painting out the square of the top, or of the random, crops: seeds",
        "dtype": "float32", "threads": 1,
    }, partial(of_seed, parts=parts), stored)
