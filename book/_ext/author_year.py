"""Labels of the list of references that read like the citations in the text: Simonyan et al., 2014."""
from collections.abc import Iterable, Iterator

from pybtex.database import Entry
from pybtex.plugin import register_plugin
from pybtex.richtext import Text
from pybtex.style.formatting.unsrt import Style as UnsrtStyle
from pybtex.style.labels import BaseLabelStyle
from sphinx.application import Sphinx


def label_of(entry: Entry) -> str:
    """One or two last names, or the first and "et al.", then the year."""
    people = entry.persons.get("author") or entry.persons["editor"]
    names = [str(Text.from_latex(" ".join(p.prelast_names + p.last_names))) for p in people]
    who = f"{names[0]} et al." if len(names) > 2 else " and ".join(names)
    return f"{who}, {entry.fields['year']}"


class AuthorYearLabels(BaseLabelStyle):
    """The labels of `bibtex_reference_style: author_year`."""

    def format_labels(self, sorted_entries: Iterable[Entry]) -> Iterator[str]:
        return map(label_of, sorted_entries)


class AuthorYearStyle(UnsrtStyle):
    """Entries sorted by author and year, labelled as they are cited."""

    default_label_style = AuthorYearLabels
    default_sorting_style = "author_year_title"


def setup(app: Sphinx) -> dict[str, bool]:
    register_plugin("pybtex.style.formatting", "author_year", AuthorYearStyle)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
