"""data/passport.json, kept by `make chapters RECORD=1` -> book/passport.md: what each chapter took."""

import json

from tools.reader_path import ROOT, chapters, titles

PAGE = ROOT / "book" / "passport.md"
REFERENCE = 11_600  # gradients of the small Fashion-MNIST network a second
TEXT = """\
# Passports

What each chapter took when its stored results were made: time and memory for whoever plans a lab, and
versions for whoever finds another number. `make reader` writes this page from `data/passport.json`.

{table}

Together {seconds:.0f} seconds at the reference speed; the largest chapter takes {memory} MB. {versions}

*Seconds* run from the chapter's first import of the library to its last cell, so that the start of the
kernel is not counted; all chapters ran on {threads} thread, and more threads are faster and change the last
digits of a number. *Memory* is the largest of the process over the whole run, PyTorch included. Machines
differ, and one machine is slower while it does other work; the *gradients a second* of the small
Fashion-MNIST network, measured in the same run, say how fast it was. *At the reference speed* is what the
seconds come to at {reference:,} gradients a second, one core of the kind that the budgets were set for; the
budget of a chapter is 90. *Seed* starts every random generator of the chapter. The tests run the chapters
again, also with other versions and on other machines, and accept numbers within 2 %, or within a tolerance
that the cell itself states.
"""
HEAD = ("chapter", "seconds", "memory in MB", "seconds at the reference speed", "gradients a second", "seed")
MEASURED = ("seconds", "gradients a second", "peak memory in MB", "threads", "seed")


def reference_seconds(passport: dict) -> float:
    """The run time at the speed that the budgets were set for."""
    return passport["seconds"] * passport["gradients a second"] / REFERENCE


def table_of(passports: dict[str, dict]) -> str:
    """One row a chapter, in reading order."""
    rows = [HEAD, ("---", *("---:" for _ in HEAD[1:]))]
    for chapter in chapters():
        seconds, speed, memory, _, seed = (str(passports[chapter][name]) for name in MEASURED)
        link = f"{{doc}}`{titles()[chapter]} <../chapters/{chapter}>`"
        rows.append((link, seconds, memory, f"{reference_seconds(passports[chapter]):.0f}", speed, seed))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def versions_of(passports: dict[str, dict]) -> str:
    """One sentence for each set of versions."""
    sets = {}
    for chapter, took in sorted(passports.items()):
        versions = ", ".join(f"{name} {value}" for name, value in took.items() if name not in MEASURED)
        sets.setdefault(versions, []).append(str(int(chapter[:2])))
    if len(sets) == 1:
        return f"All ran with {next(iter(sets))}."
    return " ".join(f"Chapters {', '.join(which)} ran with {versions}." for versions, which in sets.items())


def page() -> str:
    """The whole page."""
    passports = json.loads((ROOT / "data" / "passport.json").read_text("utf8"))
    return TEXT.format(
        table=table_of(passports),
        seconds=sum(map(reference_seconds, passports.values())),
        memory=max(took["peak memory in MB"] for took in passports.values()),
        versions=versions_of(passports),
        threads=max(took["threads"] for took in passports.values()),
        reference=REFERENCE,
    )


if __name__ == "__main__":
    PAGE.write_text(page(), "utf8")
