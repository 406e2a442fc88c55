"""The rules every backend must pass.

`RULES` are async functions that take an empty Remote and raise AssertionError when it breaks what their
name claims. They need nothing but the remote, so a user can run them on a live one; each leaves its
nodes behind.
"""

from runner.backends.contract import (
    changing,
    copying,
    folders,
    following,
    identity,
    listing,
    names,
    several,
    storing,
    trashing,
)
from runner.backends.contract.rule import RULES, Rule

__all__ = [
    "RULES",
    "Rule",
    "changing",
    "copying",
    "folders",
    "following",
    "identity",
    "listing",
    "names",
    "several",
    "storing",
    "trashing",
]
