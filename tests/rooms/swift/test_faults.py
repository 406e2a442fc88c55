"""What the network and the service may do to a request, and what comes of it; promise I1 in all of it."""

import contextlib
import json
from collections.abc import Sequence

import pytest
from _pytest.mark.structures import ParameterSet

from runner.backends.contract.rule import children, read, write
from runner.backends.contract.trashing import trash_of
from runner.backends.swift.answers import NoContainer
from runner.backends.swift.wire import Ask
from runner.model.checksum import Checksum
from runner.model.content import Content
from runner.model.errors import (
    AcdrunError,
    BadAnswer,
    Damaged,
    Denied,
    Exists,
    NoSpace,
    Stale,
    Truncated,
    Unavailable,
    Unsupported,
)
from runner.model.node import Node
from runner.remote.http import Answer, Sending
from runner.remote.remote import Remote
from tests.lab import openstack
from tests.lab.spoilt import Spoil
from tests.rooms.swift.conftest import Container

TIME_NS = 1_500_000_000_123_456_789
SWIFTS = {"x-trans-id": "tx1"}


async def everything(remote: Remote) -> list[str]:
    """All paths."""
    return [path async for page in remote.list_all() for path, _ in page]


@pytest.mark.parametrize("how", ["refused", "lost", "unsent"])
def test_a_put_arrives_whatever_happens_to_its_first_tries(container: Container, how: str) -> None:
    container.engine.spoil(Spoil("PUT", "/file", how, times=2))  # type: ignore[arg-type]

    async def act(remote: Remote) -> Node:
        node = await write(remote, "file", b"content", mtime_ns=TIME_NS)
        assert await read(remote, "file", expect=node.generation) == b"content"
        return node

    assert container.use(act).size == 7
    if how == "lost":
        assert container.engine.count("PUT", "/file") == 1


@pytest.mark.parametrize(
    ("status", "kind", "times"),
    [
        (503, Unavailable, 99),
        (403, Denied, 99),
        (413, NoSpace, 99),
        (422, Damaged, 99),
        (498, None, 2),
        (429, None, 2),
    ],
)
def test_what_goes_on_failing_ends_as_what_it_is_and_rate_limits_pass(
    container: Container, status: int, kind: type[AcdrunError] | None, times: int
) -> None:
    container.engine.spoil(Spoil("PUT", "/file", "refused", times=times, status=status, body=b"no"))

    if kind is None:  # the remote slows down as long as its budget lasts
        container.use(lambda remote: write(remote, "file"))
        return
    with pytest.raises(kind):
        container.use(lambda remote: write(remote, "file"))

    assert container.use(everything) == []


def test_a_download_that_is_cut_off_is_truncated(container: Container) -> None:
    container.use(lambda remote: write(remote, "file", b"x" * 10_000))
    container.engine.spoil(Spoil("GET", "/file", "cut"))

    with pytest.raises(Truncated):
        container.use(lambda remote: read(remote, "file"))


def test_bytes_that_are_altered_on_the_way_are_damaged_and_nothing_is_left(container: Container) -> None:
    old = container.use(lambda remote: write(remote, "old", b"old"))
    container.engine.spoil(Spoil("PUT", f"{container.name}/old", "altered", times=9))
    with pytest.raises(Damaged):
        container.use(lambda remote: remote.put("old", Content.of(b"new"), expect=old.generation))
    container.engine.spoil(Spoil("PUT", "/file", "altered", times=9))
    with pytest.raises(Damaged):
        container.use(lambda remote: write(remote, "file", b"content"))
    container.engine.spoil()

    assert container.use(children) == {"old": old}
    assert container.use(trash_of) == {}


@pytest.mark.parametrize("versions", [False, True])
def test_a_server_that_does_not_look_at_digests_does_not_get_away_with_it(
    container: Container, versions: bool
) -> None:
    """Its answer tells of other bytes: what is there is taken away, and what was there stands again."""
    if versions:
        container.use(lambda remote: openstack.keep_versions(remote.backend))
    old = container.use(lambda remote: write(remote, "file", b"old", mtime_ns=TIME_NS))
    inner = container.engine.send

    async def lying(sending: Sending) -> Answer:
        sending = sending._replace(headers=[h for h in sending.headers if h[0] != "etag"])
        if sending.method == "PUT" and sending.body == b"new":
            sending = sending._replace(body=b"bad")
        return await inner(sending)

    container.engine.send = lying  # type: ignore[method-assign]
    with pytest.raises(Damaged):
        container.use(lambda remote: remote.put("file", Content.of(b"new"), expect=old.generation))
    with pytest.raises(Damaged):
        container.use(lambda remote: remote.put("other", Content.of(b"new")))

    assert container.use(children) == {"file": old}
    assert container.use(lambda remote: read(remote, "file")) == b"old"


def _slow(word: str) -> ParameterSet:
    return pytest.param(word, marks=pytest.mark.slow)


