"""The method cards, the cheat sheet and the choosing page: the file behind them, and their numbers."""

import ast
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from bs4 import BeautifulSoup

from tools import card_settings
from tools.build_cards import BOOK, files
from tools.card_html import ledger, outcome, outcomes
from tools.card_methods import Book, book, laws, papers, read
from tools.card_properties import PROPERTIES, claims_of, finding, findings
from tools.card_rows import MET, NOT, OPEN, in_words, judged, side
from tools.card_trials import NETWORKS, bound, case, counted, runs_on
from tools.cheat_page import COLUMNS
from tools.choosing_page import ASKED, QUESTIONS
from tutorial_lib.attribution.gradients import deconvnet
from tutorial_lib.attribution.pixels import sum_over_colour
from tutorial_lib.datasets import fashion_mnist
from tutorial_lib.evaluation.agreement import rank_correlations
from tutorial_lib.evaluation.statistics import Interval
from tutorial_lib.models.fashion import FashionCNNMaxPool
from tutorial_lib.models.zoo import load
from tutorial_lib.notebook.results import recorded

ROOT = Path(__file__).parents[1]
BRIDGE = ROOT / "tutorial_lib/attribution/captum_bridge.py"  # oracles
PAGES = ("method_cards.md", "cheat_sheet.md", "choosing.md")
METHODS = {method.key: method for method in book().methods}
CLAIMED = {item["id"]: item for item in ledger()}
SHORT = {  # the names of methods in the claims' quantities
    "saliency": "saliency", "gbp": "guided backprop", "sg": "SmoothGrad", "gxi": "Gradient x Input",
    "ig": "IG", "deeplift": "DeepLIFT", "gradcam": "Grad-CAM",
}  # fmt: skip
each_method = pytest.mark.parametrize("method", METHODS.values(), ids=lambda method: method.id)


@pytest.fixture(scope="module")
def pages() -> dict[str, BeautifulSoup]:
    """The committed pages; their tables are HTML."""
    return {name: BeautifulSoup((BOOK / name).read_text("utf8"), "html.parser") for name in PAGES}


def numbers(words: str) -> list[float]:
    return [float(each) for each in re.findall(r"-?\d+\.\d+", words)]


# The committed files


def test_the_committed_pages_are_those_of_the_data():
    made = files()
    assert set(made) == set(PAGES)
    for name, text in made.items():
        assert (BOOK / name).read_text("utf8") == text, "run: make cards"


def test_every_method_stands_once_on_each_page(pages):
    ids = [method.id for method in METHODS.values()]
    cards = re.findall(r"^\(card-(.+)\)=$", (BOOK / "method_cards.md").read_text("utf8"), re.M)
    assert sorted(cards) == sorted(ids) and len(set(ids)) == len(ids)
    rows = pages["choosing.md"].select("table.choosing tr[id]")
    assert [row["id"] for row in rows] == [f"m-{i}" for i in ids]
    links = [row.th.a["href"] for row in pages["cheat_sheet.md"].select("tbody tr:not(.cheat-control)")]
    assert links == [f"method_cards.html#card-{i}" for i in ids]


def test_every_method_of_the_library_has_a_card_or_is_named_as_no_map_of_the_image():
    found = set()
    for path in set((ROOT / "tutorial_lib/attribution").glob("*.py")) - {BRIDGE}:
        for node in ast.parse(path.read_text("utf8")).body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                names = [argument.arg.removeprefix("_") for argument in node.args.args]
                if names == ["model", "x", "target"]:
                    found.add(node.name)
    cards = {method.function.split(".")[1] for method in METHODS.values()}
    assert found == cards | set(book().others) and not cards & set(book().others)


# data/methods.yml


def broken(old: str, new: str) -> str:
    text = (ROOT / "data/methods.yml").read_text("utf8")
    assert old in text
    return text.replace(old, new, 1)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("claims: [C44]", "claims: [C999]", "not all claims"),
        ("claims: [C44]", "claims: []", "nothing supports"),
        ("laws: [test_reveal_cancel_is_complete]", "laws: [test_it_is_good]", "not all tests"),
        ("function: gradients.saliency", "function: gradients.salience", "no gradients.salience"),
        ("function: gradients.saliency", "function: slopes.saliency", "no slopes.saliency"),
        ("paper: simonyan2014deep", "paper: simonyan2041deep", "not in book/references.bib"),
        ("[04_gradients, The gate]", "[04_gradients, The door]", "is no heading"),
        ("unit: pixel", "unit: colour", "unit or family unknown"),
        ("  sigma:", "  spread:", "nobody says what"),
        ("unit: pixel", "grade: 10", "which nobody reads"),
        ("key: SmoothGrad\n", "key: saliency\n", "two methods have one key"),
    ],
)
def test_what_does_not_exist_is_refused(old, new, message):
    with pytest.raises(ValueError, match=message):
        read(broken(old, new))


