"""What can be said of the pages without a browser."""

import re
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from bs4 import BeautifulSoup, Tag

LOADED = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "audio": "src",
    "embed": "src",
    "object": "data",
}
LOADED_LINKS = {"stylesheet", "preload", "modulepreload", "icon", "preconnect", "dns-prefetch", "manifest"}


def addresses(page: BeautifulSoup) -> list[str]:
    """Every href and src of a page."""
    return [tag[key] for key in ("href", "src") for tag in page.find_all(attrs={key: True})]


def loaded(page: BeautifulSoup) -> list[str]:
    """What a browser fetches by itself when it shows the page."""
    found = [tag[key] for name, key in LOADED.items() for tag in page.find_all(name) if tag.get(key)]
    return found + [link["href"] for link in page.find_all("link") if LOADED_LINKS & set(link["rel"])]


def resolves(address: str, site: Path, soup) -> bool:
    """Whether a path with an optional anchor, counted from the book's root, exists."""
    parts = urlsplit(address)
    target = site / unquote(parts.path)
    if target.is_dir():
        target /= "index.html"
    if not target.exists() or target.suffix != ".html" or not parts.fragment:
        return target.exists()
    return soup(target.relative_to(site).as_posix()).find(id=unquote(parts.fragment)) is not None


def test_links_anchors_and_images_resolve(any_page, site, soup, prefix):
    book = f"https://book.example{prefix}"
    found = {urljoin(book + any_page, address) for address in addresses(soup(any_page))}
    inside = {address.removeprefix(book) for address in found if urlsplit(address).netloc == "book.example"}
    assert sorted(address for address in inside if not resolves(address, site, soup)) == []


def test_nothing_is_loaded_from_another_host(any_page, soup):
    assert [address for address in loaded(soup(any_page)) if urlsplit(address).netloc] == []


def test_style_sheets_load_nothing_from_another_host(site):
    foreign = re.compile(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//")
    assert [sheet.name for sheet in site.rglob("*.css") if foreign.search(sheet.read_text("utf8"))] == []


def test_images_are_described_and_are_files(any_page, soup):
    for image in soup(any_page).find_all("img"):
        alt = image.get("alt", "").strip()
        assert alt and not re.fullmatch(r"\S+\.\w{3,4}|[0-9a-f]{16,}\S*", alt), image
        assert not image["src"].startswith("data:"), f"{alt}: an image inside the page"


def test_page_head(page, soup):
    head = soup(page)
    assert head.html["lang"] == "en"
    assert head.title.get_text(strip=True)
    assert len(head.find("meta", attrs={"name": "description"})["content"]) > 40
    assert head.find("meta", property="og:title")["content"]


def test_a_script_stands_once(any_page, soup):
    scripts = [s.get("src") or s.get_text() for s in soup(any_page).find_all("script")]
    once = [s for s in scripts if "tl-frames" not in s]  # a slider brings its own each time
    assert len(once) == len(set(once))


def test_sitemap_lists_every_page(site, pages, config):
    addresses = re.findall(r"<loc>([^<]*)</loc>", (site / "sitemap.xml").read_text("utf8"))
    assert sorted(addresses) == sorted(config["html"]["baseurl"] + page for page in pages)


@pytest.mark.parametrize("file", ["404.html", ".nojekyll", "robots.txt", "_static/favicon.svg"])
def test_file_for_the_server_exists(file, site):
    assert (site / file).exists()


def test_404_works_in_every_folder(soup, prefix):
    assert [address for address in loaded(soup("404.html")) if not address.startswith(prefix)] == []


def test_edit_leads_to_the_text_and_launch_to_the_notebook(chapter, soup, config):
    source, url = chapter.removesuffix(".html"), config["repository"]["url"]
    name = url.removeprefix("https://github.com/")
    buttons = [link["href"] for link in soup(chapter).select(".article-header-buttons a[href]")]
    assert f"{url}/edit/main/{source}.md" in buttons
    assert f"https://mybinder.org/v2/gh/{name}/main?urlpath=lab/tree/{source}.ipynb" in buttons
    assert f"https://colab.research.google.com/github/{name}/blob/main/{source}.ipynb" in buttons
    assert f"../_sources/{source}.ipynb" in buttons


def test_formulas_are_set_where_there_are_some(any_page, soup):
    has_script = any("tex-chtml" in tag["src"] for tag in soup(any_page).find_all("script", src=True))
    assert has_script == bool(soup(any_page).find(class_="math"))


def test_figures_are_numbered_and_have_captions(page, soup):
    for figure in soup(page).select("article figure:not(.tl-frames)"):
        assert figure.select_one("figcaption .caption-number"), figure
        assert len(figure.select_one("figcaption .caption-text").get_text(strip=True)) > 5, figure


def words(tag: Tag) -> str:
    """The text with every kind of blank as one space."""
    return " ".join(tag.get_text().split())


def test_references_are_labelled_as_they_are_cited(pages, soup):
    entries = soup("book/references.html").select(".citation")
    labels = {entry["id"]: words(entry.select_one(".label")).strip("[]") for entry in entries}
    cited = [link for page in pages for link in soup(page).select("article a[href*='references.html#']")]
    assert cited
    for link in cited:
        label = labels[urlsplit(link["href"]).fragment]
        names, year = label.rsplit(", ", 1)
        if words(link) == year:  # in the sentence: Name et al. [2014]
            assert f"{names} [{year}" in words(link.parent)
        else:
            assert words(link) == label
