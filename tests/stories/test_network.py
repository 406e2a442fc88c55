"""The network and the server fail in every way they can. Source: reliability.md §9, group N.

In each story a mirror has a file to trash, which must not go while anything is unclear.
"""

import itertools
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests.stories.between import Asked, Said, between, listener, page_of, raw
from tests.stories.conftest import Machine
from tests.stories.spoilt import Scene, md5
from tests.stories.test_places import Account, account

UPLOADS = {"method": "POST", "path": "/cdproxy/nodes"}
LISTINGS = {"method": "GET", "path": "/drive/v1/nodes", "query": "parents:"}
NUMBER = itertools.count()


@pytest.fixture(scope="module")
def one_account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """One drive for the stories of this file; each has a folder of its own."""
    home = tmp_path_factory.mktemp("drive")
    with account(Machine(home), "drive") as drive:
        yield drive


@pytest.fixture
def scene(machine: Machine, one_account: Account) -> Iterator[Scene]:
    """The drive holds `old.jpg` and `kept.jpg`, the machine `kept.jpg` and `new.jpg`."""
    scene = Scene(machine, one_account, f"photos{next(NUMBER)}")
    scene.seed({"old.jpg": b"old", "kept.jpg": b"kept"})
    machine.write({"kept.jpg": "kept", "new.jpg": "new"})
    yield scene
    scene.faults()


SEED = {"old.jpg": md5(b"old"), "kept.jpg": md5(b"kept")}
MIRRORED = {"kept.jpg": md5(b"kept"), "new.jpg": md5(b"new")}


@pytest.mark.torture
def test_N1_a_drive_that_is_not_there_is_unavailable_and_keeps_everything(scene: Scene) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    said = scene.run(f"http://127.0.0.1:{port}", "", "-v")

    assert said.code == 7
    assert "connection refused" in said.out
    assert scene.stored() == SEED
    assert scene.trashed() == []


@pytest.mark.torture
def test_N3_uploads_whose_answers_are_lost_are_found_and_stored_once(scene: Scene) -> None:
    scene.machine.write({f"{number}.jpg": str(number) for number in range(4)})
    scene.faults(
        {"match": UPLOADS, "do": "status", "status": 504, "message": "", "after_effect": True, "times": 2},
        {"match": UPLOADS, "do": "cut", "fraction": 0.5, "after_effect": True, "times": 2},
    )
    before = scene.uploads()

    said = scene.run()

    assert said.code == 0, said.out
    assert scene.stored() == MIRRORED | {f"{number}.jpg": md5(b"%d" % number) for number in range(4)}
    assert scene.names() == sorted(scene.stored())
    assert scene.uploads() - before == 5, "each was sent once"


@pytest.mark.torture
def test_N4_gateways_that_fail_before_within_and_after_an_effect_delay_and_nothing_else(scene: Scene) -> None:
    scene.machine.write({f"{number}.jpg": str(number) for number in range(4)})
    passing = [{"match": LISTINGS, "do": "status", "status": status, "times": 1} for status in (500, 503)]
    scene.faults(
        passing[0],
        {"match": UPLOADS, "do": "status", "status": 502, "after_effect": True, "times": 1},
        {"match": UPLOADS, "do": "status", "status": 500, "after_effect": True, "times": 1},
        {"match": {"method": "GET", "path": "/drive/v1/nodes"}, "do": "cut", "times": 1, "skip": 2},
        {"match": {"method": "PUT"}, "do": "status", "status": 504, "after_effect": True, "times": 1},
    )

    said = scene.run()

    assert said.code == 0, said.out
    assert scene.stored() == MIRRORED | {f"{number}.jpg": md5(b"%d" % number) for number in range(4)}
    assert [node["name"] for node in scene.trashed()] == ["old.jpg"]


@pytest.mark.torture
def test_N6_a_download_that_is_cut_leaves_no_file_and_nothing_is_trashed(scene: Scene) -> None:
    back = scene.machine.home / "back"
    scene.machine.write({"kept.jpg": "kept", "lost.jpg": "lost"}, back)
    content = {"method": "GET", "path": "/cdproxy/nodes/*"}
    scene.faults({"match": content, "do": "cut", "fraction": 0.5})

    cut = scene.run(down=True)
    after = sorted(path.name for path in back.iterdir() if path.is_file())
    scene.faults({"match": content, "do": "cut", "fraction": 0.5, "times": 1})
    again = scene.run(down=True)

    assert cut.code == 7
    assert "nothing was trashed" in cut.out
    assert after == ["kept.jpg", "lost.jpg"]
    assert again.code == 0
    assert (back / "old.jpg").read_bytes() == b"old"
    assert not (back / "lost.jpg").exists()