async def _contents(remote: Remote) -> set[bytes]:
    """Of the file and of everything in the trash."""
    for entry in (await trash_of(remote)).values():
        await remote.restore(entry.ref, f"back/{entry.ref[-12:].replace('/', '-')}")
    return {await read(remote, path) for path in await everything(remote)}


@pytest.mark.parametrize("how", ["lost", "refused", _slow("unsent")])
@pytest.mark.parametrize("method", ["PUT", "DELETE", pytest.param("HEAD", marks=pytest.mark.slow)])
def test_no_content_is_lost_whatever_is_lost_on_the_way(container: Container, method: str, how: str) -> None:
    """Of each kind of request all are spoilt from the first one on: the write fails, or it does not."""
    old = container.use(lambda remote: write(remote, "file", b"old"))
    for act in (
        lambda remote: remote.put("file", Content.of(b"new"), expect=old.generation),
        lambda remote: remote.trash("file", expect=old.generation),
    ):
        container.engine.spoil(Spoil(method, f"{container.name}/", how, times=30, status=500))  # type: ignore[arg-type]
        with contextlib.suppress(AcdrunError):
            container.use(act)
        container.engine.spoil()

    assert b"old" in container.use(_contents)


def test_a_write_that_is_stale_leaves_what_it_met_and_the_trash_empty(container: Container) -> None:
    old = container.use(lambda remote: write(remote, "file", b"old"))
    now = container.use(lambda remote: remote.put("file", Content.of(b"now"), expect=old.generation))
    before = container.use(trash_of)

    for act in (
        lambda remote: remote.put("file", Content.of(b"mine"), expect=old.generation),
        lambda remote: remote.trash("file", expect=old.generation),
        lambda remote: remote.move("file", "other", expect=old.generation),
    ):
        with pytest.raises(Stale):
            container.use(act)

    assert container.use(trash_of) == before
    assert container.use(lambda remote: read(remote, "file", expect=now.generation)) == b"now"


def test_where_versions_are_kept_nothing_is_copied_and_what_was_there_before_comes_back_too(
    container: Container,
) -> None:
    older = container.use(lambda remote: write(remote, "older", b"from before"))
    container.use(lambda remote: openstack.keep_versions(remote.backend))
    old = container.use(lambda remote: write(remote, "file", b"old"))
    container.engine.spoil()

    async def act(remote: Remote) -> Sequence[str]:
        new = await remote.put("file", Content.of(b"new"), expect=old.generation)
        with pytest.raises(Exists):
            await write(remote, "file", b"mine")
        return new.replaced, await remote.trash("file", expect=new.generation)

    refs = container.use(act)

    assert container.engine.count("PUT", ".acdrun-trash") == 0
    assert set(container.use(trash_of)) == set(refs)
    assert container.use(lambda remote: remote.restore(refs[0])) == "file"
    assert container.use(lambda remote: read(remote, "file")) == b"old"
    ref = container.use(lambda remote: remote.trash("older", expect=older.generation))
    assert container.use(lambda remote: remote.restore(ref)) == "older"


def test_a_server_that_ignores_the_precondition_is_found_out_and_asked_before_each_create(
    container: Container,
) -> None:
    inner = container.engine.send

    async def ignoring(sending: Sending) -> Answer:
        return await inner(sending._replace(headers=[h for h in sending.headers if h[0] != "if-none-match"]))

    container.engine.send = ignoring  # type: ignore[method-assign]
    container.use(lambda remote: write(remote, "file", b"theirs"))
    with pytest.raises(Exists):
        container.use(lambda remote: write(remote, "file", b"ours"))

    assert container.engine.count("PUT", "probe-") == 2
    assert container.use(children)["file"].checksum == Checksum.of("md5", b"theirs")
    assert container.use(trash_of) == {}


def test_a_container_in_which_a_removal_brings_back_what_was_before_is_refused(container: Container) -> None:
    container.ask(Ask("PUT", f"{container.name}_old"))
    container.ask(Ask("POST", container.name, headers=[("x-versions-location", f"{container.name}_old")]))

    with pytest.raises(Unsupported, match="X-Versions-Location"):
        container.use(lambda remote: write(remote, "file"))


def test_a_container_that_is_not_there_is_named_with_what_to_do(container: Container) -> None:
    container.name = openstack.new_container()

    for act in (everything, lambda remote: write(remote, "file")):
        with pytest.raises(NoContainer, match=container.name) as caught:
            container.use(act)
        assert "acdrun mkdir" in caught.value.hint


def test_a_404_of_a_proxy_says_nothing_of_an_object(container: Container) -> None:
    container.use(lambda remote: write(remote, "file"))
    page = Spoil("HEAD", "/file", "refused", times=9, status=404, body=b"<html>")
    container.engine.spoil(page)

    with pytest.raises(BadAnswer):
        container.use(lambda remote: remote.stat("file"))


