"""The command line, which sits on top of everything: it alone knows the figures, the analysis and the runs.

- `verbs.py`     what users call: plan, run, status, show, plot, claims, table, export, import, docs
- `options.py`   options that verbs share, and what the user's words stand for
- `pipeline.py`  effects in order: train, measure, tabulate, draw, judge
- `pages.py`     the verb that writes the report
- `data.py`      the verb `data`: prepare, check, import, tokenizer, list; `progress.py` shows how far it is
- `report.py`    what is printed
"""

from ademamix.cli.data import data
from ademamix.cli.pages import report
from ademamix.cli.verbs import cli

cli.add_command(data)
cli.add_command(report)

__all__ = ["cli"]
