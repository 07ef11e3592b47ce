"""The text of book/method_cards.md."""
from tools.card_html import (
    UNMEASURED,
    choices,
    claim_link,
    controls,
    heading_link,
    measured,
    outcome,
    sources,
    text,
)
from tools.card_methods import Book, Method
from tools.card_properties import PROPERTIES, finding
from tools.card_rows import TOYS

TEXT = """\
# Method cards

One card for each of the {n} methods of the library that explain an image: the question that it answers, its
formula, what it costs, and what was measured of it in this book. `make cards` writes this page. The numbers
come from the recorded runs of the chapters, the words around them from `data/methods.yml`. The same data make
the {{doc}}`cheat_sheet` and the page {{doc}}`choosing`.

## How to read a card

Numbers in brackets are intervals of 99 %; *n* counts pairs of a network and an image. *Garments* are
Fashion-MNIST, five networks; *planted shapes* are five other networks ({{doc}}`data_and_models`). Beside each
number stands what a map without any knowledge has, a random map where there is one. A number that a random
map reaches too says nothing for a method. The settings are those of the {{doc}}`protocol`: the logit of the
class, {settings}.

The numbers describe these networks and images. On yours they will be others. A *Yes* is an argument with a
search behind it and carries over; a *No* is a counterexample, which your network need not be.

{legend}

*{unmeasured}* means that this book has no number, and no guess in its place.

{families}
"""
SETTINGS = (
    "SmoothGrad with σ = 0.15 and 32 copies, integrated gradients with 64 steps, RISE and LIME with 500 masks"
)


def legend() -> str:
    """Every property with its reading."""
    rows = [f"<tr><th scope='row'>{p.title}</th><td>{text(p.reading)}</td></tr>" for p in PROPERTIES.values()]
    head = "<thead><tr><th scope='col'>Row</th><th scope='col'>How to read it</th></tr></thead>"
    return "\n".join(["<table class='table card-legend'>", head, "<tbody>", *rows, "</tbody></table>"])


def table(method: Method) -> str:
    """What was measured of a method, and at the end what was not."""
    heads = ("Row", "Measured", "Random map", "Where")
    rows, missing = [], []
    for name, each in PROPERTIES.items():
        if not (found := finding(name, method)):
            missing.append(each.title)
            continue
        # what a shift does to a baseline stands in the row "Shifted"
        shown = [row for row in found.rows if name != "baseline" or row.where != TOYS]
        values = "".join(f"<div>{measured(row)}</div>" for row in shown)
        rows.append(
            f"<tr><th scope='row'>{each.title}</th><td>{values}</td>"
            f"<td data-label='Random map'>{controls(shown)}</td><td>{sources(name, method)}</td></tr>"
        )
    if missing:
        last = ", ".join(missing)
        rows.append(f"<tr><th scope='row'>{UNMEASURED.capitalize()}</th><td colspan='3'>{last}</td></tr>")
    columns = "".join(f"<th scope='col'>{head}</th>" for head in heads)
    caption = f"<caption>{text(method.name)}: what was measured</caption>"
    return "\n".join(["<table class='table card-table'>", caption, f"<thead><tr>{columns}</tr></thead>",
                      "<tbody>", *rows, "</tbody></table>"])  # fmt: skip


def support(item: dict, method: Method) -> str:
    """The claims, laws and sections behind a sentence."""
    claims = [f"{claim_link(name)}, {outcome(name, method)}" for name in item.get("claims", [])]
    laws = [f"law `{name}`" for name in item.get("laws", [])]
    return "; ".join([*claims, *laws, *(heading_link(*each) for each in item.get("sections", []))])


def card(method: Method, options: dict[str, str]) -> str:
    avoid = "\n".join(f"- {item['when']} ({support(item, method)})" for item in method.avoid)
    return "\n\n".join([
        f"(card-{method.id})=\n### {method.name}",
        f"**{method.question}**",
        f"$$\n{method.formula}\n$$",
        f"From {{cite:t}}`{method.paper}`; built in {heading_link(*method.built)}. "
        f"In the library: `{method.function}`. To choose: {choices(method, options)}.",
        table(method),
        f"*Do not use it when*\n\n{avoid}",
        f"*Beside it.* {method.beside}",
    ])  # fmt: skip


def page(book: Book) -> str:
    parts = []
    for family, title in book.families.items():
        own = [method for method in book.methods if method.family == family]
        parts.append("\n\n".join([f"## {title}", *(card(method, book.options) for method in own)]))
    return TEXT.format(n=len(book.methods), settings=SETTINGS, legend=legend(), unmeasured=UNMEASURED,
                       families="\n\n".join(parts))  # fmt: skip
