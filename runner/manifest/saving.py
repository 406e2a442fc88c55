"""What a manifest says of its saved plans, so that it means the same from everywhere."""

from pathlib import Path

from runner.manifest.job import ManifestModel, PlanModel
from runner.manifest.location import BadLocation, local_path
from runner.manifest.tree import Tree
from runner.model.secret import FileReference


def saving(tree: Tree, model: ManifestModel | None, folder: str) -> PlanModel:
    """The `plan` of a manifest, with the file of its key as an absolute path; problems go to the findings."""
    plan = model.plan if model is not None else PlanModel()
    if not isinstance(plan.key, FileReference):
        return plan
    try:
        key = FileReference(file=Path(local_path(str(plan.key.file), folder)))
    except BadLocation as error:
        tree.findings.report(tree.at(("plan", "key")), "bad-path", str(error), error.hint)
        return plan
    return plan.model_copy(update={"key": key})
