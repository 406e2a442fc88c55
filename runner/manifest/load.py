"""Read a manifest: strict YAML, the models, then what only the whole can tell; all problems at once."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from runner.manifest import checks, strict
from runner.manifest.filter import RuleFilter
from runner.manifest.findings import Findings
from runner.manifest.job import (
    Defaults,
    JobModel,
    Links,
    ManifestModel,
    PairModel,
    Policies,
    Unreadable,
)
from runner.manifest.limits import Positions, limits_of, named_limits
from runner.manifest.manifest import Job, Manifest, pair_name
from runner.manifest.overlaps import overlaps
from runner.manifest.problems import check
from runner.manifest.remotes import Own, declared
from runner.manifest.rules import Rule
from runner.manifest.saving import saving
from runner.manifest.tree import Key, Keys, Spot, Tree, unwritten
from runner.model.config import RemoteConfig
from runner.model.errors import ManifestError, Place, Problem, UsageError
from runner.model.importing import importing
from runner.model.pair import Case, Location, Mode, Pair
from runner.model.policy import ChecksumPolicy, GuardPolicy, RetryPolicy


def load(path: Path, *, remotes_file: Path | None = None) -> Manifest:
    """Read the manifest in a file.

    remotes_file: the user's own remotes, by default the one of the configuration folder.
    Raises ManifestError with everything wrong in it; UsageError when there is no such file to read.
    """
    data = _read(path)
    return loads(
        strict.decode(data, str(path)), str(path), folder=path.absolute().parent, remotes_file=remotes_file
    )


def loads(
    text: str, file: str = "manifest.yaml", *, folder: Path | None = None, remotes_file: Path | None = None
) -> Manifest:
    """Read a manifest from its text.

    file: its name in messages. folder: where relative paths start, by default the folder of `file`.
    Raises ManifestError with everything wrong in it.
    """
    tree = strict.parse(text, Findings(file, text))
    return _manifest(tree, folder or Path(file).absolute().parent, remotes_file)


def one_pair(
    source: str,
    destination: str,
    mode: Mode,
    *,
    name: str = "copy",
    folder: Path | None = None,
    checksum: ChecksumPolicy | None = None,
    retry: RetryPolicy | None = None,
    guard: GuardPolicy | None = None,
    case: Case = "refuse",
    links: Links = "skip",
    unreadable: Unreadable = "incomplete",
    rules: Sequence[Rule] = (),
    remotes: Mapping[str, RemoteConfig] | None = None,
    remotes_file: Path | None = None,
) -> Manifest:
    """A manifest of one job with one pair, without a file; remotes are those given and the user's own.

    source, destination: as in a manifest; relative paths start at `folder`, by default the current one.
    mode: also "move", which no file can ask for.
    Raises UsageError for what a manifest would be refused for.
    """
    pair: dict[str, Any] = {
        "source": source,
        "destination": destination,
        "mode": "copy" if mode == "move" else mode,
        "case": case,
        "links": links,
        "unreadable": unreadable,
        "filter": RuleFilter(rules).written(),
    }
    for kind, policy in (("checksum", checksum), ("retry", retry), ("guard", guard)):
        if policy is not None:
            pair[kind] = policy.model_dump(mode="json")
    given = {name: config.model_dump(mode="json") for name, config in (remotes or {}).items()}
    whole = {"version": 1, "name": name, "remotes": given, "jobs": {name: {"pairs": [pair]}}}
    tree = unwritten(whole, "command line")
    if mode == "move" and checksum is not None and checksum.verify == "none":
        raise UsageError("a move proves every copy before it takes the file away", hint="let it verify")
    try:
        return _in_mode(mode, _manifest(tree, folder or Path.cwd(), remotes_file))
    except ManifestError as error:
        own = [problem for problem in error.problems if problem.place.file == "command line"]
        if not own:
            raise
        hint = next((problem.hint for problem in own if problem.hint), "")
        text = "; ".join(problem.message for problem in own).replace(f' of pairs[0] of job "{name}"', "")
        raise UsageError(text, hint=hint) from error


def _in_mode(mode: Mode, manifest: Manifest) -> Manifest:
    (job,) = manifest.jobs
    nowhere = Place("", 1, 1)
    pairs = tuple(replace(pair, mode=mode, place=nowhere, limits={}) for pair in job.pairs)
    return replace(manifest, file="", jobs=(replace(job, pairs=pairs, place=nowhere),), places={})


@importing()  # which builds each model that it reads with
def _manifest(tree: Tree, folder: Path, remotes_file: Path | None) -> Manifest:
    model = check(ManifestModel, tree)
    here, own = os.path.abspath(folder), Own(remotes_file)
    remotes: dict[str, RemoteConfig] = {}
    for name in tree.mapping("remotes"):
        if (config := declared(tree, name, here)) is not None:
            remotes[name] = config

    def find(name: str) -> RemoteConfig | None:
        unknown = name not in remotes and name not in tree.mapping("remotes")
        if unknown and (config := own.find(name)) is not None:
            remotes[name] = config
        return remotes.get(name)

    places = checks.locations(tree, here, find, lambda: [*tree.mapping("remotes"), *own.names()])
    checks.policies(tree)
    order = checks.needs(tree)
    unordered = overlaps(tree, places, remotes)
    plan = saving(tree, model, here)
    if problems := tree.findings.problems() + own.problems():
        raise ManifestError(problems)
    if model is None:
        raise AssertionError("a model that is not valid has problems")
    positions = _positions(tree.spot)
    positions |= named_limits(positions, dict(_shared_guards(model)))
    jobs = tuple(_job(name, model.jobs[name], model, tree, places, positions) for name in order)
    return Manifest(
        name=model.name,
        file=tree.findings.file,
        jobs=jobs,
        remotes=remotes,
        places=positions,
        warnings=(*_warnings(tree, jobs), *unordered),
        plan=plan,
    )


def _shared_guards(model: ManifestModel) -> Iterator[tuple[Keys, Any]]:
    """The pairs that do not write their guard themselves, each with what stands for it."""
    for name, job in model.jobs.items():
        for number, pair in enumerate(job.pairs):
            if pair.guard is None or isinstance(pair.guard, str):
                yield ("jobs", name, "pairs", number), pair.guard or model.defaults.guard


def _job(
    name: str,
    job: JobModel,
    model: ManifestModel,
    tree: Tree,
    places: dict[Keys, Location],
    positions: Positions,
) -> Job:
    pairs = []
    for number, pair in enumerate(job.pairs):
        keys: Keys = ("jobs", name, "pairs", number)
        ends = places[(*keys, "source")], places[(*keys, "destination")]
        pair_as_run = _pair(keys, pair, ends, model, tree)
        pairs.append(replace(pair_as_run, limits=limits_of(positions, tree.findings.file, keys)))
    place = tree.findings.place(tree.key_at(("jobs", name)))
    return Job(name, job.needs, job.before or (), job.after or (), tuple(pairs), place)


def _pair(
    keys: Keys, pair: PairModel, ends: tuple[Location, Location], model: ManifestModel, tree: Tree
) -> Pair:
    job, number = str(keys[1]), int(keys[3])
    defaults: Defaults = model.defaults
    policies: Policies = model.policies

    def policy(kind: str, built_in: Callable[[], Any]) -> Any:
        chosen = getattr(pair, kind) or getattr(defaults, kind) or "default"
        if not isinstance(chosen, str):
            return chosen
        named = getattr(policies, kind)
        return named[chosen] if chosen in named else built_in()

    rules = pair.filter if pair.filter is not None else defaults.filter
    return Pair(
        name=pair_name(job, number),
        job=job,
        source=ends[0],
        destination=ends[1],
        mode=pair.mode,
        filter=RuleFilter(rules or ()),
        checksum=policy("checksum", ChecksumPolicy),
        retry=policy("retry", RetryPolicy),
        guard=policy("guard", GuardPolicy),
        case=pair.case or defaults.case or "refuse",
        links=pair.links or defaults.links or "skip",
        unreadable=pair.unreadable or defaults.unreadable or "incomplete",
        renames=pair.renames or defaults.renames or "detect",
        durability=pair.durability or defaults.durability or "batch",
        place=tree.findings.place(tree.at(keys)),
    )


def _warnings(tree: Tree, jobs: Sequence[Job]) -> list[Problem]:
    found: dict[tuple[int, int, str], Problem] = {}
    for job in jobs:
        for number, pair in enumerate(job.pairs):
            if not isinstance(pair.filter, RuleFilter):
                continue
            own: Keys = ("jobs", job.name, "pairs", number, "filter")
            keys = own if tree.get(own) is not None else ("defaults", "filter")
            for late, early in pair.filter.unreachable():
                at = tree.at((*keys, late))
                message = f"{pair.filter.rules[late]} cannot reach what {pair.filter.rules[early]} leaves out"
                hint = (
                    'an excluded folder is not entered; include the folders on the way first: `include: "*/"`'
                )
                problem = tree.findings.problem(at, "include-unreachable", message, hint)
                found.setdefault((at.line, at.column, message), problem)
    return list(found.values())


def _positions(spot: Spot) -> dict[Keys, tuple[int, int]]:
    found: dict[Keys, tuple[int, int]] = {}

    def walk(spot: Spot, keys: Keys) -> None:
        for key, below in spot.below.items():
            inner: tuple[Key, ...] = (*keys, key)
            # Keys of mappings say more than their values; an element of a list has only its value.
            line, column = spot.keys.get(key, below.start) if isinstance(key, str) else below.start
            found[inner] = (line, column)
            walk(below, inner)

    walk(spot, ())
    return found


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(strict.MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise UsageError(f'there is no manifest "{path}"', hint=_nearby(path)) from error
    except IsADirectoryError as error:
        raise UsageError(f'"{path}" is a folder, not a manifest', hint=_nearby(path / "x")) from error
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise UsageError(f'cannot read the manifest "{path}": {why}') from error


def _nearby(path: Path) -> str:
    try:
        names = sorted(p.name for p in path.parent.iterdir() if p.suffix in (".yaml", ".yml"))
    except OSError:
        return ""
    import difflib

    near = difflib.get_close_matches(path.name, names, 1, 0.6)
    if near:
        return f'did you mean "{path.parent / near[0]}"?'
    return f"manifests there: {', '.join(names[:8])}" if names else ""
