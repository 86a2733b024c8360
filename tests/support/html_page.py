"""A page of HTML as its elements, and what is wrong with it for people who do not see it or use no mouse."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from typing import NamedTuple

INLINE = ("b", "bdi", "strong", "span", "sup", "i", "code")
VOID = ("meta", "img", "link", "br", "input")


class Element(NamedTuple):
    """The start of an element."""

    tag: str
    attributes: dict[str, str | None]


class Page(HTMLParser):
    """Check that elements are closed, and collect them with the text of the page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[Element] = []
        self.words: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, dict(attrs)))
        self.words.append("" if tag in INLINE else " ")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if not {"style", "script"} & set(self.open):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())

    def find(self, tag: str) -> list[Element]:
        return [element for element in self.elements if element.tag == tag]


def complaints(page: Page) -> Iterator[str]:
    """What is wrong with a page: skipped headings, images without a text, headers without scope, foreign addresses."""
    level = 0
    for element in page.elements:
        if element.tag in ("h1", "h2", "h3", "h4"):
            if int(element.tag[1]) > level + 1:
                yield f"{element.tag} follows h{level}"
            level = int(element.tag[1])
        if element.tag == "img" and not element.attributes.get("alt"):
            yield "an image without a text"
        if element.tag == "svg" and not element.attributes.get("aria-label"):
            yield "a drawing without a text"
        if element.tag == "th" and element.attributes.get("scope") not in ("row", "col", "rowgroup"):
            yield f"a header without a scope: {element.attributes}"
        for name in ("src", "href", "xlink:href"):
            address = element.attributes.get(name)
            if address and not address.startswith(("#", "?", "/", "data:image/")):
                yield f"an address outside of the page: {address}"
    ids = [element.attributes["id"] for element in page.elements if "id" in element.attributes]
    if len({*ids}) < len([name for name in ids if not str(name).startswith(("m", "p"))]):
        yield "an id that two elements have"
