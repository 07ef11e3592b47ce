"""What the method cards show, in order: a title, how to read it, where it comes from, the rows."""
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

from tools import card_facts as facts
from tools import card_runs as runs
from tools.card_methods import Method
from tools.card_rows import Finding, Findings
from tutorial_lib.notebook.claims import all_claims
from tutorial_lib.notebook.table2 import PAPER_NAMES

LIMITS, SANITY = "../chapters/12_limitations.html", "../chapters/10_sanity_checks.html"
TABLE = "../chapters/11_table_2.html"


class Property(NamedTuple):
    """`source` is a page and the words of the link to it; `claims` are rows of the ledger, or a column of
    Table 2, whose claims belong to one method each."""

    title: str
    reading: str
    source: tuple[str, str]
    claims: tuple[str, ...] | str
    findings: Callable[[], Findings]


def column(title: str, requirement: str, reading: str, anchor: str, token: str | None = None,
           part: str | None = None) -> Property:  # fmt: skip
    """A column of Table 2, or a part of its last one."""
    return Property(title, reading, (f"{TABLE}#{anchor}", "chapter 11"), requirement,
                    lambda: facts.cell(part or requirement, token))  # fmt: skip


PROPERTIES = {
    "passes": Property(
        "Passes", "images that go forward through the network, and signals that come back, for one map with "
        "the protocol's settings; counted when this page was written",
        ("../chapters/02_taxonomy.html#what-they-cost", "chapter 2"), (), facts.pass_counts),
    "time": Property(
        "Time", "milliseconds an image on one processor thread, in the benchmark's batches",
        ("appendix_speed.html", "the benchmark"), (), facts.milliseconds),
    "networks": Property(
        "Runs on", "networks of six kinds on which it was called; elsewhere it refuses, or no gradient comes "
        "back", ("appendix_methods.html", "tried when this page was written"), (), facts.networks),
    "unit": Property(
        "Values", "what has a value of its own in the map", ("appendix_methods.html", "all formulas"), (),
        facts.units),
    "baseline": Property(
        "Baseline", "whether it asks for an image that stands for “nothing there”, or hides one",
        (f"{LIMITS}#compared-with-what", "chapter 12"), ("C100",), facts.without_baseline),
    "written": column(
        "Rewritten", "implementation invariance", "Yes: the same function in another form gets the same map; "
        "low and high: rewritten below or above the layer that Grad-CAM explains",
        "how-the-function-is-written"),
    "shift": column(
        "Shifted", "input invariance", "Yes: a shift that the network undoes leaves the map; fixed and "
        "moved: the baseline; dense and conv: the first layer", "what-a-shift-of-the-image-changes"),
    "plateau": column(
        "Plateau", "saturation", "Yes: a saturated cause still gets its share; a and b: two forms of "
        "one function; before and at: the layer of Grad-CAM", "what-is-flat"),
    "sum": column(
        "Adds up", "sensitivity", "Yes: the values add up to the difference of two scores (completeness)",
        "three-demands-in-one-cell", "sum", "completeness"),
    "cause": column(
        "Single cause", "sensitivity", "Yes: a single feature that makes a difference gets something",
        "three-demands-in-one-cell", None, "sensitivity a"),
    "dummy": column(
        "No effect", "sensitivity", "Yes: a feature without effect gets nothing",
        "three-demands-in-one-cell", None, "dummy"),
    "removal": Property(
        "Removal", "32 paired gains of area, against random weights and against another image's map",
        (f"{TABLE}#the-fifth-column-what-is-removed", "chapter 11"), "fidelity", facts.removal),
    "cover": Property(
        "Covering", "rank correlation of the map, by squares, with the fall of the score when "
        "each square is covered; 1 is occlusion itself",
        ("../chapters/03_requirements.html", "chapter 3"), ("C03",), runs.covering),
    "class": Property(
        "Class", "e of the maps of the class and of its runner-up: 0 as different as the measured effects, "
        "1 the same map", (f"{LIMITS}#five-networks-two-worlds", "chapter 12"), ("C94",), runs.class_change),
    "labels": Property(
        "Labels", "e of a network that learnt dealt-out labels by heart: 0 as another image's map, "
        "1 as a second training. Two random maps, each times the image, come as near to 1 as the products do",
        (f"{SANITY}#labels-that-mean-nothing", "chapter 10"), ("C95",), runs.dealt_labels),
    "weights": Property(
        "Weights", "likeness to the map of the same network with every parameter random; low is "
        "needed, and a random map is lower still; an empty map counts as 0",
        (f"{SANITY}#what-does-noticing-prove", "chapter 10"), ("C148",), runs.random_weights),
    "calm": Property(
        "Steady", "largest change of the map under noise of 0.02 that leaves the decision, over the map's "
        "length; median image", ("../chapters/03_requirements.html", "chapter 3"), ("C03",), runs.steadiness),
    "place": Property(
        "On the shape", "share of the highest pixels that lie in the mask, widened by two pixels, with as "
        "many pixels as the mask has; signed maps are read with their signs",
        (f"{SANITY}#what-does-noticing-prove", "chapter 10"), ("C148", "C155"), runs.on_the_shape),
    "attack": Property(
        "Attacked", "share of the highest pixels that stay after an attack on this map, over that after "
        "noise of the same size; prediction kept",
        ("../chapters/13_attribution_attacks.html#how-much-is-left", "chapter 13"), ("C102",), runs.attacked),
}  # fmt: skip


@cache
def findings() -> dict[str, Findings]:
    """Everything that was measured, by property and by the method's key."""
    return {name: each.findings() for name, each in PROPERTIES.items()}


def finding(name: str, method: Method) -> Finding | None:
    """None: not measured here."""
    return findings()[name].get(method.key)


def claims_of(name: str, method: Method) -> list[str]:
    """The rows of the ledger behind a finding."""
    wanted = PROPERTIES[name].claims
    if not isinstance(wanted, str):
        return list(wanted)
    return [
        item["id"] for item in all_claims().values()
        if "table2" in item and item["table2"]["requirement"] == wanted
        and PAPER_NAMES[item["table2"]["method"]] == method.key
    ]  # fmt: skip
