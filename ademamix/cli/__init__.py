"""The command line, which sits on top of everything: it alone knows the figures, the analysis and the runs.

- `verbs.py`     what users call: plan, run, status, show, plot, claims, table, export, import, docs
- `sweep.py`     the verb `sweep`: run, plan, report
- `options.py`   options that verbs share, and what the user's words stand for
- `pipeline.py`  effects in order: train, measure, tabulate, draw, judge
- `pages.py`     the verb that writes the report
- `report.py`    what is printed
"""

from ademamix.cli.pages import report as report_verb
from ademamix.cli.sweep import sweep
from ademamix.cli.verbs import cli

cli.add_command(report_verb)
cli.add_command(sweep)

__all__ = ["cli"]
