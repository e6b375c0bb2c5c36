"""The command line, which sits on top of everything: it alone knows the figures, the analysis and the runs.

- `verbs.py`     what users call: plan, run, status, show, plot, claims, table, export, import, docs
- `evaluation.py`  eval
- `options.py`   options that verbs share, and what the user's words stand for
- `pipeline.py`  effects in order: train, measure, tabulate, draw, judge
- `report.py`    what is printed
"""

import ademamix.cli.evaluation  # noqa: F401 (adds its verb)
from ademamix.cli.verbs import cli

__all__ = ["cli"]
