"""What no single field can tell: names that lead nowhere, circles.

All of it looks at the tree as written, so that it also finds something where other parts are wrong.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

from runner.manifest.location import BadLocation, parse_location
from runner.manifest.problems import did_you_mean
from runner.manifest.tree import Keys, Tree
from runner.model.config import RemoteConfig
from runner.model.pair import Location

POLICIES = ("checksum", "retry", "guard")


def policies(tree: Tree) -> None:
    """Every policy that is named exists; nobody declares another `default`."""
    users: list[tuple[Keys, Mapping[str, object]]] = [
        (("defaults",), tree.mapping("defaults")),
        *tree.pairs(),
    ]
    for kind in POLICIES:
        known = {**tree.mapping("policies", kind), "default": None}
        if "default" in tree.mapping("policies", kind):
            tree.findings.report(
                tree.key_at(("policies", kind, "default")),
                "reserved-name",
                f"the {kind} policy `default` is built in",
                f"declare it under another name, and say `{kind}: NAME` in `defaults`",
            )
        for keys, fields in users:
            name = fields.get(kind)
            if isinstance(name, str) and name not in known:
                hint = did_you_mean(name, known)
                tree.findings.report(
                    tree.at((*keys, kind)), "unknown-policy", f'there is no {kind} policy "{name}"', hint
                )


def needs(tree: Tree) -> list[str]:
    """Every job that is needed exists, and none needs itself. Returns the jobs, each after those it needs."""
    jobs = list(tree.mapping("jobs"))
    graph: dict[str, list[str]] = {job: [] for job in jobs}
    for job in jobs:
        for number, needed in enumerate(tree.elements("jobs", job, "needs")):
            if not isinstance(needed, str):
                continue
            if needed in graph:
                graph[job].append(needed)
            else:
                at, hint = tree.at(("jobs", job, "needs", number)), did_you_mean(needed, jobs)
                tree.findings.report(
                    at, "unknown-job", f'job "{job}" needs "{needed}", which does not exist', hint
                )
    rank = {job: number for number, job in enumerate(jobs)}
    for _ in range(20):  # circles, of which each is one more walk through all jobs
        try:
            return _in_order(graph, rank)
        except CycleError as error:
            circle: list[str] = error.args[1]  # each is needed by the next one; the first is also the last
            job, needed = circle[1], circle[0]
            number = tree.elements("jobs", job, "needs").index(needed)
            way = " needs ".join(f'"{name}"' for name in reversed(circle))
            tree.findings.report(
                tree.at(("jobs", job, "needs", number)), "cycle", f"jobs need each other in a circle: {way}"
            )
            graph[job] = [name for name in graph[job] if name != needed]
    return jobs


def _in_order(graph: Mapping[str, Iterable[str]], rank: Mapping[str, int]) -> list[str]:
    sorter = TopologicalSorter(graph)
    sorter.prepare()
    order: list[str] = []
    while sorter.is_active():
        ready = sorted(
            sorter.get_ready(), key=rank.__getitem__
        )  # as they stand in the file, where nothing else asks
        order += ready
        sorter.done(*ready)
    return order


def locations(
    tree: Tree, folder: str, find: Callable[[str], RemoteConfig | None], known: Callable[[], Sequence[str]]
) -> dict[Keys, Location]:
    """Where each `source` and `destination` lies, by its keys; those that name nothing are reported.

    find: the remote of a name, None when there is none or it is not valid. known: the names there are.
    """
    found: dict[Keys, Location] = {}
    for pair_keys, pair in tree.pairs():
        for side in ("source", "destination"):
            text, keys = pair.get(side), (*pair_keys, side)
            if not isinstance(text, str) or not text:
                continue
            try:
                location = parse_location(text, folder)
            except BadLocation as error:
                tree.findings.report(tree.at(keys), "bad-path", str(error), error.hint)
                continue
            if location.remote and find(location.remote) is None and location.remote not in known():
                hint = did_you_mean(location.remote, known())
                hint = hint or f'a path of this machine with ":" in it begins with "./": "./{text}"'
                message = f'there is no remote "{location.remote}"'
                tree.findings.report(tree.at(keys), "unknown-remote", message, hint)
                continue
            found[keys] = location
    return found
