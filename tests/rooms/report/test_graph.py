from pathlib import Path

from runner.manifest.load import loads
from runner.model.stage import Binding, Stage
from runner.plan.graph import StageGraph
from runner.report.graph import as_dot, as_mermaid, as_text

MANIFEST = loads(
    'version: 1\nname: it\njobs:\n  a:\n    pairs: [{ source: "/x\\"<y>", destination: /z, mode: copy }]\n',
    "it.yaml",
    remotes_file=Path("/nowhere"),
)
STAGES = [
    Stage(1, "a", "a", "list", "source", "read"),
    Stage(2, "a", "a", "match", "", "read"),
    Stage(3, "a", "a", "mkdir", "", "write"),
    Stage(4, "a", "a", "upload", "", "write"),
]
BINDINGS = [
    Binding(1, 2, "feed"),
    Binding(2, 3, "all"),
    Binding(2, 4, "all"),
    Binding(3, 3, "parent"),
    Binding(3, 4, "all"),
    Binding(3, 4, "parent"),
]


def test_the_text_says_of_every_stage_what_it_waits_for() -> None:
    assert list(as_text(STAGES, BINDINGS, MANIFEST)) == [
        'pair a  /x"<y> → /z  copy',
        "  list source  reads",
        "  match        reads   while list source goes on",
        "  mkdir        writes  after all of match; each path after the mkdir of the folder above",
        "  upload       writes  after all of match, mkdir; each path after the mkdir of the folder above",
    ]


def test_mermaid_quotes_names_and_leaves_out_what_is_implied() -> None:
    lines = list(as_mermaid(STAGES, BINDINGS, MANIFEST))

    assert '  subgraph g0["pair a  /x#quot;#lt;y#gt; → /z  copy"]' in lines
    assert '    s4["upload"]:::writes' in lines
    assert "  s2 -->|all| s3" in lines
    assert "  s2 -->|all| s4" not in lines
    assert "  s3 -->|parent| s4" in lines


def test_dot_quotes_names_and_leaves_out_what_is_implied() -> None:
    lines = list(as_dot(STAGES, BINDINGS, MANIFEST))

    assert lines[0] == 'digraph "it" {'
    assert '    label="pair a  /x\\"<y> → /z  copy";' in lines
    assert '    s4 [label="upload" style=bold];' in lines
    assert '  s2 -> s4 [label="all"];' not in lines
    assert lines[-1] == "}"
    assert sum(line.endswith("{") for line in lines) == sum(line.strip() == "}" for line in lines)


def test_what_is_left_out_of_a_drawing_can_still_be_reached() -> None:
    stages = StageGraph(MANIFEST.jobs, MANIFEST.pairs, planning=False)

    drawn = {
        tuple(int(end.split()[0].strip().removeprefix("s")) for end in line.split("->"))
        for line in as_dot(stages.stages, stages.bindings, MANIFEST)
        if "->" in line
    }

    assert _reach(drawn) == _reach({(before, after) for before, after, _ in stages.bindings})
    assert len(drawn) < len({(before, after) for before, after, _ in stages.bindings})


def _reach(edges: set[tuple[int, ...]]) -> set[tuple[int, ...]]:
    found = set(edges)
    while more := {(a, d) for a, b in found for c, d in edges if b == c} - found:
        found |= more
    return found