def entries(*names: object) -> bytes:
    """A page of a listing."""
    day = "2024-01-01T00:00:00.000000"
    return json.dumps(
        [{"name": name, "bytes": 1, "hash": "x", "last_modified": day} for name in names]
    ).encode()


@pytest.mark.torture
@pytest.mark.parametrize(
    "body",
    [
        entries("a"),  # the same page for ever
        entries("b", "a"),
        entries(5),
        b'[{"name": "a", "bytes": -1, "hash": "x", "last_modified": "x"}]',
        b'[{"name": "a"}]',
        b"{}",
        b"[5]",
        b"<html>log in</html>",
        b"[" * 100_000,
        b"",
    ],
)
def test_N12_N8_a_listing_that_makes_no_sense_is_no_listing(container: Container, body: bytes) -> None:
    container.engine.spoil(Spoil("GET", "format=json", "refused", times=99, status=200, body=body))

    with pytest.raises(BadAnswer):
        container.use(everything)


@pytest.mark.torture
def test_N12_a_page_that_fails_is_no_end_of_a_listing(container: Container) -> None:
    container.use(lambda remote: write(remote, "file"))
    container.engine.spoil(Spoil("GET", "marker=", "refused", times=99, status=500))

    with pytest.raises(Unavailable):
        container.use(everything)


def test_room_is_what_the_narrower_quota_leaves(container: Container) -> None:
    container.use(lambda remote: write(remote, "file", b"x" * 40))
    container.ask(Ask("POST", container.name, headers=[("x-container-meta-quota-bytes", "100")]))

    room = container.use(lambda remote: remote.quota())
    with pytest.raises(NoSpace):
        container.use(lambda remote: write(remote, "large", b"x" * 100))

    assert (room.total, room.used, room.free) == (100, 40, 60)


def test_a_plan_by_checksum_asks_for_the_listing_alone_and_one_by_time_once_for_each_state(
    container: Container,
) -> None:
    async def fill(remote: Remote) -> None:
        for number in range(5):
            await write(remote, f"folder/{number}", b"x" * number, mtime_ns=TIME_NS)

    async def walk(remote: Remote, *, timed: bool) -> dict[str, Node]:
        found = [node async for folder in remote.walk(timed=timed) for node in folder.nodes]
        return {node.name: node for node in found if node.kind == "file"}

    container.use(fill)
    container.engine.spoil()
    assert container.use(lambda remote: walk(remote, timed=False))["3"].checksum == Checksum.of("md5", b"xxx")
    assert (container.engine.count("GET", "format=json"), container.engine.count("HEAD")) == (2, 0)
    container.use(lambda remote: walk(remote, timed=True))
    assert container.engine.count("HEAD") == 0

    container.state = container.state.with_name("another machine")
    container.engine.spoil()
    for _ in range(2):
        container.use(lambda remote: walk(remote, timed=False))
    assert container.engine.count("HEAD") == 1  # the one with no bytes, which might be a manifest
    for _ in range(2):
        container.use(lambda remote: walk(remote, timed=True))
    assert container.engine.count("HEAD") == 5
    container.ask(Ask("POST", container.name, "folder/3", headers=[("x-object-meta-mtime", "1600000000")]))
    for _ in range(2):
        touched = container.use(lambda remote: walk(remote, timed=True))
    assert container.engine.count("HEAD") == 6
    assert (touched["3"].mtime_ns, touched["2"].mtime_ns) == (1_600_000_000 * 10**9, TIME_NS)


def test_marks_of_folders_links_and_keys_that_are_no_paths_are_left_alone(container: Container) -> None:
    mark = ("content-type", "application/directory")
    container.ask(Ask("PUT", container.name, "folder", headers=[mark]))
    container.ask(Ask("PUT", container.name, "marked/", headers=[mark]))
    for key in ("folder/file", "a//b", "x/../y", "./z"):
        container.ask(Ask("PUT", container.name, key, body=b"x"))
    container.ask(
        Ask("PUT", container.name, "link", headers=[("x-symlink-target", f"{container.name}/folder/file")])
    )

    async def walk(remote: Remote) -> tuple[dict[str, str], set[str]]:
        folders = [folder async for folder in remote.walk()]
        found = {f"{one.path}/{node.name}": node.kind for one in folders for node in one.nodes}
        return found, {gap.path for one in folders for gap in one.gaps}  # type: ignore[return-value]

    found, gaps = container.use(walk)

    assert {path: kind for path, kind in found.items() if kind != "folder"} == {
        "/link": "other",
        "folder/file": "file",
    }
    assert len(gaps) == 3
    assert container.use(lambda remote: remote.stat("folder")).kind == "folder"
    assert container.use(lambda remote: remote.stat("link")).kind == "other"
    names = container.ask(Ask("GET", container.name, query={"format": "json"})).body
    assert {entry["name"] for entry in json.loads(names)} >= {"a//b", "x/../y", "./z", "folder", "link"}
