"""The list of book/ledger.md: one row an item, and the filter above it."""
import html
import re
from pathlib import Path

import yaml

TOC = Path(__file__).parents[1] / "_toc.yml"
SOURCES = {
    "paper": "the paper", "ancona2018": "Ancona et al. 2018", "lundstrom2022": "Lundstrom et al. 2022",
    "related": "other related work", "ours": "this book",
}  # fmt: skip
KINDS = ("property", "empirical", "definition", "recommendation")
VERDICTS = (
    "holds", "holds in part", "does not hold", "undecided", "paper: not tested", "not testable here",
    "implemented", "priced", "pending",
)  # fmt: skip


def in_words(quantity: dict) -> str:
    """A quantity as its card has it."""
    value, lo, hi, n = (quantity[key] for key in ("value", "lo", "hi", "n"))
    bounds = " (no bound)" if lo is None else f" [{lo:.3g}, {hi:.3g}]" if lo < hi else ""
    return f"{value:.3g}{bounds}" + (f", n = {n}" if n > 1 else "")


def plain(name: str) -> str:
    return html.escape(name.replace("_", " "))


def measured(quantities: dict[str, dict]) -> str:
    """All quantities of an item; a common n stands once, a long list is folded."""
    sizes = {q["n"] for q in quantities.values()}
    common = sizes.pop() if len(sizes) == 1 else None
    each = [in_words({**q, "n": 1} if common else q) for q in quantities.values()]
    text = " · ".join(f"{plain(name)} = {words}" for name, words in zip(quantities, each, strict=True))
    text += f" · n = {common}" if common and common > 1 else ""
    folded = f"<details><summary>{len(quantities)} quantities</summary>{text}</details>"
    return folded if len(quantities) > 4 else text


def chapter_titles(items: list[dict]) -> dict[str, str]:
    """Title by number, as the table of contents has it; from the file's name while the chapter is missing."""
    parts = yaml.safe_load(TOC.read_text("utf8"))["parts"]
    known = {entry["file"]: entry.get("title") for part in parts for entry in part["chapters"]}
    names = sorted({item["chapter"] for item in items})
    plain_title = {name: f"{int(name[:2])} · {plain(name[3:]).capitalize()}" for name in names}
    return {name[:2]: known.get(f"chapters/{name}") or plain_title[name] for name in names}


def choice(name: str, label: str, options: dict[str, str]) -> str:
    entries = "".join(f"<option value='{key}'>{html.escape(text)}</option>" for key, text in options.items())
    return f"<label>{label} <select name='{name}'><option value=''>all</option>{entries}</select></label>"


def filter_form(items: list[dict]) -> str:
    """Hidden until the script is there to serve it."""
    present = {item["verdict"] for item in items}
    return "\n".join([
        "<form id='ledger-filter' aria-label='Filter the items' hidden>",
        choice("chapter", "Chapter", chapter_titles(items)),
        choice("kind", "Kind", {kind: kind for kind in KINDS}),
        choice("source", "Source", SOURCES),
        choice("verdict", "Verdict", {verdict: verdict for verdict in VERDICTS if verdict in present}),
        "<label>Words <input type='search' name='words' autocomplete='off'></label>",
        "<button type='reset'>Show all</button>",
        "<output aria-live='polite'></output>",
        "</form>",
    ])  # fmt: skip


def tags(item: dict) -> str:
    """What else is to be known of an item."""
    words = {
        "disputed in the literature": item["contested"], "stand-in": item["analogue"],
        "recorded run": item["recorded"], "seen in the feasibility study": item["pilot"] == "seen",
        f"counted in {item['evidence_of']}": item["evidence_of"],
    }  # fmt: skip
    return "; ".join(text for text, applies in words.items() if applies)


def small(text: str) -> str:
    return f"<div class='ledger-small'>{text}</div>" if text else ""


def row(item: dict) -> str:
    """One item as a row of the table."""
    name, number, verdict = item["id"], item["chapter"][:2], item["verdict"]
    title = f"<a href='../{item['link']}'>{name}</a>" if item["link"] else name
    words = "ours {ours}, paper {paper}".format(**item["table2"]) if item["table2"] else ""
    differ = set(item["parts"].values()) != {verdict}
    parts = "; ".join(f"{plain(part)}: {outcome}" for part, outcome in item["parts"].items() if differ)
    data = {"chapter": number, "kind": item["kind"], "source": item["source"], "verdict": verdict}
    keys = " ".join(f"data-{key}='{value}'" for key, value in data.items())
    return "".join([
        f"<tr id='{name.lower()}' {keys}><th scope='row'>{title}</th>",
        f"<td>{html.escape(item['claim'])}{small(measured(item['quantities']))}</td>",
        f"<td>{html.escape(item['section'])}{small(f'chapter {int(number)}')}</td>",
        f"<td>{item['kind']}, {SOURCES[item['source']]}{small(tags(item))}</td>",
        f"<td class='claim-{re.sub('[^a-z]+', '-', verdict)}'><strong>{verdict}</strong>",
        f"{small(html.escape(words))}{small(parts)}</td></tr>",
    ])  # fmt: skip


def item_table(items: list[dict]) -> str:
    """Every item, by number."""
    heads = ("Item", "Claim, and what was measured", "Where", "Kind and source", "Verdict")
    columns = "".join(f"<th scope='col'>{head}</th>" for head in heads)
    return "\n".join([
        "<table class='table ledger'>",
        "<caption>All items by number</caption>",
        f"<thead><tr>{columns}</tr></thead>",
        "<tbody>", *map(row, items), "</tbody></table>",
    ])  # fmt: skip
