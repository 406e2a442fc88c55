"""The one place that writes YAML: your own remotes, in a form that every reader takes the same way."""

from collections.abc import Mapping
from typing import Any

import yaml

from runner.manifest import strict
from runner.manifest.findings import Findings
from runner.manifest.scalars import Ambiguous, meaning

_HEAD = """\
# Your own remotes, for every manifest that does not declare them itself.
# Written by `acdrun config`, which keeps the values but not comments. Secrets are never here.
"""


class _Dumper(yaml.SafeDumper):
    """Quotes every text that some reader might take for something else."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    try:
        plain = meaning(text) == text
    except Ambiguous:
        plain = False
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')


_Dumper.add_representer(str, _text)


def remotes_text(remotes: Mapping[str, Any]) -> str:
    """The file of the remotes. Raises ManifestError when the strict reader would not read the same back."""
    whole = {"version": 1, "remotes": dict(remotes)}
    text = _HEAD + yaml_text(whole)
    findings = Findings("remotes.yaml", text)
    read = strict.parse(text, findings)
    if findings.problems() or read.value != whole:
        findings.stop(read.spot.start, "unwritable", "a remote cannot be written down as YAML")
    return text


def yaml_text(value: Any) -> str:
    """Any values as YAML."""
    return yaml.dump(
        value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False, width=1000
    )
