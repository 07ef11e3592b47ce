"""The ledger: nothing is lost between the cards of the chapters and the page, and its counts are sums."""

import ast
import csv
import io
import itertools
import json
import math
import random
import re
from collections import Counter
from types import SimpleNamespace

import nbformat
import pytest
from bs4 import BeautifulSoup

from tests import check_claims
from tools.build_ledger import BOOK, CHAPTERS, card_of, files, ledger, quantity_of, table_2_by_chance
from tools.ledger_chance import bound, by_chance, ends_read, expressions, intervals_read
from tools.ledger_page import chance_rows, page
from tools.ledger_table import VERDICTS, in_words
from tutorial_lib.evaluation.statistics import Interval, exact
from tutorial_lib.notebook.claims import Card, all_claims, claim

ITEMS = ledger()
THERE = {path.stem for path in CHAPTERS.glob("*.md")}
each_item = pytest.mark.parametrize("item", ITEMS, ids=lambda item: item["id"])


@pytest.fixture(scope="module")
def shown() -> BeautifulSoup:
    """The committed page; its tables are HTML."""
    return BeautifulSoup((BOOK / "ledger.md").read_text("utf8"), "html.parser")


# The committed files


@pytest.mark.parametrize("name", ["ledger.md", "ledger.json", "ledger.csv"])
def test_the_committed_file_is_that_of_the_notebooks(name):
    assert (BOOK / name).read_text("utf8") == files()[name], "run: make ledger"


def test_every_item_stands_once_in_each_file(shown):
    ids = sorted(all_claims())
    assert sorted(item["id"] for item in json.loads((BOOK / "ledger.json").read_text("utf8"))) == ids
    table = csv.DictReader(io.StringIO((BOOK / "ledger.csv").read_text("utf8")))
    assert sorted(line["id"] for line in table) == ids
    rows = shown.select("table.ledger tbody tr")
    assert sorted(row.th.get_text() for row in rows) == ids
    assert [row["id"] for row in rows] == [row.th.get_text().lower() for row in rows]


@each_item
def test_an_item_is_pending_only_while_its_chapter_is_missing(item):
    assert item["verdict"] in VERDICTS
    assert (item["verdict"] == "pending") == (item["chapter"] not in THERE) == (item["link"] is None)


@each_item
def test_quantities_are_those_of_the_rule_and_finite(item):
    registered = all_claims()[item["id"]]
    if "measures" in registered and item["link"]:
        assert set(item["quantities"]) == set(registered["measures"])
    for quantity in item["quantities"].values():
        assert math.isfinite(quantity["value"]) and quantity["n"] >= 1
        if quantity["lo"] is None:
            assert quantity["hi"] is None and item["verdict"] == "undecided"
        else:
            assert quantity["lo"] <= quantity["value"] <= quantity["hi"]


@each_item
def test_the_parts_are_those_of_the_rule_and_make_the_verdict(item):
    registered, found = all_claims()[item["id"]], set(item["parts"].values())
    names = [*registered.get("rule", {}).get("parts", {}), *registered.get("sub_results", {})]
    assert list(item["parts"]) == (names if item["link"] else [])
    if "rule" in registered and found:
        one = min(found) if len(found) == 1 else "holds in part"
        assert item["verdict"] == ("undecided" if "undecided" in found else one)


@each_item
def test_the_link_leads_to_an_anchor_of_the_chapter(item, shown):
    links = [link["href"] for link in shown.select(f"#{item['id'].lower()} a")]
    assert links == ([f"../{item['link']}"] if item["link"] else [])
    if item["link"]:
        path, anchor = item["link"].split(".html#")
        assert (BOOK.parent / f"{path}.md").read_text("utf8").count(f"({anchor})=\n") == 1


# Reading a card


def through(card: Card) -> dict:
    """What the ledger reads of a card."""
    return card_of(repr(card), card._repr_html_(), card.item)


def test_a_card_is_read_as_it_was_judged():
    low, high = Interval(0.6, 0.5, 0.7, 5, 0.99), Interval(-1.97e-5, -2.5, 1230, 5, 0.99)
    for name, shapes in (("C24", high), ("C21", low)):
        measured = {"fashion": low, "shapes": shapes}
        card = claim(name).judge(**measured)
        read = through(card)
        assert read["verdict"] == card.outcome and read["table2"] is None
        assert read["parts"] == {part: found for part, found in card.parts.items() if part}
        for key, quantity in measured.items():
            ends = {"value": quantity.value, "lo": quantity.lo, "hi": quantity.hi, "n": quantity.n}
            assert read["quantities"][key] == pytest.approx(ends, rel=1e-2)


