"""data/methods.yml and data/results -> book/method_cards.md, cheat_sheet.md, choosing.md: make cards"""
from pathlib import Path

from tools import cards_page, cheat_page, choosing_page
from tools.card_methods import book

BOOK = Path(__file__).parents[1] / "book"
PAGES = {
    "method_cards.md": cards_page.page, "cheat_sheet.md": cheat_page.page, "choosing.md": choosing_page.page,
}  # fmt: skip


def files() -> dict[str, str]:
    """The three pages of book/ by name."""
    return {name: page(book()) for name, page in PAGES.items()}


if __name__ == "__main__":
    for name, text in files().items():
        (BOOK / name).write_text(text, "utf8")