def test_the_file_itself_is_sound_and_names_what_is_in_the_results():
    assert isinstance(book(), Book) and len(papers()) > 50 and len(laws()) > 500
    measured = set().union(*(set(each) for each in findings().values()))
    controls = {"random map", "constant map", "edge filter"}
    assert measured == set(METHODS) | controls


@each_method
def test_no_support_is_a_claim_that_is_still_to_come(method):
    names = [name for item in method.avoid for name in item.get("claims", [])]
    assert "pending" not in {outcomes()[name] for name in names}


def test_sentences_that_state_a_verdict_state_that_of_the_ledger():
    """A verdict that changes asks for other words in data/methods.yml."""
    stated = {
        "C22": "undecided", "C37": "undecided", "C96": "undecided", "C146": "undecided", "C101": "holds",
        "C23": "does not hold", "C36": "does not hold", "C144": "holds in part", "C92": "holds in part",
        "C99": "holds", "C100": "holds", "C28": "holds", "C31": "holds", "C32": "holds", "C78": "holds",
    }  # fmt: skip
    assert {name: outcomes()[name] for name in stated} == stated
    assert CLAIMED["C96"]["parts"]["gbp_fashion"] == CLAIMED["C96"]["parts"]["gbp_shapes"] == "holds"
    assert CLAIMED["C144"]["parts"]["ensembles_better"] == "does not hold"
    assert CLAIMED["C92"]["parts"]["large_n"] == CLAIMED["C32"]["parts"]["exception"] == "holds"
    assert CLAIMED["C102"]["parts"]["ig_shapes"] == "holds"


def test_a_claim_with_parts_says_what_became_of_those_on_the_method():
    assert outcome("C102", METHODS["saliency"]) == "undecided, on this method holds"
    assert outcome("C102", METHODS["IG"]) == "undecided, on this method holds and undecided"
    assert outcome("C96", METHODS["guided backprop"]) == "undecided, on this method holds"
    assert outcome("C99", METHODS["DeconvNet"]) == "holds"
    assert outcome("C44", METHODS["saliency"]) == "ours No"


# Numbers, by another way


def shown(name: str, key: str, world: int = 0) -> list[float]:
    """The numbers of a row as the page has them."""
    return numbers(finding(name, METHODS[key]).rows[world].words)


@pytest.mark.parametrize(("name", "claim"), [("class", "C94"), ("attack", "C102"), ("labels", "C95")])
def test_intervals_are_those_that_the_chapter_judged(name, claim):
    """The ledger reads them from the executed notebook."""
    for quantity, q in CLAIMED[claim]["quantities"].items():
        short, _, world = quantity.partition("_")
        numbers = shown(name, SHORT[short], world=world == "shapes")[:3]
        assert numbers == pytest.approx([q["value"], q["lo"], q["hi"]], rel=5e-3, abs=1e-3)  # three digits
    assert len(CLAIMED[claim]["quantities"]) in (7, 8, 14)


def test_steadiness_is_that_of_chapter_3():
    for key in ("saliency", "SmoothGrad", "IG", "Grad-CAM"):
        for i, world in enumerate(("fashion", "shapes")):
            q = CLAIMED["C03"]["quantities"][f"{world}_{key}"]
            value, low, high = shown("calm", key, i)[:3]
            assert value == pytest.approx(q["value"], abs=1e-3)
            assert low < q["lo"] and q["hi"] < high  # 99 %, there 95 %


def test_words_of_table_2_are_those_of_the_ledger():
    columns = {"written": "implementation invariance", "shift": "input invariance", "plateau": "saturation"}
    seen = 0
    for method in METHODS.values():
        for name, requirement in columns.items():
            for claim in claims_of(name, method):
                assert CLAIMED[claim]["table2"]["requirement"] == requirement
                assert finding(name, method).rows[0].short.split()[0] == CLAIMED[claim]["table2"]["ours"]
                seen += 1
        parts = {"sum": "completeness", "cause": "sensitivity_a", "dummy": "dummy"}
        for name, part in parts.items():
            for claim in claims_of(name, method):
                word = CLAIMED[claim]["parts"][part].split()[0]
                assert finding(name, method).rows[0].short.split()[0] == word
                seen += 1
    assert seen == 7 * 6


