"""The cards in data/weights -> the tables of book/data_and_models.md: python -m tools.data_page"""

import re
from pathlib import Path

from tutorial_lib.models.zoo import cards
from tutorial_lib.robustness.training import RECIPES

PAGE = Path(__file__).parents[1] / "book" / "data_and_models.md"
FASHION = ("clean", "PGD-20 l∞ 0.1", "PGD-20 l2 1.5")
SHAPES = ("no mark", "own mark", "wrong mark", "PGD-20 l2 1.0", "variance explained by the shape")
DASH = "\u2060–\u2060"  # a range is not broken into two lines
HEADS = {"variance explained by the shape": "by the shape"}


def rows(table: list[list[str]]) -> str:
    rule = ["---", *(["---:"] * (len(table[0]) - 1))]
    return "\n".join(f"| {' | '.join(row)} |" for row in [table[0], rule, *table[1:]])


def percent(number: dict | float) -> float:
    return 100 * (number["value"] if isinstance(number, dict) else number)


def summary(world: str, columns: tuple[str, ...]) -> str:
    """One row a recipe: mean over its seeds, smallest and largest value."""
    table = [["recipe", *(HEADS.get(c, c) for c in columns)]]
    for name, recipe in RECIPES.items():
        if name.startswith(world):
            own = [cards()[f"{name}_{seed}"] for seed in recipe.seeds]
            cells = []
            for column in columns:
                values = [percent(card[column]) for card in own]
                span = f"<br>({min(values):.3g}{DASH}{max(values):.3g})" if len(values) > 1 else ""
                cells.append(f"{sum(values) / len(values):.3g}{span}")
            table.append([f"`{name}`<br>{recipe.purpose}", *cells])
    return rows(table)


def every_card() -> str:
    table = [["file", "epochs, seconds, SHA-256", "measured (in %, with interval)"]]
    for name, card in cards().items():
        numbers = "; ".join(
            f"{key} {percent(n):.1f} [{100 * n['lo']:.1f}, {100 * n['hi']:.1f}]"
            for key, n in card.items() if isinstance(n, dict)
        )  # fmt: skip
        made = f"{card['epochs']}, {card['seconds']}, {card['SHA-256'][:12]}…"
        table.append([f"`{name}`", made, numbers])
    return rows(table)


def filled(text: str) -> str:
    """The page's text with its tables between the marks `% begin NAME` and `% end NAME`."""
    for name, table in {
        "fashion": summary("fashion", FASHION), "shapes": summary("shapes", SHAPES), "cards": every_card()
    }.items():  # fmt: skip
        marks = rf"(% begin {name}\n).*?(% end {name}\n)"
        text, found = re.subn(marks, rf"\1\n{table}\n\n\2", text, flags=re.S)
        assert found == 1, f"the page has no place for the table {name!r}"
    return text


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text("utf8")), "utf8")
