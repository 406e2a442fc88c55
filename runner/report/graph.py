"""The stage graph on paper: as text, Mermaid, DOT."""

from collections.abc import Iterable, Iterator, Sequence

from runner.manifest.manifest import Manifest
from runner.model.path import show
from runner.model.stage import Binding, Stage

_HOW = {
    "all": "after all of {}",
    "ended": "after the end of {}",
    "each": "each path after its {}",
    "parent": "each path after the {} of the folder above",
    "children": "each folder after the {} of what is in it",
    "feed": "while {} goes on",
}


def as_text(stages: Sequence[Stage], bindings: Sequence[Binding], manifest: Manifest) -> Iterator[str]:
    """Pair by pair in order: every stage, and what it waits for."""
    by_id = {stage.id: stage for stage in stages}
    waits: dict[int, list[Binding]] = {}
    for binding in bindings:
        waits.setdefault(binding.after, []).append(binding)
    for title, group in _groups(stages, manifest):
        yield title
        width = max(len(stage.title) for stage in group)
        for stage in group:
            text = f"  {stage.title:<{width}}  {'writes' if stage.effect == 'write' else 'reads '}"
            yield f"{text}  {_waiting(stage, waits.get(stage.id, []), by_id)}".rstrip()


def as_mermaid(stages: Sequence[Stage], bindings: Sequence[Binding], manifest: Manifest) -> Iterator[str]:
    """A Mermaid flowchart; stages that write have a thick border. Edges that others imply are left out."""
    yield "flowchart TD"
    for number, (title, group) in enumerate(_groups(stages, manifest)):
        yield f'  subgraph g{number}["{_mermaid(title)}"]'
        for stage in group:
            yield f'    s{stage.id}["{_mermaid(stage.title)}"]' + (
                ":::writes" if stage.effect == "write" else ""
            )
        yield "  end"
    for before, after, how in _needed(bindings):
        yield f"  s{before} -->|{how}| s{after}"
    yield "  classDef writes stroke-width:3px"


def as_dot(stages: Sequence[Stage], bindings: Sequence[Binding], manifest: Manifest) -> Iterator[str]:
    """A DOT digraph for Graphviz; stages that write are bold. Edges that others imply are left out."""
    yield f"digraph {_quoted(manifest.name)} {{"
    yield "  node [shape=box];"
    for number, (title, group) in enumerate(_groups(stages, manifest)):
        yield f"  subgraph cluster_{number} {{"
        yield f"    label={_quoted(title)};"
        for stage in group:
            style = " style=bold" if stage.effect == "write" else ""
            yield f"    s{stage.id} [label={_quoted(stage.title)}{style}];"
        yield "  }"
    for before, after, how in _needed(bindings):
        yield f"  s{before} -> s{after} [label={_quoted(how)}];"
    yield "}"


def _needed(bindings: Sequence[Binding]) -> Iterator[Binding]:
    """Without each "all" that a chain of others says already: a transitive reduction of these."""
    following: dict[int, set[int]] = {}
    for before, after, how in bindings:
        if how == "all":
            following.setdefault(before, set()).add(after)
    beyond: dict[int, set[int]] = {}
    for before in sorted(
        following, reverse=True
    ):  # ids are in topological order: what follows is known already
        beyond[before] = {far for after in following[before] for far in {after} | beyond.get(after, set())}
    for binding in bindings:
        others = following.get(binding.before, set()) - {binding.after}
        if binding.how != "all" or not any(binding.after in beyond.get(other, ()) for other in others):
            yield binding


def _groups(stages: Sequence[Stage], manifest: Manifest) -> Iterator[tuple[str, list[Stage]]]:
    """Headings with their stages: first those of no job, then job by job and pair by pair."""
    shared = [stage for stage in stages if not stage.job]
    if shared:
        yield "all jobs", shared
    for job in manifest.jobs:
        own = [stage for stage in stages if stage.job == job.name and not stage.pair]
        if own:
            yield f"job {show(job.name)}", own
        for pair in job.pairs:
            ends = f"{show(str(pair.source))} → {show(str(pair.destination))}"
            yield f"pair {show(pair.name)}  {ends}  {pair.mode}", [s for s in stages if s.pair == pair.name]


def _waiting(stage: Stage, bindings: Iterable[Binding], by_id: dict[int, Stage]) -> str:
    befores: dict[str, list[Stage]] = {}
    for binding in bindings:
        befores.setdefault(binding.how, []).append(by_id[binding.before])
    return "; ".join(
        _HOW[how].format(", ".join(_names(befores[how], stage, by_id))) for how in _HOW if how in befores
    )


def _names(befores: Sequence[Stage], seen_from: Stage, by_id: dict[int, Stage]) -> Iterator[str]:
    """Names of stages; a job that is waited for as a whole is named once."""
    ids = {stage.id for stage in befores}
    of_job: dict[str, set[int]] = {}
    for stage in by_id.values():
        of_job.setdefault(stage.job, set()).add(stage.id)
    # A hook that comes first is done when what waits for it is: naming the rest of the job names all of it.
    whole = {
        job
        for job, all_ids in of_job.items()
        if job and job != seen_from.job and {i for i in all_ids if by_id[i].side != "before"} <= ids
    }
    yield from (f"job {show(job)}" for job in sorted(whole))
    for stage in befores:
        if stage.job not in whole:
            owner = stage.pair or stage.job
            ours = not owner or owner in (seen_from.pair, seen_from.job)
            yield stage.title if ours else f"{show(owner)} {stage.title}"


def _mermaid(text: str) -> str:
    return text.replace("&", "#amp;").replace('"', "#quot;").replace("<", "#lt;").replace(">", "#gt;")


def _quoted(text: str) -> str:
    return '"' + show(text).replace("\\", "\\\\").replace('"', '\\"') + '"'
