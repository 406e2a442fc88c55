"""`acdrun graph FILE`: the stages of a manifest, and what waits for what."""

from collections.abc import Sequence
from pathlib import Path

from runner.cli.options import Parser
from runner.cli.output import Output
from runner.model.exits import Exit


def run(argv: Sequence[str], output: Output) -> Exit:
    """Print the graph that a run of the manifest works through."""
    parser = Parser("graph", "FILE", "Show the stages of a manifest, and what waits for what.")
    parser.add_argument("file", metavar="FILE", help="a manifest")
    parser.add_argument(
        "--format", choices=("text", "mermaid", "dot"), default="text", help="(default: %(default)s)"
    )
    args = parser.parse_args(list(argv))
    from runner.manifest.load import load
    from runner.plan.graph import StageGraph
    from runner.report import graph
    from runner.report.json import outcome_record

    manifest = load(Path(args.file))
    stages = StageGraph(manifest.jobs, manifest.pairs, planning=False)
    if args.json:
        output.record({
            "record": "graph",
            "stages": [stage._asdict() for stage in stages.stages],
            "edges": [binding._asdict() for binding in stages.bindings],
        })  # fmt: skip
        output.record(outcome_record(Exit.CONVERGED))
        return Exit.CONVERGED
    draw = {"text": graph.as_text, "mermaid": graph.as_mermaid, "dot": graph.as_dot}[args.format]
    output.stream(draw(stages.stages, stages.bindings, manifest))
    return Exit.CONVERGED