@pytest.mark.torture
@pytest.mark.parametrize("keeps", [0.6, 1.0], ids=["cut", "whole"])
def test_N7_a_download_that_does_not_say_where_it_ends_is_never_accepted(scene: Scene, keeps: float) -> None:
    back = scene.machine.home / "back"
    scene.machine.write({"lost.jpg": "lost"}, back)

    def rule(asked: Asked) -> bytes | None:
        if asked.method != "GET" or not asked.path.endswith("/content"):
            return None
        body = asked.real().body
        return raw(body[: int(len(body) * keeps)], "Connection: close")

    with between(scene.account.url, rule) as middle:
        said = scene.run(middle.url, down=True)

    assert said.code == 7
    assert [path.name for path in back.iterdir() if path.is_file()] == ["lost.jpg"]


@pytest.mark.torture
def test_N7_a_listing_that_does_not_say_where_it_ends_trashes_nothing(scene: Scene) -> None:
    def rule(asked: Asked) -> bytes | None:
        said = page_of(asked)
        return raw(said.body, "Content-Type: application/json", "Connection: close") if said else None

    with between(scene.account.url, rule) as middle:
        said = scene.run(middle.url)

    assert said.code == 7
    assert (scene.stored(), scene.trashed()) == (SEED, [])


PAGE = b"<!doctype html><title>Hotel Wi-Fi</title>Accept the terms to go on."
NO_LISTING = {
    "a page of a proxy": lambda said: Said(200, {"Content-Type": "text/html"}, PAGE),
    "half of it": lambda said: said.saying(said.body[: len(said.body) // 2]),
    "an error": lambda said: said.saying({"message": "please log in"}),
}


@pytest.mark.torture
@pytest.mark.parametrize("spoil", NO_LISTING.values(), ids=NO_LISTING.keys())
def test_N8_a_page_that_is_no_listing_is_no_empty_folder(scene: Scene, spoil: Any) -> None:
    def rule(asked: Asked) -> Said | None:
        said = page_of(asked)
        return spoil(said) if said else None

    with between(scene.account.url, rule) as middle:
        said = scene.run(middle.url)

    assert said.code not in (0, 3)
    assert "list destination" in said.out
    assert (scene.stored(), scene.trashed()) == (SEED, [])


@pytest.mark.torture
def test_N9_what_is_confirmed_with_a_wrong_digest_is_taken_back_by_its_id_alone(scene: Scene) -> None:
    scene.machine.write({"kept.jpg": "changed"})
    there = {node["id"] for node in scene.drive.nodes("kind:FILE")}
    scene.faults({"match": UPLOADS, "do": "wrong_md5"})
    before = scene.uploads()

    wrong = scene.run()
    stored, own = scene.stored(), {node["id"] for node in scene.trashed()}
    sent = scene.uploads() - before
    scene.faults({"match": UPLOADS, "do": "wrong_md5", "times": 1})
    again = scene.run()

    assert wrong.code == 9
    assert "nothing was trashed" in wrong.out
    assert stored == SEED
    assert sent == 4, "two files, two attempts each"
    assert len(own) == sent
    assert not own & there
    assert again.code == 0, again.out
    assert scene.stored() == {"kept.jpg": md5(b"changed"), "new.jpg": md5(b"new")}


@pytest.mark.torture
def test_N10_an_upload_that_is_confirmed_without_a_digest_is_read_back(scene: Scene) -> None:
    def rule(asked: Asked) -> Said | None:
        if asked.path.startswith("/drive/v1/nodes/") or asked.method == "POST":
            said = asked.real()
            return (
                said.saying(said.json | {"contentProperties": {"size": 3}})
                if b'"new.jpg"' in said.body
                else said
            )
        return None

    with between(scene.account.url, rule) as middle:
        said = scene.run(middle.url)

    assert said.code == 0, said.out + said.err
    assert middle.count("GET /cdproxy/nodes/") == 1
    assert scene.stored() == MIRRORED


@pytest.mark.torture
def test_N11_other_bytes_of_the_right_size_are_damage_and_leave_the_name(scene: Scene) -> None:
    def rule(asked: Asked) -> Said | None:
        if asked.path.startswith("/cdproxy/nodes?"):
            return asked.pass_on(asked.body.replace(b"\r\n\r\nnew\r\n", b"\r\n\r\nnow\r\n"))
        return None

    with between(scene.account.url, rule) as middle:
        said = scene.run(middle.url)

    assert said.code == 9
    assert "nothing was trashed" in said.out
    assert scene.stored() == SEED
    assert {node["name"] for node in scene.trashed()} == {"new.jpg"}


def again_with(token: str) -> Any:
    """The same page over and over, each naming the next one so."""
    numbers = itertools.count()
    return lambda asked, said: said.saying(said.json | {"nextToken": token.format(next(numbers))})


def only_first(status: int) -> Any:
    """The first page, and then this."""

    def spoil(asked: Asked, said: Said) -> Said:
        if "startToken" in asked.path:
            return Said(status, {"Content-Type": "application/json"}, b'{"message": "Next token is expired"}')
        return said.saying(said.json | {"data": said.json["data"][:1], "nextToken": "two"})

    return spoil


ENDLESS = {
    "one token": again_with("same"),
    "new tokens": again_with("t{}"),
    "the next page fails": only_first(500),
    "the next page has expired": only_first(400),
    "a page too short": lambda asked, said: said.saying(said.json | {"data": said.json["data"][:1]}),
}


@pytest.mark.torture
@pytest.mark.parametrize("spoil", ENDLESS.values(), ids=ENDLESS.keys())
def test_N12_a_listing_without_a_proper_end_ends_and_trashes_nothing(scene: Scene, spoil: Any) -> None:
    pages: list[Said] = []  # the emulator knows no token but its own

    def rule(asked: Asked) -> Said | None:
        said = pages[0] if pages and "startToken" in asked.path else page_of(asked)
        if said is None:
            return None
        pages.append(said)
        spoilt: Said = spoil(asked, said)
        return spoilt

    with between(scene.account.url, rule) as middle:
        said = scene.run(middle.url)

    assert said.code in (1, 7)
    assert "list destination" in said.out
    assert middle.count("GET /drive/v1/nodes?") < 40
    assert (scene.stored(), scene.trashed()) == (SEED, [])


@pytest.mark.torture
def test_N13_what_a_listing_does_not_show_yet_is_looked_for_and_not_stored_twice(scene: Scene) -> None:
    scene.faults({"match": UPLOADS, "do": "late", "seconds": 3600})
    first = scene.run()
    number = scene.number()

    again = scene.run()

    assert (first.code, again.code) == (0, 0), again.out
    assert scene.number() == number


@pytest.mark.torture
def test_N17_a_folder_that_may_not_be_listed_is_not_known_and_keeps_what_is_in_it(scene: Scene) -> None:
    inside = scene.seed_folder("sub", {"gone.jpg": b"gone"})
    scene.machine.write({"sub/more.jpg": "more"})
    listed = {"method": "GET", "path": "/drive/v1/nodes", "query": f'parents:"{inside}"'}
    scene.faults({"match": listed, "do": "status", "status": 403, "message": "Access denied"})

    said = scene.run()

    assert said.code == 3
    assert "! sub: denied: " in said.out
    assert "nothing was trashed" in said.out
    assert scene.trashed() == []
    assert scene.stored() == SEED | MIRRORED | {"sub/gone.jpg": md5(b"gone")}


@pytest.mark.torture
@pytest.mark.parametrize(
    ("call", "status"),
    [
        ("POST /cdproxy/nodes", "307 Temporary Redirect"),
        ("GET /drive/v1/nodes?", "302 Found"),
        ("GET /drive/v1/account", "301 Moved Permanently"),
    ],
)
def test_N20_nothing_follows_a_redirect_to_another_host(scene: Scene, call: str, status: str) -> None:
    with listener() as (elsewhere, heard):

        def rule(asked: Asked) -> bytes | None:
            if not f"{asked.method} {asked.path}".startswith(call):
                return None
            return raw(b"", f"Location: {elsewhere}/steal?sig=canary", "Content-Length: 0", status=status)

        with between(scene.account.url, rule) as middle:
            said = scene.run(middle.url)

    assert said.code == 1
    assert heard == []
    assert "not followed" in said.out
    assert "canary" not in said.out + said.err
    assert (scene.stored(), scene.trashed()) == (SEED, [])


@pytest.mark.torture
@pytest.mark.parametrize(("calls", "skip"), [(UPLOADS, 0), (LISTINGS, 3)], ids=["uploads", "listings"])
def test_N5_a_storm_that_outlasts_the_budget_ends_the_run_and_not_each_file_anew(
    scene: Scene, calls: dict[str, str], skip: int
) -> None:
    scene.machine.write({f"{number:02}.jpg": str(number) for number in range(40)})
    for number in range(20):
        scene.seed_folder(f"d{number}", {})
    scene.faults({"match": calls, "do": "status", "status": 429, "skip": skip})
    before = scene.requests()

    said = scene.run(retry="{attempts: 3, budget: 1s}")

    assert said.code == 7
    assert "Rate exceeded" in said.out or "fewer requests" in said.out
    assert scene.requests() - before < 90, "40 files and 22 folders"
    assert scene.trashed() == []
    assert SEED.keys() <= scene.stored().keys()


@pytest.mark.torture
def test_C3_a_clock_that_is_days_off_is_told_and_ages_are_not_judged_by_it(scene: Scene) -> None:
    scene.faults({"match": {}, "do": "clock", "ahead": 91_800})

    refused = scene.run("", "filter: [{exclude: {newer_than: 1h}}]")
    before = scene.stored()
    told = scene.run()

    assert (refused.code, before) == (4, SEED)
    text = " ".join((refused.out + refused.err).split())
    assert "the clock of this machine is 1d01h behind that of 'cloud': one of them is wrong" in text
    assert "and the filter asks how old files are" in text
    assert told.code == 0
    assert "behind that of 'cloud'" in " ".join((told.out + told.err).split())
    assert scene.stored() == MIRRORED
