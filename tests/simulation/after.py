"""What else is done with a run: it is taken back, accepted though a guard refused it, verified; a plan drifts."""

from dataclasses import replace
from typing import TYPE_CHECKING

from runner import app
from runner.app.proving import Asked, verify
from runner.model.exits import Exit
from runner.model.path import fold, within
from runner.state.findings import found
from tests.simulation.loop import run

if TYPE_CHECKING:
    from tests.simulation.life import Life, Snapshot


def undone(life: "Life", before: "Snapshot") -> None:
    """Take the last run back, again if that is killed: then the destination is what it was before."""
    wanted = app.Undo("last", created=True, max_trash=1000)
    for quiet in (False, True):
        act = life.new_act("undo", quiet=quiet)
        code = life.do(act, lambda options: app.undo(wanted, options))
        now = type(before).of(life.tree("dst"))
        now.folders -= {
            ends.destination for ends in life.policy.pairs
        } - before.folders  # a pair's own folder stays
        if code == 0 and now != before:
            raise life.broken("undo", "it ended with 0, and the destination is not what it was")
        if code == 0 or life.journals_lost:
            return
    raise life.broken("undo", f"an undo that nothing disturbs ended with {code}")


def accepted(life: "Life") -> int | None:
    """Look at what a guard refuses, accept just that, and run: that plan is carried out."""
    looking = life.new_act("plan", quiet=True)
    marks = list[str]()

    async def look(options: app.Options) -> app.Result:
        result = await app.plan(life.manifest, options)
        with result:
            account = result.account
            checks, doors = account.checks(), [one.id for one in account.stages() if one.task == "accept"]
            marks.extend(
                check.text for door in doors for check in checks.get(door, ()) if check.level == "refused"
            )
        return result

    looking.excuses.add("guard")
    code = life.do(looking, look)
    if code != Exit.REFUSED or not marks:
        raise life.broken("guard", f"a run was refused, and its plan ends with {code} and names {marks}")
    act = life.new_act(quiet=True)
    act.accepted = True
    code = life.do(act, lambda o: app.run(life.manifest, replace(o, accepted=frozenset(marks))))
    life.hits["accepted"] += 1
    if code == Exit.REFUSED:
        raise life.broken("guard", "the very plan that was accepted was refused")
    return code


def drifted(life: "Life") -> set[str]:
    """Somebody changes something after a plan was saved; return pairs of which nothing may be trashed now."""
    before = _files(life)
    run(life.loop, life.edit(life.chance.choice(("src", "dst", "dst"))))
    if life.policy.mode != "mirror" or life.policy.renames != "ignore":
        return set()
    now, frozen = _files(life), set[str]()
    for path, generation in now.items():
        ends = life.pair_of("dst", path)
        ours = {fold(one) for one in life.source.below(ends.source).files}
        rest = path[len(ends.destination) :].lstrip("/")
        if (
            within(path, ends.destination)
            and before.get(path, generation) != generation
            and fold(rest) not in ours
        ):
            frozen.add(ends.name)
            life.hits["drift in what is to be trashed"] += 1
    return frozen


def _files(life: "Life") -> dict[str, str]:
    """Generation by path of every file at the destination."""
    paths = type(life.source).of(life.tree("dst")).files
    nodes = {path: life.node(path) for path in paths}
    return {path: node.generation for path, node in nodes.items() if node is not None}


def verified(life: "Life") -> None:
    """The disk forgets some bytes: a verification that reads finds just those."""
    contents, files = life.tree("dst").contents, _files(life)
    theirs = {
        path
        for ends in life.policy.pairs
        for path in files
        if within(path, ends.destination)
        and path[len(ends.destination) :].lstrip("/") in life.source.below(ends.source).files
        and contents[files[path]]
    }
    chosen = sorted(path for path in theirs if life.chance.random() < 0.4)
    whole = {files[path]: contents[files[path]] for path in chosen}
    life.damaged = set(whole.values())
    for generation, data in whole.items():
        contents[generation] = bytes(255 - byte for byte in data)
        life.known(contents[generation])
    act, seen = life.new_act("verify", quiet=True), set[tuple[str, str]]()

    async def look(options: app.Options) -> app.Result:
        result = await verify(life.manifest, options, Asked(read=True))
        with result:
            for pair in life.manifest.pairs:
                seen.update((one.pair, one.path) for one in found(result.journal, pair.name))
        return result

    act.excuses.add("damage")
    life.say(f"damaged: {chosen}")
    code = life.do(act, look)
    life.hits["verified"] += 1
    life.hits["damaged files"] += len(chosen)
    contents.update(whole)
    life.protected -= {bytes(255 - byte for byte in data) for data in whole.values()}
    life.damaged = set()
    names = {ends.name: number for number, ends in enumerate(life.policy.pairs)}
    wanted = {(_pair_name(names, life, path), _below(life, path)) for path in chosen}
    if seen != wanted or code != (Exit.DAMAGED if chosen else Exit.CONVERGED):
        raise life.broken(
            "verify", f"it ended with {code} and found {sorted(seen)} instead of {sorted(wanted)}"
        )


def _pair_name(names: dict[str, int], life: "Life", path: str) -> str:
    number = names[life.pair_of("dst", path).name]
    return life.manifest.pairs[number].name


def _below(life: "Life", path: str) -> str:
    return path[len(life.pair_of("dst", path).destination) :].lstrip("/")
