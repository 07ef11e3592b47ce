"""Pieces of HTML that the method cards, the cheat sheet and the choosing page share."""
import html
import re
from functools import cache

from docutils.nodes import make_id

from tools.build_ledger import ledger as read_ledger
from tools.card_methods import Method, source_of
from tools.card_properties import PROPERTIES, claims_of
from tools.card_rows import Row

UNMEASURED = "not measured here"


def text(words: str) -> str:
    """Escaped; what stands in backticks is code."""
    return re.sub(r"`(.+?)`", r"<code>\1</code>", html.escape(words, quote=False))


@cache
def ledger() -> list[dict]:
    """The ledger, read from the chapters once."""
    return read_ledger()


@cache
def outcomes() -> dict[str, str]:
    """What became of each claim, in a word or two; for a cell of Table 2 the book's own word."""
    return {item["id"]: f"ours {item['table2']['ours']}" if item["table2"] else item["verdict"]
            for item in ledger()}  # fmt: skip


SHORT = {  # methods in the names of the parts of rules
    "saliency": "saliency", "guided backprop": "gbp", "SmoothGrad": "sg", "Gradient x Input": "gxi",
    "IG": "ig", "DeepLIFT": "deeplift", "Grad-CAM": "gradcam", "DeconvNet": "deconv",
}  # fmt: skip


def outcome(name: str, method: Method) -> str:
    """What became of a claim, and of its parts on this method where they differ from the whole."""
    parts = next(item for item in ledger() if item["id"] == name)["parts"]
    own = {state for part, state in parts.items() if part.split("_")[0] == SHORT.get(method.key)}
    whole = outcomes()[name]
    return f"{whole}, on this method {' and '.join(sorted(own))}" if own - {whole} else whole


def claim_link(name: str) -> str:
    return f"<a href='ledger.html#{name.lower()}'>{name}</a>"


def heading_link(page: str, heading: str) -> str:
    """A link to a section of the book, seen from book/."""
    path = source_of(page)
    number = re.match(r"chapters/(\d+)_", path)
    words = f"chapter {int(number[1])}" if number else "appendix"
    return f"<a href='../{path}.html#{make_id(heading)}'>{words}, {text(heading)}</a>"


def sources(name: str, method: Method) -> str:
    """Where a finding comes from: the page, and the rows of the ledger."""
    address, words = PROPERTIES[name].source
    return ", ".join([f"<a href='{address}'>{words}</a>", *map(claim_link, claims_of(name, method))])


def measured(row: Row) -> str:
    return f"<span class='card-where'>{row.where}:</span> {text(row.words)}"


def compared(row: Row) -> str:
    """With what a random map has."""
    return measured(row) + (f" (random map: {text(row.control)})" if row.control else "")


def controls(rows: list[Row]) -> str:
    """What a random map has, once if it is the same in every row."""
    return "; ".join(text(words) for words in dict.fromkeys(row.control for row in rows) if words)


def choices(method: Method, options: dict[str, str]) -> str:
    """What its caller has to choose, as Markdown."""
    return "; ".join(f"`{name}`, {options[name]}" for name in method.to_choose()) or "nothing"
