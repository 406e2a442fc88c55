"""One seed's whole life: two places, a job, what goes wrong, and what has to hold at every moment of it.

What has to hold is asked of plain dicts of the two trees, never of the program's own account of itself.
"""

import asyncio
import random
import shutil
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from runner import app
from runner.backends.memory import Tree
from runner.model.content import Content
from runner.model.errors import AcdrunError, PlanStale
from runner.model.exits import Exit
from runner.model.node import Node
from runner.model.path import fold, join, name, order, parent, within
from runner.plan.alias import alias
from tests.lab.worlds import World
from tests.laws.killing import Killed
from tests.simulation import after
from tests.simulation.loop import Loop, run
from tests.simulation.policy import FAULTS, HARSH, ONCE, UNGENTLE, Ends, Policy, policy

FILES = ("a", "b", "c", "d-e", "d.e", "~")
FOLDERS = ("f", "g", "h")
HOUR_NS = 3_600_000_000_000
FORGIVEN = 2
"""So many faults at one path are less than the three tries that an operation has."""


class Broken(AssertionError):
    """A promise was broken: its id, what happened, and the last steps before."""

    def __init__(self, promise: str, said: str) -> None:
        super().__init__(said)
        self.promise = promise


@dataclass
class Snapshot:
    """A tree as plain dicts: content by path, and the paths of its folders."""

    files: dict[str, bytes] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, tree: Tree) -> "Snapshot":
        """As it is now."""
        found, stack = cls(), [("", tree.children["root"])]
        while stack:
            above, children = stack.pop()
            for node in children.values():
                path = join(above, node.name)
                if node.kind == "folder":
                    found.folders.add(path)
                    stack.append((path, tree.children[node.id]))
                else:
                    found.files[path] = tree.contents[node.generation]
        return found

    def below(self, top: str) -> "Snapshot":
        """What lies below a folder, by path from there."""
        if not top:
            return self
        cut = len(top) + 1
        files = {path[cut:]: data for path, data in self.files.items() if within(path, top)}
        return Snapshot(files, {path[cut:] for path in self.folders if within(path, top) and path != top})


class Before(NamedTuple):
    """What stood at a path just before an effect, and what speaks against the effect: "promise: why", or ""."""

    node: Node | None
    content: bytes | None
    objection: str


