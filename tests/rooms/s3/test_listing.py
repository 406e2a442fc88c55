"""A page of a listing is read the short way where it has the usual form, and means what it says as a document."""

from urllib.parse import quote
from xml.sax.saxutils import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.backends.contract.rule import write
from runner.backends.s3 import listing
from runner.backends.s3.documents import document
from runner.backends.s3.nodes import Found
from runner.model.errors import BadAnswer
from runner.remote.remote import Remote
from tests.rooms.s3.conftest import Bucket

KEYS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)
MORE = st.sampled_from(
    [
        "", "<StorageClass>STANDARD</StorageClass>", "<ChecksumType>FULL_OBJECT</ChecksumType>", "<Size>7</Size>",
        "<Owner><ID>me</ID></Owner>", "<Odd>&lt;</Odd>", " ", "<Wrong>x</Other>", "<!-- said -->",
    ]
)  # fmt: skip
ETAGS = st.sampled_from(
    ['"0123456789abcdef0123456789abcdef"', "&quot;0123456789abcdef0123456789abcdef-12&quot;", '"short"', ""]
)


@st.composite
def entries(draw: st.DrawFn) -> str:
    """One object, as some server might write it."""
    key = draw(KEYS)
    written = quote(key) if draw(st.booleans()) else escape(key)
    fields = [
        f"<Key>{written}</Key>", "<LastModified>2020-09-13T12:26:40.000Z</LastModified>",
        f"<ETag>{draw(ETAGS)}</ETag>", draw(MORE), f"<Size>{draw(st.integers(0, 9))}</Size>", draw(MORE),
    ]  # fmt: skip
    return f"<Contents>{''.join(fields)}</Contents>"


@st.composite
def pages(draw: st.DrawFn) -> bytes:
    """A page, whole or with a piece missing."""
    inner = draw(st.lists(entries(), max_size=4))
    between = draw(st.sampled_from(["", "\n", "<Name>b</Name>"]))
    coded = draw(st.sampled_from(["", "<EncodingType>url</EncodingType>"]))
    text = (
        f"<ListBucketResult>{coded}<IsTruncated>false</IsTruncated>{between.join(inner)}</ListBucketResult>"
    )
    body = text.encode()
    if draw(st.booleans()):
        start = draw(st.integers(0, len(body)))
        body = body[:start] + body[start + draw(st.integers(0, 40)) :]
    return body


def as_document(body: bytes) -> list[Found] | None:
    """The objects as they are without any short way; None for what is no page."""
    try:
        return listing._entries(document(body)).found()
    except BadAnswer:
        return None


@settings(max_examples=400, deadline=None)
@given(pages())
def test_the_short_way_reads_what_the_document_says(body: bytes) -> None:
    try:
        found, _ = listing.read(body)
    except BadAnswer:
        assert as_document(body) is None
    else:
        assert found.found() == as_document(body)


def test_the_usual_form_takes_the_short_way() -> None:
    entry = (
        "<Contents><Key>a%2Bb</Key><LastModified>2020-09-13T12:26:40.000Z</LastModified>"
        "<ETag>&quot;0123456789abcdef0123456789abcdef&quot;</ETag><ChecksumType>FULL_OBJECT</ChecksumType>"
        "<Size>5</Size><StorageClass>STANDARD</StorageClass></Contents>"
    )

    assert listing._usual(entry * 3) == [
        ("a%2Bb",) * 3, ("2020-09-13T12:26:40.000Z",) * 3, ("0123456789abcdef0123456789abcdef",) * 3, ("5",) * 3,
    ]  # fmt: skip
    assert listing._usual(entry + entry.replace("STANDARD", "COLD")) is not None


def test_the_next_page_is_asked_for_while_one_is_read_and_none_after_the_last(bucket: Bucket) -> None:
    async def act(remote: Remote) -> list[int]:
        for number in range(3):
            await write(remote, f"{number}")
        bucket.engine.spoil()
        wire = remote.backend._wire  # type: ignore[attr-defined]
        pages = listing.entries(wire, bucket.name, "", most=1)
        return [bucket.engine.count("GET", "list-type") async for _ in pages]

    assert bucket.use(act) == [2, 3, 3]


@pytest.mark.parametrize(
    ("said", "guess"),
    [
        ("<IsTruncated>true</IsTruncated><NextContinuationToken>a+/=b</NextContinuationToken>", "a+/=b"),
        ("<IsTruncated>false</IsTruncated><NextContinuationToken>x</NextContinuationToken>", ""),
        ("<IsTruncated>true</IsTruncated><NextContinuationToken>a&amp;b</NextContinuationToken>", ""),
        ("<IsTruncated>true</IsTruncated>" + "<NextContinuationToken>x</NextContinuationToken>" * 2, ""),
        ("<IsTruncated>true</IsTruncated>", ""),
    ],
)
def test_the_next_page_is_guessed_only_where_the_page_says_it_plainly(said: str, guess: str) -> None:
    assert listing._next(f"<ListBucketResult>{said}</ListBucketResult>".encode()) == guess


def test_a_guess_that_was_wrong_changes_nothing(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(remote: Remote) -> list[str]:
        for number in range(3):
            await write(remote, f"{number}")
        wire = remote.backend._wire  # type: ignore[attr-defined]
        pages = listing.entries(wire, bucket.name, "", most=1)
        return [key async for page in pages for key in page.keys]

    monkeypatch.setattr(listing, "_next", lambda body: "wrong")

    assert bucket.use(act) == ["0", "1", "2"]
