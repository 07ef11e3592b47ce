"""data/claims.yml and the executed chapters -> book/ledger.md, .json, .csv: python -m tools.build_ledger"""
import csv
import io
import json
import re
from pathlib import Path

import nbformat

from tools.ledger_page import page
from tools.ledger_table import in_words
from tutorial_lib.notebook.claims import all_claims

ROOT = Path(__file__).parents[1]
CHAPTERS, BOOK = ROOT / "chapters", ROOT / "book"
N = r"-?\d+(?:\.\d+)?(?:e[+-]\d+)?"
QUANTITY = re.compile(
    rf"(?P<name>[^=]+) = (?P<value>{N})(?: \[(?P<lo>{N}), (?P<hi>{N})\])?"
    r"(?P<open>, too short a scale to bound it)?(?:, n = (?P<n>\d+))?"
)
WORDS = re.compile(r"ours (?P<ours>\w+), paper (?P<paper>.+)")
PARTS = re.compile(r"</strong> — (.*?)</p>")


def quantity_of(text: str) -> tuple[str, dict]:
    """`auroc = 0.61 [0.55, 0.67], n = 5` -> its name, and value, lo, hi (None: unbounded) and n."""
    found = QUANTITY.fullmatch(text)
    if not found:
        raise ValueError(f"no quantity: {text!r}")
    value, lo, hi = (found[key] and float(found[key]) for key in ("value", "lo", "hi"))
    ends = (None, None) if found["open"] else (value, value) if lo is None else (lo, hi)
    return found["name"], {"value": value, "lo": ends[0], "hi": ends[1], "n": int(found["n"] or 1)}


def card_of(text: str, shown: str, item: dict) -> dict:
    """What a card's text says, and of its HTML the outcomes of the parts."""
    _, verdict, *rest = text.split(" · ")
    words = WORDS.fullmatch(rest.pop(0)) if "cell" in item else None
    names = {name.replace("_", " "): name for name in [*item.get("rule", {}).get("parts", {}),
                                                       *item.get("sub_results", {})]}  # fmt: skip
    outcomes = dict(each.split(": ", 1) for each in "".join(PARTS.findall(shown)).split("; ") if each)
    return {
        "verdict": verdict,
        "table2": words and {**item["table2"], **words.groupdict()},
        "parts": {names[name]: outcome for name, outcome in outcomes.items()},
        "quantities": dict(map(quantity_of, rest)),
    }


def cards(chapter: Path) -> list[tuple[str, dict]]:
    """Id and content of every claim card in an executed notebook, in order."""
    found = []
    for cell in nbformat.read(chapter, 4).cells:
        for output in cell.get("outputs", []):
            shown = output.get("data", {})
            if card := re.match(r"(C\d+) · ", shown.get("text/plain", "")):
                item = all_claims()[card[1]]
                found.append((card[1], card_of(shown["text/plain"], shown["text/html"], item)))
    return found


def record(item: dict, outcomes: dict[str, list[dict]], chapters: set[str]) -> dict:
    """One item of the ledger; an item whose chapter is still to come is pending."""
    name, chapter = item["id"], item["chapter"]
    own = outcomes.get(name, [])
    if len(own) != (chapter in chapters):
        raise ValueError(f"{name} has {len(own)} cards; an item of a chapter that is there has one")
    card = own[0] if own else {"verdict": "pending", "table2": None, "parts": {}, "quantities": {}}
    plain = ("id", "chapter", "section", "source", "kind", "quantifier", "claim")
    return {
        **{key: item[key] for key in plain}, **card, "interval": item.get("interval"),
        **{key: item.get(key, False) for key in ("recorded", "analogue", "contested")},
        "evidence_of": item.get("evidence_of"), "pilot": item["pilot"], "tier": item["tier"],
        "worlds": item["worlds"],
        "link": f"chapters/{chapter}.html#claim-{name.lower()}" if own else None,
    }  # fmt: skip


def ledger(folder: Path = CHAPTERS) -> list[dict]:
    """Every item of data/claims.yml by id, with what the notebooks in `folder` found."""
    notebooks = sorted(folder.glob("*.ipynb"))
    outcomes = {}
    for notebook in notebooks:
        for name, card in cards(notebook):
            outcomes.setdefault(name, []).append(card)
    chapters = {notebook.stem for notebook in notebooks}
    items = sorted(all_claims().values(), key=lambda item: int(item["id"][1:]))
    return [record(item, outcomes, chapters) for item in items]


def table_2_by_chance(folder: Path = CHAPTERS) -> dict[str, str] | None:
    """What chapter 11 printed about the agreement by chance; None while the chapter is missing."""
    if not (chapter := folder / "11_table_2.ipynb").exists():
        return None
    outputs = [o for cell in nbformat.read(chapter, 4).cells for o in cell.get("outputs", [])]
    printed = "".join(output.get("text", "") for output in outputs)
    return re.search(
        r"equal: (?P<equal>\d+) of (?P<cells>\d+); by chance (?P<mean>[\d.]+) on average, "
        r"and \d+ or more in (?P<share>[\d.]+) of (?P<deals>[\d,]+) deals", printed,
    ).groupdict()  # fmt: skip


def as_csv(items: list[dict]) -> str:
    """One line an item; parts, quantities and worlds in words."""
    out = io.StringIO()
    writer = csv.DictWriter(out, [key for key in items[0] if key != "table2"] + ["ours", "paper"],
                            lineterminator="\n")  # fmt: skip
    writer.writeheader()
    for item in items:
        words = item["table2"] or {}
        joined = {
            "parts": "; ".join(f"{name}: {outcome}" for name, outcome in item["parts"].items()),
            "quantities": "; ".join(f"{name} = {in_words(q)}" for name, q in item["quantities"].items()),
            "worlds": "; ".join(item["worlds"]), "ours": words.get("ours"), "paper": words.get("paper"),
        }  # fmt: skip
        writer.writerow({key: value for key, value in {**item, **joined}.items() if key != "table2"})
    return out.getvalue()


def files() -> dict[str, str]:
    """The three files of book/ by name."""
    items = ledger()
    return {
        "ledger.json": json.dumps(items, ensure_ascii=False, indent=1) + "\n",
        "ledger.csv": as_csv(items),
        "ledger.md": page(items, table_2_by_chance()),
    }


if __name__ == "__main__":
    for name, text in files().items():
        (BOOK / name).write_text(text, "utf8")