@dataclass
class Act:
    """One call of the program: a run, a plan, or an apply.

    tainted: the places changed under it, or it was told old news: its end proves nothing about them.
    excuses: why it may end with another code than 0. gaps: pairs of which a listing was not whole.
    listed: generations at the destination that it was shown. unclean: uploads whose last try failed.
    dies: at which commit or effect, counted from 1, and whether before or after it.
    kind: "run" (or an apply), "plan", "undo", "verify". accepted: a person has accepted what a guard refused.
    frozen: pairs whose list of what is to be trashed is not true any more. walked: folders listed so far, by side.
    trashed: files, by pair. stored: generations that it has put, and may withdraw.
    """

    life: "Life"
    quiet: bool
    kind: str = "run"
    accepted: bool = False
    frozen: set[str] = field(default_factory=set)
    walked: set[tuple[str, str]] = field(default_factory=set)
    trashed: "Counter[str]" = field(default_factory=Counter)
    stored: set[str] = field(default_factory=set)
    dies: tuple[str, int, bool] | None = None
    dead: bool = False
    tainted: bool = False
    excuses: set[str] = field(default_factory=set)
    gaps: set[str] = field(default_factory=set)
    listed: set[str] = field(default_factory=set)
    unclean: set[str] = field(default_factory=set)
    hits: "Counter[tuple[str, str]]" = field(default_factory=Counter)
    marks: "Counter[str]" = field(default_factory=Counter)
    under_way: int = 0
    effects: int = 0
    moves: int = 0

    @property
    def chance(self) -> random.Random:
        """The seed's."""
        return self.life.chance

    async def pause(self) -> None:
        """Time passes, and others have their turn. A dead process never comes back from it."""
        if self.dead:
            raise Killed
        await asyncio.sleep(self.chance.choice((0.0, 0.0, 0.01, 0.2)))
        if self.dead:
            raise Killed

    def ghost(self) -> bool:
        """Did the service carry out what a process sent in its last moment?"""
        return self.dead and self.chance.random() < 0.5

    @contextmanager
    def sending(self, path: str) -> Iterator[None]:
        """An upload is under way."""
        self.under_way += 1
        try:
            yield
        except AcdrunError:
            self.unclean.add(path)
            raise
        else:
            self.unclean.discard(path)
        finally:
            if not self.dead:
                self.under_way -= 1

    def walks(self, side: str, folder: str) -> bool:
        """Is that folder listed for the first time? What decides comes of that listing; others only look again."""
        first = (side, folder) not in self.walked
        self.walked.add((side, folder))
        return first

    def fault(self, side: str, verb: str, path: str, *, first: bool) -> str:
        """What goes wrong with this call, "" for nothing. first: a listing that the plan is made from."""
        job = self.life.policy
        if self.quiet or self.chance.random() >= job.rate:
            return ""
        kind = self.chance.choice(FAULTS[verb])
        if (kind == "stale" and side == "src") or (kind == "rot" and not job.proves):
            return ""
        pair = self.life.pair_of(side, path)
        key = (pair.name, fold(path[len(pair.source if side == "src" else pair.destination) :]))
        if self.kind == "undo":  # it asks for a path by the id of what is in the trash, too
            key = ("", self.kind)  # whose ref that is nobody knows here
        keys = [key]
        if verb in ("move", "stat", "read"):  # a rename is an operation of two paths
            keys.append((pair.name, "renames"))
        if job.gentle and (kind in UNGENTLE or verb in ONCE or any(self.hits[k] >= FORGIVEN for k in keys)):
            return ""
        self.hits.update(keys)
        if any(self.hits[k] > FORGIVEN for k in keys) or kind in HARSH or verb in ONCE:
            self.excuses.add(f"{kind} {verb}")
        if verb == "list" and kind not in ("stale", "twice") and first:
            self.gaps.add(pair.name)
        self.tainted |= kind == "stale"
        self.life.hits[f"{verb}: {kind}"] += 1
        self.life.say(f"{side} {verb} {path!r}: {kind}")
        return kind

    def looked(self, side: str, path: str, node: Node) -> None:
        """The program was told what stands there now; what it finds complete it may adopt."""
        life = self.life
        if self.kind == "undo":  # it asks path by path, and lists nothing
            self.seen(side, [node])
        if side == "dst" and path in self.unclean and life.is_sent(path):
            self.unclean.discard(path)

    def gap(self, side: str, folder: str, *, first: bool) -> None:
        """A listing of that folder was not whole."""
        if first:
            self.gaps.add(self.life.pair_of(side, folder).name)

    def rotten(self, data: bytes) -> bytes:
        """As many bytes, and not those."""
        return self.life.known(bytes(255 - byte for byte in data))

    def seen(self, side: str, nodes: Iterable[Node]) -> None:
        """The destination said so in a listing."""
        if side == "dst":
            self.listed.update(node.generation for node in nodes)

    def mark(self, kind: str, *, after: bool) -> None:
        """A commit or an effect is about to be, or was. Raises Killed when it is the last thing of this life."""
        if self.dead:
            raise Killed
        self.marks[kind] += not after
        if self.dies == (kind, self.marks[kind], after):
            self.dead = True
            self.life.hits[f"death: {'after' if after else 'before'} {kind}"] += 1
            self.life.say(f"killed {'after' if after else 'before'} {kind} {self.marks[kind]}")
            raise Killed

    def about_to(self, side: str, verb: str, path: str) -> "Before":
        """Just before an effect, which may yet be refused."""
        self.mark("effect", after=False)
        life = self.life
        old = life.node(path) if side == "dst" else None
        content = life.tree("dst").contents.get(old.generation) if old is not None else None
        return Before(old, content, life.objection(self, verb, path) if side == "dst" else "")

    def has_done(self, side: str, verb: str, path: str, before: "Before", result: object) -> None:
        """Just after an effect."""
        life, old = self.life, before.node
        self.effects += 1
        self.moves += verb == "move"
        life.say(f"{side} {verb} {path!r}")
        life.hits[f"effect: {verb}"] += 1
        if side == "src":
            raise life.broken("I2", f"{verb} {path!r} at the source")
        if before.objection:
            raise life.broken(*before.objection.split(": ", 1))
        if isinstance(result, Node):
            self.listed.add(result.generation)
        if verb == "trash" and old is not None and old.kind == "file" and old.generation not in self.stored:
            self._counts(path)
        if verb == "put":
            node = life.node(path)
            assert node is not None
            self.stored.add(node.generation)
            same = old is not None and before.content == life.tree("dst").contents[node.generation]
            if same and old is not None and old.mtime_ns == node.mtime_ns:
                life.say(f"sent again what was there: {path!r}")
                life.useless += not (self.tainted or life.policy.weak or life.policy.twins)
        self.after(verb, path)

    def _counts(self, path: str) -> None:
        ends, most = self.life.pair_of("dst", path), self.life.policy.most_trashed
        self.trashed[ends.name] += 1
        if self.trashed[ends.name] > most and self.kind == "run" and not self.accepted:
            raise self.life.broken("guard", f"more than {most} files were trashed")

    def after(self, verb: str, path: str) -> None:
        """What has to hold after every effect, whoever caused it."""
        self.life.look()
        if verb != "ghost":
            self.mark("effect", after=True)