def test_means_and_numbers_of_images_are_those_of_the_file():
    """With numpy, from the lists."""
    run = recorded("class_and_stability").values
    for i, world in enumerate(("fashion", "shapes")):
        for key in ("saliency", "Grad-CAM"):
            table = run[f"stability {world}"]["fidelity"][key].numpy()
            words = finding("cover", METHODS[key]).rows[i].words
            assert numbers(words)[0] == pytest.approx(np.nanmean(table, axis=1).mean(), abs=6e-4)
            assert words.endswith(f"n = {np.isfinite(table).sum()}")
            moved = run[f"stability {world}"]["relative"][key].numpy()
            median = np.nanquantile(moved, 0.5, axis=1, method="lower").mean()
            assert shown("calm", key, i)[0] == pytest.approx(median, abs=6e-4)
    gap = recorded("paths_and_samples").values["completeness fashion"]["midpoint"]["50"].numpy()
    few = float(re.search(r"median gap ([\d.]+) with 50", finding("sum", METHODS["IG"]).rows[1].words)[1])
    assert few == pytest.approx(np.median(gap, axis=1).mean(), rel=0.05)
    shape = recorded("randomisation").values["shapes"]["images"]["rank accuracy"]["Grad-CAM"].numpy()
    deviation = shape.mean(1).std(ddof=1)
    value, low, high = shown("place", "Grad-CAM")[:3]
    assert value == pytest.approx(shape.mean(), abs=6e-4)
    assert high - low > 2 * 4.604 * deviation / np.sqrt(5)  # t(4) at 99 %; the images add to it


def test_passes_are_those_that_the_benchmark_counted():
    """Of 200 images, or of 32 with 50 steps, copies or baselines, or 49 windows and the image."""
    counts = {key: max(counted(METHODS[key])) for key in ("saliency", "DeepLIFT", "Grad-CAM", "occlusion")}
    assert counts == {"saliency": 1, "DeepLIFT": 2, "Grad-CAM": 1, "occlusion": 50}
    assert counted(METHODS["IG"]) == (64, 64) and counted(METHODS["SmoothGrad"]) == (32, 32)
    assert counted(METHODS["RISE"]) == counted(METHODS["LIME"]) == (500, 0)
    assert counted(METHODS["deep Taylor"]) is None


def test_milliseconds_are_those_of_the_benchmarks_page():
    page = (BOOK / "appendix_speed.md").read_text("utf8")
    task = re.findall(r"^\| integrated gradients, 50 steps \| [^|]+ \| [^|]+ \| (\d+) ", page, re.M)
    for i, images in enumerate((32, 16)):
        words = finding("time", METHODS["IG"]).rows[i].words
        assert float(words.split()[0]) == pytest.approx(float(task[i]) / images, rel=0.05)


# What decides


def ends(low: float, high: float) -> Interval:
    return Interval((low + high) / 2, low, high, 5, 0.99)


@pytest.mark.parametrize(
    ("intervals", "below", "above"),
    [
        ([(0.1, 0.2), (0.3, 0.4)], MET, NOT),
        ([(0.1, 0.2), (0.6, 0.7)], NOT, NOT),
        ([(0.1, 0.2), (0.4, 0.6)], OPEN, NOT),
        ([(0.6, 0.7), (0.8, 0.9)], NOT, MET),
        ([(0.4, 0.6)], OPEN, OPEN),
        ([(0.5, 0.7)], OPEN, OPEN),  # on the line is not beyond it
    ],
)
def test_a_requirement_is_met_if_every_interval_is_beyond_the_line(intervals, below, above):
    found = [ends(*each) for each in intervals]
    assert (side(found, below=True), side(found, below=False)) == (below, above)


def test_a_world_that_was_not_measured_leaves_a_requirement_open():
    found = {"fashion": {"a": ends(0.1, 0.2), "b": ends(0.6, 0.7)}, "shapes": {}}
    result = judged(found, dict.fromkeys(found, ""), "token", below=True)
    assert (result["a"].verdicts, result["b"].verdicts) == ({"token": OPEN}, {"token": NOT})


