"""The command line, which sits on top of everything: it alone knows the figures, the analysis and the runs.

- `verbs.py`     what users call: plan, run, status, plot, claims, table, export, import, docs
- `runs.py`      runs, show: what is in the store; `chart.py` a small curve
- `single.py`    train, sample: one run outside any figure
- `options.py`   options that verbs share, and what the user's words stand for
- `pipeline.py`  effects in order: train, measure, tabulate, draw, judge
- `pages.py`     the verb that writes the report
- `overrides.py` what --set may change
- `report.py`    what is printed; `units.py` numbers as people read them
"""

from ademamix.cli.pages import report as write_report  # `report` is a module here
from ademamix.cli.runs import runs, show
from ademamix.cli.single import sample, train
from ademamix.cli.verbs import cli

for verb in (write_report, runs, show, train, sample):
    cli.add_command(verb)

__all__ = ["cli"]
