"""The command line, which sits on top of everything: it alone knows the figures, the analysis and the runs.

- `verbs.py`     what users call: plan, run, status, show, plot, claims, table, export, import, docs
- `sweep.py`     the verb `sweep`: run, plan, report
- `data.py`      the verb `data`: prepare, check, import, tokenizer, list; `progress.py` shows how far it is
- `pages.py`     the verb that writes the report
- `options.py`   options that verbs share, and what the user's words stand for
- `pipeline.py`  effects in order: train, measure, tabulate, draw, judge
- `report.py`    what is printed
"""

from ademamix.cli.data import data as data_verb
from ademamix.cli.pages import report as report_verb
from ademamix.cli.sweep import sweep as sweep_verb
from ademamix.cli.verbs import cli

for verb in (sweep_verb, data_verb, report_verb):
    cli.add_command(verb)

__all__ = ["cli"]
