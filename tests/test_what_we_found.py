"""The essay "What we found" says what the ledger says."""

import json
import re
from pathlib import Path

import pytest

BOOK = Path(__file__).parents[1] / "book"
ITEMS = {item["id"]: item for item in json.loads((BOOK / "ledger.json").read_text("utf8"))}
TEXT = (BOOK / "what_we_found.md").read_text("utf8")
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", TEXT, re.M | re.S))
VERDICTS = {"What stands": "holds", "What stands in part": "holds in part",
            "What does not hold here": "does not hold", "What is undecided": "undecided"}
OTHERWISE = {"not testable here", "priced"}  # told at the end of the undecided
BY_CHANCE = "10.1"  # of the ledger's own page


def named(text: str) -> list[str]:
    return re.findall(r"\{ref\}`(C\d+) <claim-c\d+>`", text)


def of_the_paper(verdict: str) -> set[str]:
    return {name for name, item in ITEMS.items()
            if item["source"] == "paper" and item["verdict"] == verdict and not item["table2"]}


@pytest.mark.parametrize("section", VERDICTS)
def test_each_claim_of_the_paper_stands_where_its_verdict_puts_it(section):
    said = {name for name in named(SECTIONS[section]) if not ITEMS[name]["table2"]}
    others = {name for name in said if ITEMS[name]["verdict"] in OTHERWISE}
    assert said - others == of_the_paper(VERDICTS[section])
    if section == "What is undecided":
        assert others == of_the_paper("not testable here") | of_the_paper("priced")


def test_the_cells_of_table_2_that_contradict_ours_are_named():
    wrong = {name for name, item in ITEMS.items() if item["table2"] and item["verdict"] == "does not hold"}
    assert wrong <= set(named(SECTIONS["What does not hold here"]))


def test_every_decimal_number_is_one_of_the_claims_named_in_its_sentence():
    for sentence in re.split(r"(?<=[.:;]) |\n", TEXT):
        numbers = set(re.findall(r"\d+\.\d+", sentence)) - {BY_CHANCE}
        ends = [end for name in named(sentence) for q in ITEMS[name]["quantities"].values()
                for end in (q["value"], q.get("lo"), q.get("hi")) if end is not None]
        for number in numbers:
            digits = len(number.split(".")[1])
            assert number in {f"{abs(end):.{digits}f}" for end in ends}, (number, sentence)


def test_the_counts_are_those_of_the_ledger():
    equal = sum(item["verdict"] == "holds" for item in ITEMS.values() if item["table2"])
    printed = sum(item["table2"]["paper"] != "?" for item in ITEMS.values() if item["table2"])
    assert f"{equal} of the {printed} words" in TEXT
    assert f"{len(of_the_paper('implemented'))} were implemented" in TEXT
    assert f"{BY_CHANCE} of the {printed} cells" in (BOOK / "ledger.md").read_text("utf8")
    numbers = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    for verdict, words in {"holds in part": "{} statements hold with a condition", "does not hold":
                           "{} statements contradict our measurements", "not testable here":
                           "{} statements could not be tested at all"}.items():
        assert words.format(numbers[len(of_the_paper(verdict))].capitalize()) in TEXT
    ours = sum(item["source"] == "ours" for item in ITEMS.values())
    assert f"{numbers[ours].capitalize()} of the claims in the list are ours" in TEXT
