"""`corpus report FOLDER`: the HTML page."""

from __future__ import annotations

from corpus.cli.app import app
from corpus.cli.console import warn
from corpus.cli.options import Folder
from corpus.execute import execute
from corpus.flow import Flow
from corpus.plan import stale
from corpus.recipe import load
from corpus.report.outputs import Outputs, lateness
from corpus.report.stage import PAGE
from corpus.run import lock, output_of


@app.command("report")
def report_verb(folder: Folder) -> None:
    """Make the HTML report and print its path.

    Of what is committed: runs no other stage.
    """
    recipe = load(folder)
    root = output_of(recipe)
    outputs = Outputs.of(recipe, root)
    if late := outputs.late():
        warn(f"the report leaves out what is not up to date ({lateness(late)})")
    flow = Flow.of(recipe, root)
    step = next(step for step in flow.steps if step.name == "report")
    with lock(root):
        for item in stale(flow.tasks(step, [], {})):
            execute(item.task, lambda rows: None)
    print(root / step.name / PAGE)
