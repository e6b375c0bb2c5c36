"""The command line, which sits on top of everything: it alone knows the figures, the analysis and the runs.

- `verbs.py`     what users call: plan, run, status, plot, claims, table, export, import, docs
- `runs.py`      runs, show: what is in the store; `chart.py` a small curve
- `compare.py`   compare, watch: runs side by side on a page
- `single.py`    train, sample: one run outside any figure
- `evaluation.py`  eval
- `sweep.py`     the verb `sweep`: run, plan, report
- `data.py`      the verb `data`: prepare, check, import, tokenizer, list; `progress.py` shows how far it is
- `pages.py`     the verb that writes the report; `cite.py` BibTeX
- `options.py`   options that verbs share, and what the user's words stand for
- `overrides.py` what --set may change
- `pipeline.py`  effects in order: train, measure, tabulate, draw, judge
- `images.py`    `data check` and `data prepare` of sets of images
- `report.py`    what is printed
"""

import ademamix.cli.evaluation  # noqa: F401 (adds its verb)
from ademamix.cli import images
from ademamix.cli.cite import cite
from ademamix.cli.compare import compare, watch
from ademamix.cli.data import check, prepare
from ademamix.cli.data import data as data_verb  # verbs that share their names with modules
from ademamix.cli.pages import report as report_verb
from ademamix.cli.runs import runs as runs_verb
from ademamix.cli.runs import show
from ademamix.cli.single import sample, train
from ademamix.cli.sweep import sweep as sweep_verb
from ademamix.cli.verbs import cli

for verb in (runs_verb, show, compare, watch, train, sample, sweep_verb, data_verb, report_verb, cite):
    cli.add_command(verb)
images.join(check, prepare)

__all__ = ["cli"]
