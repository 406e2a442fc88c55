"""Claims about `index` of a remote."""

from datetime import timedelta
from pathlib import Path

import pytest

from runner.backends.acd.config import AcdConfig
from runner.manifest.load import loads
from runner.model.config import IndexPolicy
from runner.model.errors import ManifestError

TEXT = """\
version: 1
name: nightly
remotes:
  cloud: {type: acd, server: embedded%s}
jobs:
  photos: {pairs: [{source: /a, destination: "cloud:", mode: copy}]}
"""


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("", IndexPolicy(max_age=timedelta(days=7))),
        (", index: {}", IndexPolicy(max_age=timedelta(days=7))),
        (", index: {max_age: 1d12h}", IndexPolicy(max_age=timedelta(hours=36))),
        (", index: false", False),
    ],
)
def test_an_index_is_kept_unless_told_otherwise(tmp_path: Path, written: str, meant: object) -> None:
    config = loads(TEXT % written, str(tmp_path / "nightly.yaml")).remotes["cloud"]

    assert isinstance(config, AcdConfig)
    assert config.index == meant


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("true", '"index" is true, but must be false'),
        ("{max_age: 3}", "a duration needs a unit: 3"),
        ("{max_ages: 3d}", 'unknown key "max_ages" in index of remote "cloud"'),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, written: str, said: str) -> None:
    with pytest.raises(ManifestError) as caught:
        loads(TEXT % f", index: {written}", str(tmp_path / "nightly.yaml"))

    assert [problem.message for problem in caught.value.problems] == [said]
