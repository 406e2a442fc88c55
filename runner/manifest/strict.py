"""The strict YAML reader: few forms, bounded, every value with its position.

Source: reliability.md, section 7: `safe_load` turns 236 bytes of aliases into half a million leaves, lets
the second of two equal keys win, reads `no` as False, `010` as 8 and `12:30:45` as 45045, and falls
over 3,000 brackets. So this reads events, one at a time, and counts.
"""

import re
from dataclasses import dataclass, field
from typing import Any, NoReturn

import yaml

from runner.manifest.findings import SECRET_KEY, At, Findings
from runner.manifest.scalars import Ambiguous, meaning
from runner.manifest.tree import Spot, Tree

MAX_BYTES = 1 << 20
MAX_DEPTH = 50
MAX_NODES = 100_000
MAX_ALIASES = 100

# libyaml where PyYAML has it: its own parser needs ten seconds for the largest file allowed.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# What YAML does not call printable. Named by what is out, not by what is in: that compiles ten times faster.
_FOREIGN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufeff\ufffe\uffff]")


def decode(data: bytes, file: str) -> str:
    """The text of a file. Raises ManifestError unless it is UTF-8 of at most 1 MiB; a mark is dropped."""
    if len(data) > MAX_BYTES:
        _too_big(Findings(file))
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        Findings(file).stop(At(1, 1), "not-utf8", "the file is UTF-16", "save it as UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        good = data[: error.start].decode("utf-8-sig", "replace")
        line, column = good.count("\n") + 1, len(good) - good.rfind("\n")
        Findings(file).stop(
            At(line, column),
            "not-utf8",
            f"byte 0x{data[error.start]:02x} is not UTF-8",
            "save the file as UTF-8",
        )


def parse(text: str, findings: Findings) -> Tree:
    """Read one document.

    Problems that leave the rest readable (equal keys, tags, doubtful scalars) go to `findings`.
    Raises ManifestError where reading cannot go on.
    """
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "replace")) > MAX_BYTES:
        _too_big(findings)
    if foreign := _FOREIGN.search(text):
        before = text[: foreign.start()]
        at = At(before.count("\n") + 1, foreign.start() - before.rfind("\n"))
        name = f"U+{ord(foreign[0]):04X}"
        findings.stop(at, "bad-character", f"the character {name} has no place in a manifest", "remove it")
    builder = _Builder(findings)
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        lines = text.split("\n")
        at = At(mark.line + 1, mark.column + 1) if mark else At(1, 1)
        if at.line > len(lines):  # what is missing would stand below the last line
            at = At(len(lines), len(lines[-1]) + 1)
        line = lines[at.line - 1]
        hint = "indent with spaces, not with tabs" if "\t" in line[: at.column] else _syntax_hint(error)
        findings.stop(at, "syntax", f"not YAML: {error.problem or error.context}", hint)
    except yaml.YAMLError as error:
        findings.stop(At(1, 1), "syntax", f"not YAML: {error}")
    return builder.tree()


def _too_big(findings: Findings) -> NoReturn:
    findings.stop(At(1, 1), "too-big", "a manifest holds at most 1 MiB", "is this the right file?")


def _syntax_hint(error: yaml.MarkedYAMLError) -> str:
    if "mapping values are not allowed" in (error.problem or ""):
        return 'a text that holds ": " must be quoted'
    if "cannot start any token" in (error.problem or ""):
        return 'a text that begins with "@", "%" or "`" must be quoted'
    if error.context and error.problem and error.context_mark:
        return f"{error.context} at line {error.context_mark.line + 1}"
    return ""


@dataclass(slots=True)
class _Open:
    """A mapping or list whose end is still to come. `kept` is false below the second of two equal keys."""

    value: Any
    spot: Spot
    anchor: str | None
    nodes_before: int
    key: str | None = None
    kept: bool = True
    height: int = 1


@dataclass(slots=True)
class _Anchor:
    value: Any
    spot: Spot
    nodes: int
    height: int