def test_a_cell_of_table_2_is_read_with_both_words_and_its_sub_results():
    read = through(claim("C44").judge(gap_free=exact(1, n=9), gap_bias=0.02, misses=0, dummy=1e-9))
    assert read["verdict"] == "undecided" and read["parts"]["sensitivity_a"] == "Yes (holds)"
    assert read["table2"] == {
        "method": "Saliency", "requirement": "sensitivity", "ours": "undecided", "paper": "Yes",
    }  # fmt: skip
    layer = dict.fromkeys(all_claims()["C73"]["measures"], 0.0)
    assert through(claim("C73").judge(**layer))["table2"]["paper"] == "Depends (layer chosen)"


def test_cards_without_a_verdict_are_read():
    assert through(claim("C05").judge())["verdict"] == "not testable here"
    assert through(claim("C03").report(constant_map=0))["quantities"]["constant_map"]["value"] == 0
    assert through(claim("C19").implemented(largest_difference=0.0, tolerance=1))["verdict"] == "implemented"


def test_an_unbounded_quantity_has_no_ends():
    read = through(claim("C145").judge(ratio=Interval(0.4, float("-inf"), float("inf"), 500, 0.95)))
    assert read["quantities"] == {"ratio": {"value": 0.4, "lo": None, "hi": None, "n": 500}}
    assert in_words(read["quantities"]["ratio"]) == "0.4 (no bound), n = 500"


@pytest.mark.parametrize("text", ["a = nan", "a = 1 [0, inf], n = 5", "a", "a = 1 [0, 2]; n = 5"])
def test_what_is_no_quantity_is_refused(text):
    with pytest.raises(ValueError, match="no quantity"):
        quantity_of(text)


@pytest.mark.parametrize("copies", [0, 2])
def test_a_chapter_with_no_card_or_two_for_an_item_is_refused(copies, tmp_path):
    card = claim("C05").judge()
    data = {"text/plain": repr(card), "text/html": card._repr_html_()}
    output = nbformat.v4.new_output("execute_result", data, execution_count=1)
    cell = nbformat.v4.new_code_cell(outputs=[output] * copies)
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "01_introduction.ipynb")
    with pytest.raises(ValueError, match=f"C05 has {copies} cards"):
        ledger(tmp_path)


def test_every_item_has_exactly_one_outcome():
    named = [item["id"] for item in ITEMS]
    assert sorted(named) == sorted(all_claims()) and len(set(named)) == len(named) == 160
    assert "pending" not in {item["verdict"] for item in ITEMS}


def test_without_chapters_everything_is_pending(tmp_path):
    assert {item["verdict"] for item in ledger(tmp_path)} == {"pending"}
    assert table_2_by_chance(tmp_path) is None
    text = page(ledger(tmp_path), None)
    assert "For Table 2 chance" not in text and "still to come" in text


# Counts


def test_the_counts_add_up_to_the_items_that_count(shown):
    verdicts = Counter()
    for table in shown.select("table.ledger-counts")[:2]:
        heads = [head.get_text() for head in table.select("thead th")]
        for row in table.select("tbody tr"):
            numbers = {cell["data-label"]: int(cell.get_text()) for cell in row.select("td")}
            assert list(numbers) == heads
            verdicts.update(numbers)
    assert +verdicts == Counter(item["verdict"] for item in ITEMS if not item["evidence_of"])


def test_what_is_not_the_papers_own_claim_stands_apart(shown):
    verdicts, others, chance = shown.select("table.ledger-counts")
    names = [row.th.get_text() for row in verdicts.select("tbody tr")]
    own = next(row for row in verdicts.select("tbody tr") if row.th.get_text() == "the paper, empirical")
    expected = [
        i for i in ITEMS
        if i["source"] == "paper" and i["kind"] == "empirical" and i["section"] != "Table 2"
        and not i["analogue"] and not i["evidence_of"]
    ]  # fmt: skip
    assert sum(int(cell.get_text()) for cell in own.select("td")) == len(expected)
    apart = {"the paper, Table 2, property", "this book, empirical", "stand-ins for the paper, empirical"}
    assert apart < set(names)
    assert len(names) == len(set(names)) and not any("total" in text.lower() for text in names)
    assert "holds" not in others.thead.get_text() and "implemented" not in verdicts.thead.get_text()
    assert len(chance.select("tbody tr")) == len(chance_rows(ITEMS))


# Chance