def test_the_verdicts_are_those_of_the_registered_rules():
    """Of the class: C94's comparisons; under attack: no method is beyond the line."""
    verdicts = {key: finding("class", METHODS[key]).verdicts["class"] for key in SHORT.values()}
    assert [key for key in verdicts if verdicts[key] == NOT] == ["guided backprop"]
    assert [key for key in verdicts if verdicts[key] == OPEN] == ["SmoothGrad"]
    assert MET not in {each.verdicts["attack"] for each in findings()["attack"].values()}
    parts = CLAIMED["C102"]["parts"]
    assert finding("attack", METHODS["IG"]).verdicts["attack"] == NOT  # undecided on the garments alone
    assert (parts["ig_fashion"], parts["ig_shapes"]) == ("undecided", "holds")


def test_a_random_map_meets_some_requirements_and_its_value_stands_beside_the_others():
    control = {name: each.get("random map") for name, each in findings().items()}
    assert control["class"].verdicts["class"] == MET and control["sum"].verdicts["sum"] == NOT
    assert control["cover"].verdicts["cover"] == NOT and control["place"].verdicts["region"] == NOT
    for name in ("class", "cover", "labels", "weights", "calm", "place", "attack", "sum", "removal"):
        own = [found.rows for method in METHODS.values() if (found := finding(name, method))]
        assert own and all(row.control for rows in own for row in (rows[:1] if name == "sum" else rows)), name


def test_every_answer_asks_for_a_property_that_has_its_token():
    for question in QUESTIONS:
        assert sum(not answer.token for answer in question.answers) == (not question.several)
        for answer in question.answers:
            if answer.token and answer.token != "right":
                known = set().union(*(each.verdicts for each in findings()[answer.asks].values()))
                assert answer.token in known and answer.line
    assert set(PROPERTIES) >= ASKED and 5 <= len(QUESTIONS) <= 7


def test_the_choosing_page_holds_the_verdicts(pages):
    for row in pages["choosing.md"].select("table.choosing tr[id]"):
        method = next(m for m in METHODS.values() if f"m-{m.id}" == row["id"])
        shown = {div["data-property"]: div for div in row.select("[data-property]")}
        assert set(shown) == ASKED
        for name, div in shown.items():
            found = finding(name, method)
            assert ("data-unmeasured" in div.attrs) == (found is None)
            for token, state in (found.verdicts if found else {}).items():
                assert (token in div["data-met"].split()) == (state == MET)
                assert (token in div["data-undecided"].split()) == (state == OPEN)


@each_method
def test_what_was_not_measured_is_said(method, pages):
    captions = {caption.text: caption for caption in pages["method_cards.md"].select("caption")}
    caption = captions[f"{method.name}: what was measured"]
    rows = {row.th.text: row for row in caption.parent.select("tbody tr")}
    missing = [each.title for name, each in PROPERTIES.items() if finding(name, method) is None]
    assert ("Not measured here" in rows) == bool(missing)
    if missing:
        assert rows["Not measured here"].td.text == ", ".join(missing)
    assert len(rows) == len(PROPERTIES) - len(missing) + bool(missing)


def test_no_page_ranks_or_praises():
    for name in PAGES:
        text = (BOOK / name).read_text("utf8").lower()
        assert not re.search(r"\b(winner|recommended|state-of-the-art|simply|obviously|powerful)\b", text)
    order = [method.family for method in METHODS.values()]
    assert order == sorted(order, key=list(book().families).index)


# Rows that wait for chapter 16


def test_steps_copies_and_baselines_are_shown_once_they_were_measured(monkeypatch):
    wide = {
        "IG, black": [0.2, 0.3], "IG, mean": [0.5, 0.6], "IG, white": [0.4, 0.4], "random map": [0.1, 0.12],
    }  # fmt: skip
    cost = {"IG": {"stays": torch.tensor([55, 63.4, 71, 250])},
            "SmoothGrad": {"absolute": torch.tensor([90, 100, 110, 250])}}  # fmt: skip
    wide = {name: torch.tensor(values) for name, values in wide.items()}
    values = {"costs fashion": {"median": cost}, "six baselines shapes": {"mean": {"wide": wide}}}
    monkeypatch.setattr(card_settings, "recorded", lambda _name: SimpleNamespace(values=values))
    (steps,), (copies,) = card_settings.enough("IG"), card_settings.enough("SmoothGrad")
    assert steps.words == "63 [55, 71] steps until the sum is right within 1 %, median, n = 250"
    assert copies.words.startswith("100 [90, 110] copies") and card_settings.enough("saliency") == []
    (row,) = card_settings.six_baselines("IG")
    assert row.words == "on the shape 0.25 (black) to 0.55 (mean), 3 baselines" and row.control == "0.11"
    assert card_settings.six_baselines("DeepLIFT") == []


