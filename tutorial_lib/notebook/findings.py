"""What a report finds: each check with its line, in numbers and in words."""
from collections.abc import Mapping
from dataclasses import dataclass
from math import isnan
from textwrap import fill

from torch import Tensor

LINES = {  # a check warns above its line; `chapters/16_best_practices` says where each line comes from
    "obstacles": 0, "reused": 0, "other answer": 0.5, "doubt": 0.5, "empty image": 0.5, "randomness": 1e-3,
    "mixing": 1e-3, "gap": 0.05, "untrained look": 0.9, "disagreement": 0.75, "one window": 0.5,
    "no map": 0, "peak off": 0.25, "unsteady": 0.5,
}
_MISSING = "This cannot be measured here, and that is a finding: look for the reason before you go on."
_OF_MAPS = ("peak off", "unsteady")
_WORDS = {  # what a check measures, and what its warning means
    "obstacles": (
        "obstacles in the model and the images",
        "Repair this first; until then what follows may mislead.",
    ),
    "reused": (
        "ReLU modules that run more than once",
        "The rules of this library follow every call. Others need a module of its own for each: captum's "
        "DeepLIFT is wrong without.",
    ),
    "other answer": (
        "images with another prediction, their share",
        "You explain an answer that the model does not give. Check the weights, the order of the classes "
        "and the preparation of the images before you look at a map.",
    ),
    "doubt": (
        "1 - mean probability of the prediction",
        "There is little to explain. Check the weights and the preparation of the images.",
    ),
    "empty image": (
        "images whose mean colour keeps the class",
        "What the image shows hardly matters. Check the weights, the preparation of the images, and the "
        "balance of the classes in training.",
    ),
    "randomness": (
        "relative difference of two equal calls",
        "The model draws random numbers: dropout that stayed on, or noise. Switch it off.",
    ),
    "mixing": (
        "difference of a map, alone and in a batch",
        "The model mixes the images of a batch, or draws random numbers. Find the layer that computes means "
        "over the batch, and fix them.",
    ),
    "gap": (
        "share of the rise that IG leaves (median)",
        "The gradient is not the slope of this score: rounding, a detached branch, a function too rough for "
        "256 steps. Or the score hardly rises. Believe occlusion before any gradient.",
    ),
    "untrained look": (
        "likeness to random weights, over their own",
        "The maps show the images and the architecture; training left little trace in them.",
    ),
    "disagreement": (
        "1 - rank correlation of three methods",
        "The methods answer different questions, or one of them is misled. Show several, and say which "
        "question each answers.",
    ),
    "one window": (
        "images whose class one window decides",
        "Look at this window: is it the thing, or a mark beside it? Try the model on images where the mark "
        "is missing or swapped.",
    ),
    "no map": (
        "1 for a method that fails",
        "The other maps may be right nevertheless. Ask first why this one cannot be made.",
    ),
    "peak off": (
        "share of the windows that change the score more than the one at the map's peak",
        "Where the map is brightest is not where the score is decided. A model can be tuned to do that. Do "
        "not show this map alone.",
    ),
    "unsteady": (
        "change of the map over its size, when no pixel moves by more than 0.02",
        "Changes that nobody sees change this map: do not read its details.",
    ),
}


@dataclass(frozen=True)
class Finding:
    """One check of the model, or of the map `of` a method: a `value` above `line`, or NaN, is a warning."""

    check: str
    value: float
    of: str = ""
    details: str = ""

    @property
    def line(self) -> float:
        return LINES[self.check]

    @property
    def warns(self) -> bool:
        return not self.value <= self.line

    def __str__(self) -> str:
        return f"{self.value:5.2f} {'!' if self.warns else ' '}"


@dataclass(frozen=True, eq=False)
class Report:
    """The findings, the maps by method as pixels (N, H, W), and notes that are no warnings."""

    findings: tuple[Finding, ...]
    maps: Mapping[str, Tensor]
    notes: tuple[str, ...]

    @property
    def warnings(self) -> tuple[str, ...]:
        """The checks that warn, each with its map if it is about one."""
        return tuple(f"{f.check}, {f.of}" if f.of else f.check for f in self.findings if f.warns)

    def __str__(self) -> str:
        paragraphs = [*self._words(), *(f"· {note}" for note in self.notes)]
        wrapped = [fill(text, 76, subsequent_indent="  ") for text in paragraphs]
        ends = f"{len(self.warnings)} of {len(self.findings)} checks warn."
        return "\n".join([*self._table(), "", *wrapped, ends])

    def _table(self) -> list[str]:
        """One line for each check of the model, then one for each map."""
        rows = [f"{'check':15}value     line  (large is bad)"]
        rows += [f"{f.check:15}{f}{f.line:7g}  {_WORDS[f.check][0]}" for f in self.findings if not f.of]
        if self.maps:
            head = [f"{check} (line {LINES[check]})" for check in _OF_MAPS]
            rows += ["", f"{'map':15}{'   '.join(f'{title:22}' for title in head)}".rstrip()]
        for name in self.maps:
            found = {f.check: str(f) for f in self.findings if f.of == name}
            cells = [f"{found.get(check, ''):22}" for check in _OF_MAPS]
            rows.append(f"{name:15}{'   '.join(cells)}".rstrip())
        return rows

    def _words(self) -> list[str]:
        """What each kind of warning means, once, and the maps that it is about."""
        texts = []
        for check, missing in dict.fromkeys((f.check, isnan(f.value)) for f in self.findings if f.warns):
            found = [f for f in self.findings if f.warns and (f.check, isnan(f.value)) == (check, missing)]
            maps = f" ({'; '.join(f.of for f in found)})" if found[0].of else ""
            reasons = dict.fromkeys(f.details.rstrip(".") for f in found if f.details)
            details = "".join(f"{reason}. " for reason in reasons)
            texts.append(f"! {check}{maps}: {details}{_MISSING if missing else _WORDS[check][1]}")
        return texts
