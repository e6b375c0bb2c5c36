"""The command line, which sits on top of everything: it alone knows the figures, the analysis and the runs.

- `verbs.py`     what users call: plan, run, status, show, plot, claims, table, export, import, docs
- `options.py`   options that verbs share, and what the user's words stand for
- `pipeline.py`  effects in order: train, measure, tabulate, draw, judge
- `pages.py`     the verb that writes the report
- `data.py`      the verb `data`: prepare, check, import, tokenizer, list; `progress.py` shows how far it is
- `report.py`    what is printed
"""

# Under other names: a verb must not hide the module of its name.
from ademamix.cli.data import data as data_verb
from ademamix.cli.pages import report as report_verb
from ademamix.cli.verbs import cli

cli.add_command(data_verb)
cli.add_command(report_verb)

__all__ = ["cli"]
