"""Every relative link in a Markdown file leads to a file of the repository, and every anchor to a heading in it."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = sorted(path for folder in (ROOT, ROOT / "docs") for path in (folder.glob("*.md") if folder == ROOT else folder.rglob("*.md")))
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")


def anchors(text: str) -> set[str]:
    """The anchors of a page, made from its headings as GitHub and most other renderers make them."""
    found: Counter[str] = Counter()
    names = set()
    for line in FENCE.sub("", text).splitlines():
        if heading := re.fullmatch(r"#{1,6} +(.*?)\s*#*", line):
            name = re.sub(r"[^\w\- ]", "", heading[1].lower()).replace(" ", "-")
            names.add(f"{name}-{found[name]}" if found[name] else name)
            found[name] += 1
    return names


def broken(page: Path, root: Path = ROOT) -> Iterator[str]:
    for target in LINK.findall(FENCE.sub("", page.read_text())):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        if not path.exists() or not path.is_relative_to(root):
            yield f"{page.relative_to(root)}: {target}: no such file"
        elif anchor and anchor not in anchors(path.read_text()):
            yield f"{page.relative_to(root)}: {target}: no such heading"


def test_links_between_pages_lead_somewhere() -> None:
    assert [line for page in PAGES for line in broken(page)] == []


def test_every_page_is_listed_in_the_index() -> None:
    index = ROOT / "docs" / "index.md"
    linked = {(index.parent / target.partition("#")[0]).resolve() for target in LINK.findall(index.read_text())}
    pages = {page for page in PAGES if page.is_relative_to(ROOT / "docs") and page.parent.name not in ("decisions", "contribute")}
    assert {str(page.relative_to(ROOT)) for page in pages - linked - {index, ROOT / "docs" / "architecture.md"}} == set()


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    (tmp_path / "there.md").write_text("# The `key` file\n## Twice\n## Twice\n```\n# no heading\n```\n")
    assert anchors((tmp_path / "there.md").read_text()) == {"the-key-file", "twice", "twice-1"}
    page = tmp_path / "page.md"
    page.write_text("[a](there.md#twice-1) [b](https://example.com/x) [c](gone.md) [d](there.md#no-heading) [e](#nothing) [f](../..)")
    assert [line.split(": ", 1)[1] for line in broken(page, tmp_path)] == [
        "gone.md: no such file", "there.md#no-heading: no such heading", "#nothing: no such heading", "../..: no such file",
    ]  # fmt: skip


def test_pages_that_the_program_names_exist() -> None:
    """In errors, hints, help and comments: `docs/reference/permissions.md` and the like."""
    texts = [path.read_text() for path in (ROOT / "zcplatform").rglob("*") if path.suffix in {".py", ".html", ".js", ".toml"}]
    named = {name for text in texts for name in re.findall(r"\bdocs/[\w./-]+\.md\b", text)}
    assert "docs/reference/permissions.md" in named
    assert {name for name in named if not (ROOT / name).exists()} == set()
