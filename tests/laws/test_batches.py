"""Files that go over in batches end as those that go one by one."""

from typing import Any

import pytest
from hypothesis import given, settings

from tests.lab.worlds import World, steps

from .trees import PLAIN, UNLIMITED, Nested, flat, trees, world


def ended(here: World, source: Nested, destination: Nested, verify: str, *, copies: bool) -> tuple[Any, ...]:
    """All that a mirror run leaves and says."""
    here.fields = {name: {"algorithms": [], "copies": copies} for name in ("src", "dst")}
    here.write("src", flat(source))
    here.write("dst", flat(destination), mtime_ns=10**18 + 10**10)
    run = here.run(here.pair("mirror", guard=UNLIMITED, checksum={"compare": "hash", "verify": verify}))
    said = sorted((c.task, c.path, c.state, c.note) for c in run.changes)
    proofs = sorted((c.path, c.proof) for c in run.changes if c.task == "upload")
    return run.code, here.files("dst"), here.folders("dst"), here.trash("dst"), steps(run), said, proofs


@pytest.mark.parametrize("verify", ["server", "readback", "none"])
@given(trees(PLAIN), trees(PLAIN))
@settings(deadline=None, max_examples=15)
def test_a_batch_ends_as_its_files_one_by_one(verify: str, source: Nested, destination: Nested) -> None:
    with world() as batches, world() as singles:
        together = ended(batches, source, destination, verify, copies=True)
        alone = ended(singles, source, destination, verify, copies=False)

    assert together == alone