class Life:
    """The world of one seed.

    hits: how often each kind of fault, effect and death came to pass. trace: what happened, for people.
    protected: every content that was ever live at the destination. useless: uploads of what was there already;
    lost_in_flight: uploads under way at the deaths so far.
    """

    def __init__(self, seed: int, loop: Loop, folder: Path) -> None:
        self.seed, self.loop = seed, loop
        self.chance = random.Random(seed)
        self.here = World(folder, tag=f"seed-{seed}")
        self.policy: Policy = policy(self.chance)
        self.here.fields = self.policy.fields
        self.hits: Counter[str] = Counter()
        self.trace: list[str] = []
        self.protected: set[bytes] = set()
        self.contents: set[bytes] = {b""}
        self.damaged: set[bytes] = set()
        self.past: dict[str, set[bytes]] = {}
        self.useless = self.lost_in_flight = 0
        self.forbidden: set[str] = set()
        self.journals_lost = False
        self._serial = 0
        self.owners = {side: self.here.memory(side) for side in ("src", "dst")}
        self._stores = {side: self.owners[side].tree for side in ("src", "dst")}
        self.source = Snapshot()
        self.acting: list[Act] = []
        self.manifest = self.here.manifest(self.policy.jobs(), defaults={"retry": {"attempts": 3}})

    def say(self, what: str) -> None:
        """Remember a step."""
        self.trace.append(f"{self.loop.time():10.3f}  {what}")

    def broken(self, promise: str, what: str) -> Broken:
        """An error that names the promise and the way there."""
        tail = "\n".join(self.trace[-40:])
        return Broken(promise, f"seed {self.seed}: {promise}: {what}\n{self.policy}\n{tail}")

    def tree(self, side: str) -> Tree:
        """The store."""
        return self._stores[side]

    def node(self, path: str) -> Node | None:
        """The live node at the destination."""
        memory = self.owners["dst"]
        try:
            return memory._children(parent(path)).get(memory._key(path))
        except AcdrunError:
            return None

    def pair_of(self, side: str, path: str) -> Ends:
        """The pair that a path belongs to."""
        for ends in self.policy.pairs[1:]:
            if within(path, ends.source if side == "src" else ends.destination):
                return ends
        return self.policy.pairs[0]

    # What has to hold.

    def look(self) -> None:
        """After every step: I1, I2, I3."""
        there, tree = Snapshot.of(self.tree("dst")), self.tree("dst")
        live = set(there.files.values())
        if not live <= self.contents:
            torn = next(path for path, data in there.files.items() if data not in self.contents)
            raise self.broken("I3", f"{torn!r} shows what nobody ever wrote as a whole")
        kept = live | {
            tree.contents[node.generation] for _, node in tree.trashed.values() if node.kind == "file"
        }
        self.protected |= live
        if lost := self.protected - kept - self.damaged:
            raise self.broken("I1", f"lost: {min(lost)!r}")
        if Snapshot.of(self.tree("src")) != self.source:
            raise self.broken("I2", "the source was changed")

    def objection(self, act: Act, verb: str, path: str) -> str:
        """What speaks against an effect at the destination: rule 3, guards, I6."""
        if act.kind in ("plan", "verify"):
            return f"{act.kind}: {verb} {path!r}"
        ends = self.pair_of("dst", path)
        refused = ends.name in self.forbidden or (self.forbidden and act.excuses <= {"guard", "clash"})
        if (
            verb == "mkdir" and ends.name in act.gaps
        ):  # what it holds was not seen, and what is seen is nothing
            refused = False
        if refused and act.kind == "run" and not act.tainted and not act.accepted:
            return f"guard: {verb} {path!r} although the source holds too little"
        old = self.node(path)
        shown = old is None or old.kind != "file" or old.generation in act.listed
        if verb in ("put", "trash", "move") and not shown and not self.policy.weak:
            return f"rule 3: {verb} {path!r} replaced what no listing had shown"
        withdrawn = old is not None and old.generation in act.stored
        return self._too_early(act, path) if verb == "trash" and act.kind == "run" and not withdrawn else ""

    def _too_early(self, act: Act, path: str) -> str:
        ends = self.pair_of("dst", path)
        if self.policy.mode == "copy":
            return f"I6: copy trashed {path!r}"
        if ends.name in act.frozen:
            return f"I6: trashed {path!r} though what was to be trashed has changed"
        if ends.name in act.gaps:
            return f"I6: trashed {path!r} while a listing was not whole"
        there = Snapshot.of(self.tree("dst"))
        for sent in sorted(act.unclean):
            if within(sent, ends.destination) and not self.is_sent(sent):
                return f"I6: trashed {path!r} while the upload of {sent!r} is not clean"
        if not act.tainted:
            lacking = self.lacking(ends, there.below(ends.destination), folded=True)
            for where in lacking[:1]:
                if where:
                    return f"I6: trashed {path!r} while {where!r} is missing"
        return ""

    def is_sent(self, path: str) -> bool:
        """Does the destination show there what the source shows, or once showed, at its path?"""
        ends, node = self.pair_of("dst", path), self.node(path)
        rest = path[len(ends.destination) :].lstrip("/")
        content = self.tree("dst").contents.get(node.generation) if node is not None else None
        where = fold(join(ends.source, rest))
        if self.policy.case == "rename":  # under an alias, as it may be
            return any(content in some for past, some in self.past.items() if parent(past) == parent(where))
        return content in self.past.get(where, set())

    def lacking(self, ends: Ends, theirs: Snapshot, *, folded: bool = False) -> list[str]:
        """Files of the source that the destination does not show as they are.

        A twin may be there under an alias, and keeps it for as long as the other one stands at its name.
        """
        form, ours = (fold if folded else str), self.source.below(ends.source)
        there = {form(path): data for path, data in theirs.files.items()}
        beside: dict[str, set[bytes]] = {}
        for path, data in theirs.files.items():
            beside.setdefault(fold(parent(path)), set()).add(data)
        twins = self._twins_of(ours)
        return [
            path
            for path, data in ours.files.items()
            if there.get(form(path)) != data
            and not (path in twins and data in beside.get(fold(parent(path)), set()))
            and not (self.policy.case == "rename" and there.get(form(_aliased(path))) == data)
        ]

    def _twins_of(self, ours: Snapshot) -> set[str]:
        """Files that the destination cannot tell apart, and stores under aliases."""
        if self.policy.case != "rename":
            return set()
        alike = Counter(fold(path) for path in ours.files)
        return {path for path in ours.files if alike[fold(path)] > 1}

    def clashes(self, ends: Ends) -> bool:
        """Is there something that cannot be kept in step?"""
        ours, theirs = (
            self.source.below(ends.source),
            Snapshot.of(self.tree("dst")).below(ends.destination),
        )
        form = fold if self.policy.folds else str
        files, folders = {form(p): p for p in theirs.files}, {form(p) for p in theirs.folders}
        alike, twins = Counter(form(p) for p in (*ours.files, *ours.folders)), self._twins_of(ours)
        if any(alike[form(p)] > 1 and p not in twins for p in (*ours.files, *ours.folders)):
            return True
        if any(alike[form(p)] > 1 for p in ours.folders) or any(form(p) in files for p in ours.folders):
            return True
        for path, data in ours.files.items():
            if form(path) in folders:
                return True
            other = files.get(form(path))
            apart = other is not None and other != path and (theirs.files[other] != data or not data)
            if apart and (path not in twins or other not in ours.files):
                return True
        return False

    def missing(self) -> str:
        """What the declared state lacks, "" when it is reached."""
        there = Snapshot.of(self.tree("dst"))
        for ends in self.policy.pairs:
            ours, theirs = self.source.below(ends.source), there.below(ends.destination)
            if lacking := self.lacking(ends, theirs):
                return f"{lacking[0]!r} of {ends.name} is not there as it is at the source"
            if not ours.folders <= theirs.folders:
                return f"folders {ours.folders - theirs.folders} of {ends.name} are missing"
            if self.policy.mode == "mirror" and (
                Counter(map(parent, theirs.files)) != Counter(map(parent, ours.files))
                or theirs.folders != ours.folders
            ):
                return f"{ends.name} holds more than its source"
        return ""

    def judge(self, act: Act, code: int | None) -> None:
        """After every act: I5, I7, and no failure without a cause."""
        self.look()
        if self.useless > self.lost_in_flight:
            raise self.broken("I5", f"{self.useless} uploads of what was there already")
        if code is None:
            return
        if code == Exit.REFUSED and act.effects and not act.tainted:  # the barrier refuses what drifted
            raise self.broken("guard", "refused, and yet something was done")
        if act.tainted:
            return
        if code == 0 and act.kind == "run" and (lack := self.missing()):
            raise self.broken("I7", f"exit code 0, but {lack}")
        if code != 0 and not act.excuses:
            raise self.broken("false failure", f"exit code {code} with nothing to excuse it")

    # What the owners do.

    def known(self, data: bytes) -> bytes:
        """A content that may be seen anywhere as a whole."""
        self.contents.add(data)
        return data

    def fresh(self) -> tuple[bytes, int]:
        """A content that nobody had before, and its time."""
        self._serial += 1
        if self.chance.random() < 0.04:
            return b"", 10**18 + self._serial * HOUR_NS
        data = f"{self._serial:04}:".encode() + b"x" * self.chance.randrange(40)
        return self.known(data), 10**18 + self._serial * HOUR_NS

    async def store(self, side: str, path: str, data: bytes, mtime_ns: int) -> None:
        """Write as an owner does: make folders, replace what is there. An owner of the source keeps no trash."""
        memory = self.owners[side]
        for depth in range(1, len(order(path))):
            await memory.mkdir("/".join(order(path)[:depth]))
        old = memory._children(parent(path)).get(memory._key(path))
        if old is not None and old.kind != "file":
            return
        await memory.put(path, Content.of(data, mtime_ns=mtime_ns), expect=old.generation if old else None)
        self._written(side)

    def _written(self, side: str) -> None:
        if side == "src":
            self.tree("src").trashed.clear()
            self.source = Snapshot.of(self.tree("src"))
            for where, content in self.source.files.items():
                self.past.setdefault(fold(where), set()).add(content)

    async def remove(self, side: str, path: str) -> None:
        """Take away as an owner does."""
        await self.owners[side].trash(path)
        self._written(side)

    def somewhere(self, top: str) -> str:
        """A path for a file below `top`."""
        above = self.chance.choice(("", "", self.chance.choice(FOLDERS), "f/g", "h/f"))
        return join(join(top, above), self.chance.choice(FILES))

    async def begin(self) -> None:
        """Both places as they are found."""
        for ends in self.policy.pairs:
            for side, top in (("src", ends.source), ("dst", ends.destination)):
                if top and (side == "src" or self.chance.random() < 0.8):
                    await self.owners[side].mkdir(top)
            for _ in range(self.chance.randrange(9)):
                await self._first(ends)
            for _ in range(self.chance.randrange(5)):
                await self.store("dst", self.somewhere(ends.destination), *self.fresh())
            if self.policy.clashing:
                await self._clash(ends)
            for _ in range(self.chance.randrange(3)):
                side, top = self.chance.choice((("src", ends.source), ("dst", ends.destination)))
                await self._folder(side, join(top, self.chance.choice(("f", "g", "h"))))
        self.source = Snapshot.of(self.tree("src"))
        self.look()

    async def _first(self, ends: Ends) -> None:
        path = self.somewhere("")
        ours, theirs = join(ends.source, path), join(ends.destination, path)
        data, mtime_ns = self.fresh()
        fate = self.chance.random()
        if fate < 0.3:
            await self.store("dst", theirs, *self.fresh())
            data, mtime_ns = self.fresh()
        await self.store("src", ours, data, mtime_ns)
        if fate > 0.6:
            await self.store("dst", theirs, data, mtime_ns)
        elif self.policy.folds and fate > 0.5:
            twin = join(parent(theirs), name(theirs).upper())
            if self.node(twin) is None:
                await self.store("dst", twin, data, mtime_ns)

    async def _clash(self, ends: Ends) -> None:
        kind = self.chance.choice(FOLDERS)
        if self.chance.random() < 0.5:
            await self._folder("src", join(ends.source, kind))
            if self.node(join(ends.destination, kind)) is None:
                await self.store("dst", join(ends.destination, kind), *self.fresh())
        elif self.policy.folds:
            await self.store("src", join(ends.source, "Twin"), *self.fresh())
            await self.store("src", join(ends.source, "tWIN"), *self.fresh())

    async def _folder(self, side: str, path: str) -> None:
        try:
            for depth in range(1, len(order(path)) + 1):
                await self.owners[side].mkdir("/".join(order(path)[:depth]))
        except AcdrunError:
            return
        self._written(side)

    async def edit(self, side: str) -> None:
        """Somebody changes something at one place: writes, replaces, removes."""
        ends = self.chance.choice(self.policy.pairs)
        top = ends.source if side == "src" else ends.destination
        files = sorted(Snapshot.of(self.tree(side)).below(top).files)
        self.hits[f"{side} edited"] += 1
        try:
            if side == "src" and files and self.chance.random() < 0.35:
                await self._rename(top, files)
            elif files and self.chance.random() < 0.3:
                path = join(top, self.chance.choice(files))
                self.say(f"somebody removes {side}:{path}")
                await self.remove(side, path)
            else:
                path = (
                    join(top, self.chance.choice(files))
                    if files and self.chance.random() < 0.5
                    else self.somewhere(top)
                )
                self.say(f"somebody writes {side}:{path}")
                await self.store(side, path, *self.fresh())
        except AcdrunError:
            pass  # a folder is in the way, or was taken away: they do without

    async def _rename(self, top: str, files: Sequence[str]) -> None:
        """The owner of the source gives a file or a folder another name, another place, or only other letters."""
        folders = sorted(self.source.below(top).folders)
        if folders and self.chance.random() < 0.3:
            path = self.chance.choice(folders)
            to = join(parent(path), self.chance.choice(FOLDERS))
        else:
            path = self.chance.choice(files)
            to = self.somewhere("")
        if self.policy.folds and self.chance.random() < 0.3:
            to = join(parent(path), name(path).swapcase())
        self.say(f"somebody renames src:{join(top, path)} to {to}")
        self.hits["src renamed"] += 1
        for depth in range(1, len(order(to))):
            await self._folder("src", join(top, "/".join(order(to)[:depth])))
        await self.owners["src"].move(join(top, path), join(top, to))
        self._written("src")

    async def _others(self, acts: Sequence[Act]) -> None:
        while True:
            await asyncio.sleep(self.chance.expovariate(2.0))
            if any(act.dead for act in acts):
                return
            await self.edit(self.chance.choice(("src", "dst")))
            for act in acts:
                act.tainted = True
                act.excuses.add("others")
            self.look()

    # What the program does.

    async def play(
        self, acts: Sequence[Act], cases: Sequence[Awaitable[app.Result]], *, alone: bool
    ) -> list[Any]:
        """Let the acts happen at the same time, others meddling with them."""
        others = None if alone else asyncio.create_task(self._others(acts))
        try:
            return await asyncio.gather(*cases)
        finally:
            if others is not None:
                others.cancel()

    def new_act(self, kind: str = "run", *, quiet: bool = False, may_die: bool = True) -> Act:
        """One that is about to begin."""
        act = Act(self, quiet, kind)
        if not quiet and may_die and self.chance.random() < self.policy.deadly:
            kind = self.chance.choice(("commit", "effect"))
            act.dies = (
                kind,
                self.chance.randint(1, 30 if kind == "commit" else 8),
                self.chance.random() < 0.5,
            )
        if any(map(self.clashes, self.policy.pairs)):
            act.excuses.add("clash")
        there = Snapshot.of(self.tree("dst"))
        bare = [ends for ends in self.policy.pairs if not self.source.below(ends.source).files]
        empty = [ends for ends in bare if there.below(ends.destination).files]
        few = [e for e in self.policy.pairs if len(self.source.below(e.source).files) < self.policy.fewest]
        if self.policy.limits or (self.policy.guarded and bare):  # the last good run may have found something
            act.excuses.add("guard")
        self.forbidden = {ends.name for ends in (*(empty if self.policy.guarded else ()), *few)}
        if self.forbidden:
            act.excuses.add("guard")
        return act

    def do(self, act: Act, case: Callable[[app.Options], Awaitable[app.Result]]) -> int | None:
        """Carry one act out; return its exit code, None when it was killed."""
        from tests.simulation.stage import acting

        self.loop.wait(self.chance.choice((1.0, 90.0, 7200.0)))
        self.acting = [act]
        code: int | None = None
        alone = act.quiet or not self.policy.others
        try:
            with acting(self, [act]):
                options = app.Options(self.here.state)
                (result,) = run(self.loop, self.play([act], [case(options)], alone=alone))
            code = int(result.code)
            if act.dead:
                raise self.broken("I5", "the program went on after its death")
        except Killed:
            self.lost_in_flight += act.under_way
        except PlanStale as error:
            self.say(f"refused: {error}")
            code = None if "applied already" in error.message else int(error.exit)
        except AcdrunError as error:
            code = int(error.exit)
        self.say(f"ended with {code}")
        self.hits[f"exit: {code}"] += 1
        self.judge(act, code)
        if act.dead and self.chance.random() < 0.4:
            self.power_cut()
        return code

    def power_cut(self) -> None:
        """The machine that the program ran on loses what it had not written down for good."""
        self.hits["power cut"] += 1
        self.say("power cut")
        state = self.here.state
        self.journals_lost = self.chance.random() < 0.5
        if self.journals_lost:
            shutil.rmtree(state / "runs", ignore_errors=True)
        if self.chance.random() < 0.5:
            for path in state.glob("hashes.db*"):
                path.unlink()
        for path in sorted((state / "locks").glob("*.json")):
            if self.chance.random() < 0.5:
                path.write_bytes(path.read_bytes()[: self.chance.randrange(20)])

    def live(self) -> None:
        """From the beginning until all is quiet."""
        run(self.loop, self.begin())
        self.say(f"begins: {len(self.source.files)} files at the source")
        for number in range(self.chance.randint(1, 3)):
            if number:
                for _ in range(self.chance.randrange(4)):
                    run(self.loop, self.edit(self.chance.choice(("src", "src", "dst"))))
                self.look()
            if self.policy.saved:
                self._saved(number)
            elif self.policy.twins:
                self._twins()
            else:
                self._run()
        self.settle()

    def _run(self) -> None:
        """Run, and sometimes take it back."""
        act, before = self.new_act(), Snapshot.of(self.tree("dst"))
        code = self.do(act, lambda options: app.run(self.manifest, options))
        if code == 0 and not act.tainted and self.policy.undoes and not self.policy.others:
            after.undone(self, before)

    def _saved(self, number: int) -> None:
        """Plan, let time pass, apply; when it was killed, apply again."""
        file = self.here.folder / f"{number}.plan"
        planning = self.new_act("plan", may_die=False)
        code = self.do_plan(planning, file)
        if code != 0 or planning.tainted:
            return
        drift, self.journals_lost = self.chance.random() < 0.3, False
        frozen: set[str] = set()
        if drift:
            frozen = after.drifted(self)
            self.look()
        for _ in range(3):
            act = self.new_act()
            act.listed |= planning.listed
            act.walked |= planning.walked
            act.stored |= planning.stored
            act.frozen |= frozen
            act.gaps |= planning.gaps
            act.unclean |= planning.unclean
            act.hits += planning.hits  # the tries of an operation are counted over all its lives
            act.excuses |= planning.excuses | ({"drift"} if drift else set())
            act.tainted = drift
            if self.journals_lost:  # applied from its start once more, it meets what it has done itself
                act.excuses.add("journal lost")
            code = self.do(act, lambda options: app.apply(file, options))
            if not act.dead:
                return
            drift |= act.tainted
            planning.listed, planning.hits, planning.stored = act.listed, act.hits, act.stored
            planning.unclean, planning.excuses = act.unclean, act.excuses

    def do_plan(self, act: Act, file: Path) -> int | None:
        """A plan changes nothing, so its end proves nothing about the places."""
        act.excuses.add("plan")
        before = Snapshot.of(self.tree("dst"))
        tainted, act.tainted = act.tainted, True
        code = self.do(act, lambda options: app.plan(self.manifest, options, file))
        if act.effects or (not self.policy.others and Snapshot.of(self.tree("dst")) != before):
            raise self.broken("plan", "a plan changed something")
        act.tainted = tainted or "others" in act.excuses
        act.excuses.discard("plan")
        return code

    def _twins(self) -> None:
        """Two machines that know nothing of each other run the same job at the same time."""
        from tests.simulation.stage import acting

        acts = [self.new_act(may_die=False) for _ in range(2)]
        for act in acts:
            act.tainted = True
        states = [self.here.state, self.here.folder / "other"]
        states[1].mkdir(exist_ok=True)
        with acting(self, acts):
            cases = [app.run(self.manifest, app.Options(state)) for state in states]
            results = run(self.loop, self.play(acts, cases, alone=not self.policy.others))
        self.hits["two at once"] += 1
        for act, result in zip(acts, results, strict=True):
            self.judge(act, int(result.code))

    def settle(self) -> None:
        """Nothing goes wrong any more: a few runs reach what was declared, and the next has nothing to do."""
        for _ in range(3):
            act = self.new_act(quiet=True)
            code = self.do(act, lambda options: app.run(self.manifest, options))
            if code == Exit.REFUSED and self.policy.limits:
                code = after.accepted(self)
            if code == 0 or act.excuses:
                break
        if code == 0:
            act = self.new_act(quiet=True)
            again = self.do(act, lambda options: app.run(self.manifest, options))
            if self.policy.case == "rename" and act.effects and act.effects == act.moves:
                act = self.new_act(quiet=True)  # a twin that has gone leaves its name to the other one
                again = self.do(act, lambda options: app.run(self.manifest, options))
            if (again != 0 and not self.forbidden) or act.effects:
                raise self.broken("I5", "a further run still finds something to do")
            if self.policy.verifies:
                after.verified(self)


def _aliased(path: str) -> str:
    return join(parent(path), alias(name(path)))
