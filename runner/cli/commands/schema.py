"""`acdrun schema`: the JSON Schema of manifests, and their reference page."""

from collections.abc import Sequence

from runner.cli.options import Parser
from runner.cli.output import Output
from runner.model.exits import Exit


def run(argv: Sequence[str], output: Output) -> Exit:
    """Print the schema, as editors take it, or the page for people."""
    parser = Parser(
        "schema", "[--format json|markdown]", "Print the JSON Schema that editors check manifests by."
    )
    parser.add_argument(
        "--format",
        choices=("json", "markdown"),
        default="json",
        help="json: the schema; markdown: the reference page made from it",
    )
    wanted = parser.parse_args(list(argv)).format
    if wanted == "markdown":
        from runner.manifest.reference import reference

        output.text(reference())
    else:
        from runner.manifest.schema import schema_text

        output.text(schema_text())
    return Exit.CONVERGED
