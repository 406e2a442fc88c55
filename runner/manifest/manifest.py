"""The manifest as it is run: every default filled in, every name resolved; and its canonical form."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, get_args

from pydantic import ConfigDict, TypeAdapter, ValidationError

from runner.backends import registry
from runner.manifest.filter import RuleFilter
from runner.manifest.job import Links, PlanModel, Unreadable
from runner.manifest.limits import limits_of
from runner.manifest.rules import Rule
from runner.manifest.tree import Key, Keys
from runner.model.backend import Durability
from runner.model.config import RemoteConfig
from runner.model.errors import Place, PlanStale, Problem
from runner.model.pair import Case, Location, Mode, Pair, Renames
from runner.model.policy import ChecksumPolicy, GuardPolicy, RetryPolicy

_RULES = TypeAdapter(tuple[Rule, ...], config=ConfigDict(defer_build=True))


@dataclass(frozen=True, slots=True)
class Job:
    """Pairs that belong together.

    needs: names of jobs that must have succeeded before. before, after: argv of its hooks, () for none.
    """

    name: str
    needs: tuple[str, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]
    pairs: tuple[Pair, ...]
    place: Place


@dataclass(frozen=True)
class Manifest:
    """What a manifest asks for.

    file: its name as given, for messages. jobs: each after those it needs. remotes: all that are declared
    or used, by name. places: position (line, column) of what messages may point at, by keys such as
    ("jobs", "photos", "pairs", 0). warnings: what is allowed and yet surely not meant.
    plan: what holds for saved plans.
    """

    name: str
    file: str
    jobs: tuple[Job, ...]
    remotes: dict[str, RemoteConfig]
    places: Mapping[Keys, tuple[int, int]] = field(default_factory=dict, repr=False)
    warnings: tuple[Problem, ...] = ()
    plan: PlanModel = field(default_factory=PlanModel)

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """All pairs, in the order of their jobs."""
        return tuple(pair for job in self.jobs for pair in job.pairs)

    def job(self, name: str) -> Job:
        """The job of this name. Raises KeyError."""
        return {job.name: job for job in self.jobs}[name]

    def place(self, *keys: Key) -> Place:
        """Where the value at these keys stands, or the nearest one above it."""
        for length in range(len(keys), -1, -1):
            if (at := self.places.get(keys[:length])) is not None:
                return Place(self.file, *at)
        return Place(self.file, 1, 1)

    def canonical(self) -> str:
        """The whole of it as stable JSON: references stay references, and `from_canonical` reads it back."""
        places = [[list(keys), *at] for keys, at in self._kept_places()]
        return _stable({"manifest": self._effective, "file": self.file, "places": places})

    @cached_property
    def digest(self) -> str:
        """SHA-256, in hex, of what the manifest asks for: comments and positions do not count."""
        return hashlib.sha256(_stable(self._effective).encode()).hexdigest()

    @cached_property
    def _effective(self) -> dict[str, Any]:
        return {
            "version": 1,
            "name": self.name,
            "remotes": {name: config.model_dump(mode="json") for name, config in self.remotes.items()},
            "plan": self.plan.model_dump(mode="json"),
            "jobs": [
                {
                    "name": job.name,
                    "needs": list(job.needs),
                    "before": list(job.before),
                    "after": list(job.after),
                    "pairs": [_written(pair) for pair in job.pairs],
                }
                for job in self.jobs
            ],
        }

    def _kept_places(self) -> Iterable[tuple[Keys, tuple[int, int]]]:
        # What operations and guards point at; more would make every plan as long as its manifest.
        for keys, at in sorted(self.places.items(), key=lambda item: (item[1], len(item[0]))):
            if keys[:1] == ("jobs",) or (keys[:1] == ("remotes",) and len(keys) == 2):
                yield keys, at


def from_canonical(text: str) -> Manifest:
    """The manifest that `canonical` wrote. Raises PlanStale for anything else."""
    try:
        stored = json.loads(text)
        effective, file = stored["manifest"], str(stored["file"])
        places = {tuple(keys): (int(line), int(column)) for keys, line, column in stored["places"]}
        remotes = {name: _remote(fields) for name, fields in effective["remotes"].items()}
        bare = Manifest(effective["name"], file, (), remotes, places)
        jobs = tuple(_job(fields, bare) for fields in effective["jobs"])
        plan = PlanModel.model_validate_json(json.dumps(effective["plan"]))
    except (ValueError, KeyError, TypeError, AttributeError, ValidationError, RecursionError) as error:
        raise PlanStale(
            "the manifest inside the plan cannot be read", hint="it was made by another version; plan again"
        ) from error
    return Manifest(bare.name, file, jobs, remotes, places, plan=plan)


def _stable(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _written(pair: Pair) -> dict[str, Any]:
    rules = pair.filter.written() if isinstance(pair.filter, RuleFilter) else []
    return {
        "source": list(pair.source),
        "destination": list(pair.destination),
        "mode": pair.mode,
        "filter": rules,
        "checksum": pair.checksum.model_dump(mode="json"),
        "retry": pair.retry.model_dump(mode="json"),
        "guard": pair.guard.model_dump(mode="json"),
        "case": pair.case,
        "links": pair.links,
        "unreadable": pair.unreadable,
        "renames": pair.renames,
        "durability": pair.durability,
    }


def _remote(fields: dict[str, Any]) -> RemoteConfig:
    kind = registry.full_name(fields["type"])
    if kind is None:
        raise ValueError(f"no such kind of remote: {fields['type']}")
    return registry.config(kind).model_validate_json(json.dumps(fields), strict=True)


def _job(fields: dict[str, Any], manifest: Manifest) -> Job:
    name = fields["name"]
    return Job(
        name,
        tuple(fields["needs"]),
        tuple(fields["before"]),
        tuple(fields["after"]),
        tuple(_pair(pair, name, number, manifest) for number, pair in enumerate(fields["pairs"])),
        manifest.place("jobs", name),
    )


def _pair(fields: dict[str, Any], job: str, number: int, manifest: Manifest) -> Pair:
    def one_of(words: Any, key: str) -> Any:
        if fields[key] not in get_args(words):
            raise ValueError(f"not a {key}: {fields[key]}")
        return fields[key]

    return Pair(
        name=pair_name(job, number),
        job=job,
        source=Location(*fields["source"]),
        destination=Location(*fields["destination"]),
        mode=one_of(Mode, "mode"),
        filter=RuleFilter(_RULES.validate_json(json.dumps(fields["filter"]), strict=True)),
        checksum=ChecksumPolicy.model_validate_json(json.dumps(fields["checksum"])),
        retry=RetryPolicy.model_validate_json(json.dumps(fields["retry"])),
        guard=GuardPolicy.model_validate_json(json.dumps(fields["guard"])),
        case=one_of(Case, "case"),
        links=one_of(Links, "links"),
        unreadable=one_of(Unreadable, "unreadable"),
        renames=one_of(Renames, "renames"),
        durability=one_of(Durability, "durability"),
        place=manifest.place("jobs", job, "pairs", number),
        limits=limits_of(manifest.places, manifest.file, ("jobs", job, "pairs", number)),
    )


def pair_name(job: str, number: int) -> str:
    """The job's name for its first pair, then with "#2" and so on."""
    return job if number == 0 else f"{job}#{number + 1}"