# Laws that the cards name


@each_method
def test_a_method_runs_on_the_networks_that_its_card_names(method):
    """Rules at modules need them, a walk through the layers needs a sequence, masks need outputs alone."""
    runs = {kind: runs_on(method)[kind] for kind in NETWORKS}
    assert runs["a plain sequence"]
    assert runs["skip connections"] == (method.function.split(".")[0] != "layerwise")
    assert runs["max-pooling"] == (method.key != "RevealCancel")
    assert runs["outputs only"] == (method.family == "perturbation")
    rules = {"DeconvNet", "guided backprop", "guided Grad-CAM"}
    assert runs["other activations"] == (method.key not in rules)
    walks = {*rules, "epsilon-LRP", "DeepLIFT", "RevealCancel", "deep Taylor"}
    assert runs["ReLUs written as functions"] == (method.key not in walks)


def test_the_functional_network_is_the_same_function():
    (model, x, *_), (other, *_) = case("a plain sequence"), case("ReLUs written as functions")
    assert torch.equal(model(x), other(x))


@pytest.mark.parametrize("method", [m for m in METHODS.values() if m.unit != "pixel"], ids=lambda m: m.id)
def test_a_coarse_map_has_no_more_values_than_it_has_places(method):
    """Occlusion and LIME by counting values; enlarged maps by the rank of many of them."""
    model, _, _, layer = case("a plain sequence")
    n = 40 if method.family == "cam" else 3  # more than there are places, for the rank
    x, target = fashion_mnist("test").images[:n], fashion_mnist("test").targets[:n]
    heat = sum_over_colour(bound(method, layer, x)(model, x, target)).double()
    if method.key in ("occlusion", "LIME"):
        assert max(len(each.unique()) for each in heat) <= 49
    elif method.key == "RISE":
        steps = heat.flatten(1).diff(dim=1).abs().mean()  # between neighbours; its cells are larger
        assert steps < heat.flatten(1).std(1).mean() / 3
    else:
        places = 5 * 5
        assert torch.linalg.matrix_rank(heat.flatten(1), rtol=1e-5) <= places < len(x)


@pytest.mark.parametrize("method", [m for m in METHODS.values() if m.unit == "pixel"], ids=lambda m: m.id)
def test_a_fine_map_has_a_value_for_each_pixel(method):
    """Of those that are not 0; black pixels tie."""
    model, x, target, layer = case("a plain sequence")
    heat = sum_over_colour(bound(method, layer, x)(model, x, target)).flatten()
    assert len(heat[heat != 0].unique()) > 0.9 * (heat != 0).sum() and (heat != 0).sum() > 300


def test_without_max_pooling_deconvnet_has_one_map_for_all_images():
    images, target = fashion_mnist("test").images[:6], torch.zeros(6, dtype=torch.long)
    one = deconvnet(load("fashion_natural_100"), images, target)
    many = deconvnet(FashionCNNMaxPool().eval(), images, target)
    assert torch.allclose(one, one[:1].expand_as(one)) and one.abs().max() > 0
    assert not torch.allclose(many, many[:1].expand_as(many))


def test_the_z_plus_map_hardly_depends_on_the_class():
    """Beside Gradient x Input, which does; pixels that are not black."""
    model, _, _, layer = case("a plain sequence")
    data = fashion_mnist("test")
    x, target = data.images[:20], data.targets[:20]
    other = model(x).scatter(1, target[:, None], -torch.inf).argmax(1)
    alike = {}
    for key in ("deep Taylor", "Gradient x Input"):
        method = bound(METHODS[key], layer, x)
        own, runner_up = (sum_over_colour(method(model, x, t)) for t in (target, other))
        alike[key] = rank_correlations(own, runner_up, where=x[:, 0] != 0).mean().item()
    assert alike["deep Taylor"] > 0.95 and alike["Gradient x Input"] < 0.6


def test_the_short_numbers_of_the_cheat_sheet_are_the_long_ones_rounded():
    for name, (token, *_) in COLUMNS.items():
        for found in findings()[name].values():
            for row in [row for row in found.rows if row.short] if token else []:
                first = numbers(row.short)[0]
                assert abs(first - float(re.match(r"-?\d+(\.\d+)?", row.words)[0])) <= 0.0051


def test_an_interval_in_words():
    assert in_words(ends(0.1, 0.3)) == "0.200 [0.100, 0.300], n = 5"
    assert in_words(Interval(1.0, 1.0, 1.0, 7)) == "1.000, n = 7"
