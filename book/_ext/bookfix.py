"""Repairs of what Sphinx 7.4, sphinx-book-theme 1.3 and docutils write into pages.

Each repair names its reason. They depend on the versions in constraints.txt; tests/pages looks at the result.
"""
import base64
import hashlib
import re
from pathlib import Path
from typing import Any

from docutils.nodes import document
from sphinx.application import Sphinx

Context = dict[str, Any]

SYSTEM_THEME = '(matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")'
REPAIRS = [
    # icons come from the web font; the script is 1.5 MB and rewrites the page's icons
    (r'\s*<script[^>]*scripts/fontawesome\.js[^>]*></script>', ""),
    # the accessible name of the search button must contain its visible text
    (r'(<button class="btn search-button-field[^>]*?) aria-label="[^"]*"', r"\1"),
    # the visible text of a folded cell is its name
    (r'<summary aria-label="Toggle hidden content">', "<summary>"),
    # every exercise and every solution of a page has the same id
    (r'<section id="(?:exercise|solution|proof)-content">', "<section>"),
    # a list of references without list items, and a role that no longer exists
    (r'<div role="list" class="citation-list">', '<div class="citation-list">'),
    (r'(<div class="citation"[^>]*) role="doc-biblioentry"', r"\1"),
    # on the first visit the reader's system chooses between light and dark, before anything is painted
    (r'(localStorage\.getItem\("mode"\) \|\|) "light"', r'\1 "auto"'),
    (r'(localStorage\.getItem\("theme"\) \|\|) "light"', rf'\1 {SYSTEM_THEME}'),
    # the logo stands outside every landmark
    (r'(<div id="pst-primary-sidebar") class', r'\1 role="region" aria-label="Sidebar" class'),
]
# the search index is needed at once on the search page alone
SEARCH = (r'<script src="([^"]*(?:searchtools|language_data|searchindex)\.js)">', r'<script defer src="\1">')
INLINE = re.compile(r'src="data:image/(png|jpeg|webp);base64,([A-Za-z0-9+/=]+)"')
LATE = (
    "doctools.js", "sphinx_highlight.js", "clipboard.min.js", "copybutton.js", "sphinx-book-theme.js",
    "togglebutton.js", "design-tabs.js",
)


def load_scripts_once(
    app: Sphinx, pagename: str, templatename: str, context: Context, doctree: document | None
) -> None:
    """Inline scripts arrive twice, MathJax also on a page whose chapters have formulas while it has
    none; what can wait is deferred."""
    formulas = app.env.get_domain("math").data["has_equations"].get(pagename)
    kept = {}
    for script in context.get("script_files", []):
        name = str(script.filename or "")
        if name.endswith("tex-chtml.js") and not formulas:
            continue
        if name.endswith(LATE) and pagename != "search":
            # a copy: the objects are shared by all pages
            script = type(script)(
                script.filename, priority=script.priority, **{**script.attributes, "defer": "defer"}
            )
        attributes = sorted((key, str(value)) for key, value in script.attributes.items())
        kept.setdefault((name, tuple(attributes)), script)
    context["script_files"] = list(kept.values())


def edit_the_source(
    app: Sphinx, pagename: str, templatename: str, context: Context, doctree: document | None
) -> None:
    """The edit button of a chapter leads to the text that is edited, not to the notebook made from it."""
    for group in context.get("header_buttons", []):
        for button in group.get("buttons", []):
            if button.get("label") == "source-edit-button":
                button["url"] = re.sub(r"\.ipynb$", ".md", button["url"])


def image_to_file(match: re.Match, out: Path, page: Path) -> str:
    """Images inside HTML outputs become files: the text arrives sooner, and they are cached."""
    data = base64.b64decode(match[2])
    target = out / "_images" / f"{hashlib.sha256(data).hexdigest()[:24]}.{match[1]}"
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(data)
    up = "../" * (len(page.relative_to(out).parts) - 1)
    return f'src="{up}_images/{target.name}" decoding="async"'


def repaired(text: str, out: Path, page: Path) -> str:
    """The page with every repair made."""
    text = INLINE.sub(lambda match: image_to_file(match, out, page), text)
    for pattern, replacement in REPAIRS if page.name == "search.html" else [*REPAIRS, SEARCH]:
        text = re.sub(pattern, replacement, text)
    return text


def repair_pages(app: Sphinx, exception: Exception | None) -> None:
    """Rewrite the pages in place."""
    if exception or app.builder.format != "html":
        return
    out = Path(app.outdir)
    for page in out.rglob("*.html"):
        old = page.read_text("utf8")
        new = repaired(old, out, page)
        if new != old:
            page.write_text(new, "utf8")
    (out / "_static/scripts/fontawesome.js").unlink(missing_ok=True)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("html-page-context", load_scripts_once, priority=990)
    app.connect("html-page-context", edit_the_source, priority=990)
    app.connect("build-finished", repair_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
