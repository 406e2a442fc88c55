"""The torture matrix: every cell that gates a release has a test that bears its name."""

import ast
import re
from collections import defaultdict
from pathlib import Path

TESTS = Path(__file__).parent
SIZES = {"P": 15, "N": 23, "S": 11, "D": 11, "L": 11, "G": 9, "X": 8, "A": 8, "C": 4}
NIGHTLY = {
    "P12", "P13", "P15", "N5", "N19", "N21", "N22", "N23", "S2", "S10", "S11", "D2", "D7", "D8", "L4", "L9",
    "L10", "L11", "X2", "X7", "X8", "A4", "A8", "C3", "C4",
}  # fmt: skip
"""Cells that may follow as nightly tests."""
ELSEWHERE = {"L7": "there is no distributed executor", "L8": "there is no distributed executor"}
"""Cells of parts that are not built, with the reason."""

GATING = {f"{group}{number}" for group, size in SIZES.items() for number in range(1, size + 1)} - NIGHTLY
_ID = re.compile(r"(?<![A-Za-z])([PNSDLGXAC]\d{1,2})(?=_)")


def cells() -> dict[str, list[str]]:
    """The tests of each cell, as file::name. Only those with the mark count: `pytest -m torture` runs them."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted(TESTS.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                marked = any(
                    ast.unparse(mark).startswith("pytest.mark.torture") for mark in node.decorator_list
                )
                for cell in _ID.findall(node.name.removeprefix("test").replace("_", "__")) if marked else ():
                    found[cell].append(f"{path.relative_to(TESTS.parent)}::{node.name}")
    return found


def table() -> str:
    """The cells and their tests, as the page on reliability shows them."""
    lines = ["| cell | what is tried |", "|---|---|"]
    every = cells()
    for cell in sorted({*every, *ELSEWHERE}, key=lambda cell: (list(SIZES).index(cell[0]), int(cell[1:]))):
        told = [name.partition("::")[2].removeprefix("test_") for name in every.get(cell, [])]
        plain = [re.sub(r"^(?:[PNSDLGXAC]\d+_)+", "", name).replace("_", " ") for name in told]
        lines.append(f"| {cell} | {'; '.join(plain) or ELSEWHERE[cell]} |")
    return "\n".join(lines) + "\n"


def test_every_cell_that_gates_a_release_has_a_test() -> None:
    assert len(GATING) == 75
    assert GATING - set(cells()) == set(ELSEWHERE)


def test_no_test_names_a_cell_that_the_matrix_does_not_have() -> None:
    assert {cell for cell in cells() if int(cell[1:]) > SIZES[cell[0]]} == set()


def test_the_page_on_reliability_names_a_test_of_every_cell() -> None:
    page = (TESTS.parent / "docs/reliability.md").read_text()

    assert table() in page, "write it anew: python -m tests.test_cells"


if __name__ == "__main__":
    print(table(), end="")