def times_held(item: dict, rng: random.Random, *, together: bool, draws: int) -> int:
    """How often an experiment holds whose true values lie on the lines of the rule; its errors are
    independent, or one error for all."""
    wide = 2.5758293 if item["interval"] == 99 else 1.9599640
    lines, held = {}, 0
    for text in expressions(item):
        for name, line in re.findall(r"(\w+)\.(?:lo|hi) [<>]=? (-?[\d.e-]+)", text):
            lines.setdefault(name, float(line))
    rule = [check_claims.parse(text, item["measures"]) for text in expressions(item)]
    for _ in range(draws):
        common, measured = rng.gauss(0, 1), {}
        for name, line in lines.items():
            value = line + 1e-9 * (common if together else rng.gauss(0, 1))
            measured[name] = SimpleNamespace(lo=value - 1e-9 * wide, hi=value + 1e-9 * wide)
        held += all(check_claims.holds(part, measured) for part in rule)
    return held


@pytest.mark.parametrize("together", [False, True])
def test_no_rule_holds_on_its_line_more_often_than_its_bound(together):
    rng, draws = random.Random(7), 1000
    rules = [
        item for item in all_claims().values()
        if "rule" in item and set(item["measures"]) == set().union(*map(ends_read, expressions(item)))
    ]  # fmt: skip
    assert len(rules) > 60
    expected = draws * sum(map(by_chance, rules))
    held = sum(times_held(item, rng, together=together, draws=draws) for item in rules)
    assert 0 < held < expected + 4 * math.sqrt(expected)


def test_the_bound_of_single_rules():
    """One 95 % interval; a conjunction; one of four; at least four of six, and one more."""
    bounds = {name: by_chance(all_claims()[name]) for name in ("C33", "C35", "C78", "C94", "C67")}
    assert bounds == pytest.approx({"C33": 0.025, "C35": 0.005, "C78": 0.02, "C94": 0.005, "C67": 0})
    assert [intervals_read(all_claims()[name]) for name in ("C33", "C35", "C78", "C94", "C17", "C03")] == [
        1, 3, 4, 14, 0, 0,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("expression", "most"),
    [
        ("a.lo > 0", 0.01),
        ("a.value > 0", 1),
        ("a.lo > 0 and b.value < 1", 0.01),
        ("(a.lo > 0 or b.lo > 0) and c.lo > 0", 0.01),
        ("a.lo > 0 or b.hi < 0 and c.hi < 0", 0.02),
        ("(a.lo > 0) + (b.lo > 0) + (c.lo > 0) >= 2", 0.015),
    ],
)
def test_the_bound_of_an_expression(expression, most):
    assert bound(ast.parse(expression, mode="eval").body, 0.01) == pytest.approx(most)


def test_a_call_over_intervals_has_no_bound():
    with pytest.raises(ValueError, match="no bound is known"):
        bound(ast.parse("max(a.lo, b.lo) > 0", mode="eval").body, 0.01)


def test_the_rows_of_the_chance_table_hold_every_rule_that_has_run_and_counts():
    rules = all_claims()
    run = [
        item for item in ITEMS
        if intervals_read(rules[item["id"]]) and item["link"] and not item["evidence_of"]
    ]  # fmt: skip
    at_95, at_99, intervals, most, held = map(sum, zip(*chance_rows(ITEMS).values(), strict=True))
    assert at_95 == sum(item["interval"] == 95 for item in run) and at_95 + at_99 == len(run)
    assert intervals == sum(intervals_read(rules[item["id"]]) for item in run)
    assert most == pytest.approx(sum(by_chance(rules[item["id"]]) for item in run))
    assert held == sum(item["verdict"] == "holds" for item in run)


def test_the_chance_of_table_2_is_that_of_a_random_deal():
    """Exactly, by all permutations of each column; chapter 11 sampled 10,000."""
    distribution = {0: 1.0}
    cells = [item["table2"] for item in ITEMS if item["table2"] and item["table2"]["paper"] != "?"]
    for name in sorted({cell["requirement"] for cell in cells}):
        column = [cell for cell in cells if cell["requirement"] == name]
        ours, paper = zip(*((cell["ours"], cell["paper"].split()[0]) for cell in column), strict=True)
        equal = [sum(map(str.__eq__, ours, dealt)) for dealt in itertools.permutations(paper)]
        share = {k: n / len(equal) for k, n in Counter(equal).items()}
        old, distribution = distribution, Counter()
        for (a, p), (b, q) in itertools.product(old.items(), share.items()):
            distribution[a + b] += p * q
    printed = table_2_by_chance()
    assert int(printed["cells"]) == len(cells)
    assert int(printed["equal"]) == sum(cell["ours"] == cell["paper"].split()[0] for cell in cells)
    assert sum(k * p for k, p in distribution.items()) == pytest.approx(float(printed["mean"]), abs=0.1)
    tail = sum(p for k, p in distribution.items() if k >= int(printed["equal"]))
    assert tail == pytest.approx(float(printed["share"]), abs=4 * math.sqrt(tail / 10_000))
