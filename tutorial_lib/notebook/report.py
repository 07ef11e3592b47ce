"""`explain_report(model, x, target)`: maps of a model, and what speaks against believing them (paper §6)."""
import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Generator, Tensor, nn

from tutorial_lib.attribution.cam import grad_cam
from tutorial_lib.attribution.gradients import integrated_gradients, saliency, seeded, smoothgrad
from tutorial_lib.attribution.perturbation import occlusion
from tutorial_lib.attribution.pixels import max_over_colour, sum_over_colour
from tutorial_lib.evaluation import red_flags
from tutorial_lib.evaluation.agreement import rank_correlations
from tutorial_lib.evaluation.fills import blurred
from tutorial_lib.evaluation.maps import check_maps
from tutorial_lib.evaluation.stability import max_sensitivity
from tutorial_lib.models.check import last_feature_maps, model_findings, used_again
from tutorial_lib.notebook.findings import LINES, Finding, Report
from tutorial_lib.scores import Attribute, check_input, class_score, predict

Method = tuple[Attribute, Callable[[Tensor], Tensor]]  # and its reduction to one number per pixel


def explain_report(model: nn.Module, x: Tensor, target: Tensor, *, seed: int = 0) -> Report:
    """Six maps of the class `target` of each image, and a warning in words for each sign that they, or the
    model, are not to be trusted (paper §6).  x (N, C, H, W) in [0, 1], target (N,)

    It does not raise because of the model or the images: what fails is a finding. Baselines, layer and fill
    are chosen for you and named in the notes. About 1400 passes for each image.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # for a model that draws random numbers
        obstacles, runs = _obstacles(model, x, target)
        findings = [Finding("obstacles", len(obstacles), details="; ".join(obstacles))]
        if not runs:
            return Report(tuple(findings), {}, ("Nothing more can be measured before this is repaired.",))
        methods, notes = _methods(model, x, seed)
        maps, failures = _maps(methods, model, x, target)
        findings += [*_about_the_model(methods, model, x, target, seed), *failures,
                     *_about_the_maps(methods, maps, model, x, target, seed)]
    if {"IG", "IG, blurred"} <= maps.keys():
        alike = rank_correlations(maps["IG"], maps["IG, blurred"]).nanmean()
        notes.append(f"IG from black and from the blurred image: rank correlation {alike:.2f}; name yours")
    return Report(tuple(findings), maps, tuple(notes))


def _obstacles(model: nn.Module, x: Tensor, target: Tensor) -> tuple[list[str], bool]:
    """All that `check_model` finds, with what else keeps the model from a score, and whether it gives one."""
    found = []
    try:
        found += model_findings(model, x)
        check_input(model, x, target)
        if x.ndim != 4:
            raise ValueError(f"the report is about images (N, C, H, W), not {tuple(x.shape)}")
        with torch.enable_grad():
            class_score(model, x[:1].detach().requires_grad_(), target[:1])
        with torch.no_grad():
            class_score(model, x, target)
        return found, True
    except ValueError as error:
        return found + [str(error)] * (str(error) not in found), False
    except Exception as error:  # a foreign model may raise anything
        return [*found, f"the model raises {type(error).__name__}: {error}"], False


def _methods(model: nn.Module, x: Tensor, seed: int) -> tuple[dict[str, Method], list[str]]:
    """The methods with the reduction of each, and notes on what was chosen for them."""
    black, size = torch.zeros(1, *[1] * (x.ndim - 1)).to(x), red_flags.window_size(x)

    def from_blurred(model: nn.Module, x: Tensor, target: Tensor) -> Tensor:
        return integrated_gradients(model, x, target, baseline=blurred(x, sigma=x.shape[-1] / 8))

    def occluded(model: nn.Module, x: Tensor, target: Tensor) -> Tensor:
        return occlusion(model, x, target, size=size, stride=size, fill=x.mean((2, 3), keepdim=True))

    methods = {
        "saliency": (saliency, max_over_colour),
        "SmoothGrad": (seeded(smoothgrad, seed=seed, attribute=saliency, sigma=0.15), max_over_colour),
        "IG": (partial(integrated_gradients, baseline=black), sum_over_colour),
        "IG, blurred": (from_blurred, sum_over_colour), "occlusion": (occluded, sum_over_colour),
    }
    notes = ["SmoothGrad: sigma 0.15, 32 copies of |gradient|; IG: 64 steps, from black and from the blurred "
             f"image; occlusion: windows of {size} × {size} pixels, filled with the image's mean colour"]
    try:
        layer = last_feature_maps(model, x)
        methods["Grad-CAM"] = partial(grad_cam, layer=layer), sum_over_colour
        notes.append(f"Grad-CAM: layer {layer!r}")
    except ValueError as error:
        notes.append(f"no Grad-CAM: {error}")
    return methods, notes


def _maps(
    methods: dict[str, Method], model: nn.Module, x: Tensor, target: Tensor
) -> tuple[dict[str, Tensor], list[Finding]]:
    """The maps of pixels, and a finding for each that cannot be made."""
    maps, failures = {}, []
    for name, (method, pixels) in methods.items():
        try:
            a = method(model, x, target).detach()
            check_maps({name: a}, x.shape)
            maps[name] = pixels(a)
        except Exception as error:
            failures.append(Finding("no map", 1.0, of=name, details=f"No map of {name}: {error}"))
    return maps, failures


def _about_the_model(
    methods: dict[str, Method], model: nn.Module, x: Tensor, target: Tensor, seed: int
) -> list[Finding]:
    explained, smooth, answers = (model, x, target), methods["SmoothGrad"][0], predict(model, x)
    black = torch.zeros(1, *[1] * (x.ndim - 1)).to(x)
    finer = [partial(integrated_gradients, baseline=black, steps=steps) for steps in (64, 256)]
    return [
        _attempt("reused", lambda: used_again(model, x)),
        Finding("other answer", (answers.argmax(1) != target).double().mean().item()),
        Finding("doubt", 1 - answers.amax(1).mean().item()),
        _attempt("empty image", lambda: red_flags.emptiness(model, x)),
        _attempt("randomness", lambda: red_flags.randomness(saliency, *explained)),
        _attempt("mixing", lambda: red_flags.mixing(saliency, *explained)),
        _attempt("gap", lambda: red_flags.unaccounted(
            finer, *explained, baseline=black, line=LINES["gap"])),
        _attempt("untrained look", lambda: red_flags.untrained_look(
            smooth, *explained, generator=Generator().manual_seed(seed))),
    ]


def _about_the_maps(
    methods: dict[str, Method], maps: dict[str, Tensor], model: nn.Module, x: Tensor, target: Tensor,
    seed: int,
) -> list[Finding]:
    findings, size = [], red_flags.window_size(x)
    three = [maps[name] for name in ("saliency", "IG", "occlusion") if name in maps]
    if "occlusion" in maps:
        drops = maps["occlusion"][:, ::size, ::size].flatten(1)
        findings.append(_attempt("one window", lambda: red_flags.sufficiency(model, x, drops.argmax(1)),
                                 details=_most_common_place(drops.argmax(1), x)))
        findings += [Finding("peak off", red_flags.overruled(heat, drops, size=size), of=name)
                     for name, heat in maps.items() if name != "occlusion"]
    findings.append(Finding("disagreement", red_flags.disagreement(three, size=size)))
    return findings + _steadiness({name: methods[name][0] for name in maps}, model, x, target, seed)


def _most_common_place(numbers: Tensor, x: Tensor) -> str:
    """Where the windows of these numbers lie most often, in words."""
    row, column = divmod(int(numbers.mode().values), math.ceil(x.shape[3] / red_flags.window_size(x)))
    count = int((numbers == numbers.mode().values).sum())
    return (f"The window that matters most is that of row {row + 1}, column {column + 1} in {count} of "
            f"{len(x)} images")


def _steadiness(
    table: dict[str, Attribute], model: nn.Module, x: Tensor, target: Tensor, seed: int
) -> list[Finding]:
    try:
        steady = max_sensitivity(table, model, x, target, radius=0.02, samples=3,
                                 generator=Generator().manual_seed(seed))
    except Exception as error:
        return [Finding("unsteady", math.nan, of=name, details=str(error)) for name in table]
    return [Finding("unsteady", found.relative.nanmedian().item(), of=name)
            for name, found in steady.items()]


def _attempt(check: str, measure: Callable[[], float], *, details: str = "") -> Finding:
    """The finding, NaN with the reason where it cannot be measured."""
    try:
        return Finding(check, measure(), details=details)
    except Exception as error:
        return Finding(check, math.nan, details=str(error))
