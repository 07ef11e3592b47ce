"""data/passport.json, kept by `make chapters RECORD=1` -> book/passport.md."""
import json
from pathlib import Path

ROOT = Path(__file__).parents[1]
TEXT = """\
# Passports

What each chapter took when its stored results were made, and with which versions. This page is written by
`tools/passport_page.py`.

{table}

*Seconds* run from the chapter's first import of the library to its last cell, so that the start of the kernel
is not counted. *Gradients a second* is the speed of the machine at that time, measured on the small
Fashion-MNIST network; the budget of a chapter is 90 seconds at 11,600. *Peak memory* is the largest memory of
the process over the whole run, PyTorch included. *Threads* is the number of processor threads that PyTorch
may use; more of them are faster and change the last digits of a number. *Seed* starts every random generator
of the chapter. The tests run the chapters again, also with other versions and on other machines, and accept
numbers within 2 %, or within a tolerance that the cell itself states.
"""


COLUMNS = ("seconds", "gradients a second", "peak memory in MB", "threads", "seed")


def table_of(passports: dict[str, dict]) -> str:
    """One row a chapter; what is no column of its own is a version."""
    rows = [["chapter", *COLUMNS, "versions"], ["---", *("---:" for _ in COLUMNS), "---"]]
    for chapter, passport in sorted(passports.items()):
        versions = ", ".join(f"{name} {value}" for name, value in passport.items() if name not in COLUMNS)
        rows.append([f"{{doc}}`../chapters/{chapter}`", *(str(passport[name]) for name in COLUMNS), versions])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


if __name__ == "__main__":
    passports = json.loads((ROOT / "data" / "passport.json").read_text("utf8"))
    (ROOT / "book" / "passport.md").write_text(TEXT.format(table=table_of(passports)), "utf8")
