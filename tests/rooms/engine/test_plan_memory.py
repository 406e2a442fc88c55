"""How much memory a plan takes does not depend on how many entries there are. A million: `ci/bench_plan`."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).resolve().parents[3] / "ci/bench_plan"
MOST_BYTES = 256 << 20


def peak(case: str, number: int, folder: Path, *options: str) -> int:
    """Bytes that a process of its own had resident at most, while it planned so many entries."""
    folder.mkdir()
    task = {"checkout": str(BENCH.parents[1]), "case": case, "number": number, "folder": str(folder)}
    command = [sys.executable, str(BENCH), "--child", json.dumps(task), "--", *options]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
    _, resident, code = json.loads(done.stdout.splitlines()[-1])
    assert code == (3 if case == "blocked" else 0), done.stderr
    return int(resident)


@pytest.mark.slow
@pytest.mark.torture
@pytest.mark.parametrize(("case", "options"), [("new", ("--json",)), ("blocked", ()), ("chained", ())])
def test_P13_a_plan_of_ten_times_the_entries_takes_no_more_memory(
    tmp_path: Path, case: str, options: tuple[str, ...]
) -> None:
    small = peak(case, 12_000, tmp_path / "small", *options)
    large = peak(case, 120_000, tmp_path / "large", *options)

    print(f"{case}: {small >> 20} MiB for 12,000 entries, {large >> 20} for 120,000")

    assert large - small < 40 << 20
    assert large < MOST_BYTES // 2
