"""XML as the service writes it, read so that it can do no harm."""

import re
from typing import NamedTuple
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from runner.model.errors import BadAnswer
from runner.model.path import show

_HEAD = re.compile(rb"\s*<\?xml[^>]{0,200}\?>", re.ASCII)
_ENCODING = re.compile(rb"encoding\s*=\s*[\"']([^\"']*)[\"']", re.ASCII)


class Complaint(NamedTuple):
    """What an error says of itself; "" where it does not."""

    code: str
    message: str
    region: str = ""


def document(body: bytes) -> Element:
    """The root of a document. Raises BadAnswer for what is none, or has a declaration of its own.

    Entities can make little of it much, or read files, and a declaration is needed for them. One can be hidden by
    an encoding, so only UTF-8 is read.
    """
    head = _HEAD.match(body)
    encoding = _ENCODING.search(head[0]) if head is not None else None
    if encoding is not None and encoding[1].lower() not in (b"utf-8", b"us-ascii"):
        raise BadAnswer("an answer in an encoding that is not UTF-8")
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body or b"\0" in body:
        raise BadAnswer("an answer that declares what no answer of this service declares")
    try:
        return ElementTree.fromstring(body)  # noqa: S314  (no declarations, so no entities)
    except (ElementTree.ParseError, ValueError) as error:
        raise BadAnswer(
            f"an answer that is no XML: {show(body[:80].decode('utf-8', 'replace'))!r}"
        ) from error


def local(element: Element) -> str:
    """Its name without the name space, which not every server writes."""
    return element.tag.rpartition("}")[2]


def space(element: Element) -> str:
    """The name space in front of every name in the document, "" where there is none."""
    return element.tag[: element.tag.index("}") + 1] if element.tag.startswith("{") else ""


def text(element: Element, name: str) -> str:
    """The text of the first child of that name, "" where there is none."""
    return element.findtext(space(element) + name) or ""


def complaint(body: bytes) -> Complaint:
    """Read the body of an error; never fails."""
    try:
        root = document(body)
    except BadAnswer:
        return Complaint("", "")
    if local(root) != "Error":
        return Complaint("", "")
    return Complaint(
        show(text(root, "Code")[:80]), show(text(root, "Message")[:300]), show(text(root, "Region")[:80])
    )