@dataclass(slots=True)
class _Builder:
    """Builds values and spots from events, without recursion."""

    findings: Findings
    nodes: int = 0
    aliases: int = 0
    documents: int = 0
    open: list[_Open] = field(default_factory=list)
    anchors: dict[str, _Anchor] = field(default_factory=dict)
    root: tuple[Any, Spot] | None = None

    def take(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self._start(event)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            self._end(event)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event)
        elif isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                self.findings.stop(
                    _start(event),
                    "several-documents",
                    "a manifest is one document",
                    "make it a file of its own",
                )

    def tree(self) -> Tree:
        if self.root is None or self.root[0] is None:
            self.findings.stop(At(1, 1), "empty", "the file is empty", "a manifest begins with `version: 1`")
        return Tree(*self.root, self.findings)

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        self._count(event, 1)
        self._refuse_tag(event)
        at, text = _start(event), event.value
        if foreign := _FOREIGN.search(
            text
        ):  # an escape such as "\0" brings in what the file itself may not hold
            self.findings.report(
                at,
                "bad-character",
                f"the character U+{ord(foreign[0]):04X} has no place in a manifest",
                "remove it",
            )
            text = _FOREIGN.sub("\ufffd", text)
        value: Any = text
        plain = event.implicit[0] and event.tag is None
        top = self.open[-1] if self.open else None
        is_key = top is not None and isinstance(top.value, dict) and top.key is None
        # What is not shown as a secret must not be shown as a doubtful number either.
        secret = top is not None and not is_key and SECRET_KEY.fullmatch(top.key or "")
        if plain and not secret:
            try:
                value = meaning(text)
            except Ambiguous as error:
                self.findings.report(at, "ambiguous-scalar", str(error), error.hint)
                self.findings.settle(at)
        if is_key and top is not None:
            self._key(top, text, plain, at)
            return
        spot = Spot(at, _end(event))
        if event.anchor:
            self.anchors[event.anchor] = _Anchor(value, spot, 1, 0)
        self._add(value, spot, 0)

    def _key(self, top: _Open, text: str, plain: bool, at: At) -> None:
        if plain and text == "<<":
            self.findings.report(
                at, "merge-key", "merge keys (`<<`) are not part of YAML 1.2", "write the keys out"
            )
        top.key = text
        top.kept = text not in top.value
        if top.kept:
            top.spot.keys[text] = at
        else:
            first = top.spot.keys[text]
            self.findings.report(
                at,
                "duplicate-key",
                f'the key "{_short(text)}" stands already in line {first.line}',
                "remove one of them",
            )

    def _start(self, event: yaml.MappingStartEvent | yaml.SequenceStartEvent) -> None:
        self._count(event, 1)
        self._refuse_tag(event)
        self._refuse_as_key(event)
        if len(self.open) >= MAX_DEPTH:
            self.findings.stop(_start(event), "too-deep", f"more than {MAX_DEPTH} levels within each other")
        value: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
        self.open.append(_Open(value, Spot(_start(event), _end(event), {}, {}), event.anchor, self.nodes - 1))
        if event.anchor:
            self.anchors.pop(event.anchor, None)

    def _end(self, event: yaml.Event) -> None:
        done = self.open.pop()
        done.spot.end = _end(event)
        if done.anchor:
            count = self.nodes - done.nodes_before
            self.anchors[done.anchor] = _Anchor(done.value, done.spot, count, done.height)
        self._add(done.value, done.spot, done.height)

    def _alias(self, event: yaml.AliasEvent) -> None:
        self.aliases += 1
        self._refuse_as_key(event)
        name = event.anchor or ""
        anchor = self.anchors.get(name)
        at = _start(event)
        if self.aliases > MAX_ALIASES:
            self.findings.stop(at, "too-many-aliases", f"more than {MAX_ALIASES} aliases")
        if anchor is None:
            self.findings.stop(at, "unknown-alias", f'no finished anchor "{_short(name)}" before this alias')
        # Counted before it is walked: every alias costs what it stands for.
        self._count(event, anchor.nodes)
        if len(self.open) + anchor.height > MAX_DEPTH:
            self.findings.stop(at, "too-deep", f"more than {MAX_DEPTH} levels within each other")
        self._add(anchor.value, anchor.spot, anchor.height)

    def _add(self, value: Any, spot: Spot, height: int) -> None:
        if not self.open:
            self.root = (value, spot)
            return
        top = self.open[-1]
        top.height = max(top.height, height + 1)
        if isinstance(top.value, list):
            top.spot.below[len(top.value)] = spot
            top.value.append(value)
            return
        if top.kept and top.key is not None:
            top.value[top.key] = value
            top.spot.below[top.key] = spot
        top.key = None

    def _count(self, event: yaml.Event, nodes: int) -> None:
        self.nodes += nodes
        if self.nodes > MAX_NODES:
            what = f"more than {MAX_NODES:,} values, those that aliases stand for included"
            self.findings.stop(_start(event), "too-many-nodes", what)

    def _refuse_tag(self, event: yaml.NodeEvent) -> None:
        tag = getattr(event, "tag", None)
        if tag is not None:
            shown = _short(str(tag).replace("tag:yaml.org,2002:", "!!"))
            self.findings.report(
                _start(event), "tag", f'tags such as "{shown}" have no place in a manifest', "remove it"
            )

    def _refuse_as_key(self, event: yaml.Event) -> None:
        top = self.open[-1] if self.open else None
        if top is not None and isinstance(top.value, dict) and top.key is None:
            self.findings.stop(
                _start(event),
                "bad-key",
                "a key must be a text",
                'quote it, or write a missing quote or ":" before it',
            )


def _start(event: yaml.Event) -> At:
    return _at(event.start_mark)


def _end(event: yaml.Event) -> At:
    return _at(event.end_mark)


def _at(mark: Any) -> At:
    return At(mark.line + 1, mark.column + 1)


def _short(text: str) -> str:
    shown = text if len(text) <= 60 else text[:57] + "..."
    return "".join(c if c.isprintable() else "\ufffd" for c in shown)
