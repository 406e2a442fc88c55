"""What a place cannot hold, found out before anything is sent."""

from runner.model.backend import Capabilities
from runner.model.node import Node
from runner.model.path import join
from runner.plan.decide import Verdict


def unfit(node: Node, folder: str, can: Capabilities) -> Verdict | None:
    """Why this file of the folder cannot be stored there; None when it can."""
    if can.max_size is not None and node.size > can.max_size:
        return Verdict(
            "!", f"{node.size:,} bytes are more than the {can.max_size:,} that fit in one file there"
        )
    if can.max_name is not None and len(node.name.encode("utf-16-le")) // 2 > can.max_name:
        return Verdict("!", f"its name is longer than the {can.max_name} characters allowed there")
    if can.max_path is not None and len(join(folder, node.name).encode()) > can.max_path:
        return Verdict("!", f"its path is longer than the {can.max_path:,} bytes allowed there")
    return None
