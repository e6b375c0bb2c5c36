"""From the store to tables, drawings and verdicts. Nothing here trains, and nothing needs torch.

- `artifacts.py` what a figure and a table are, as modules define them
- `results.py`   curves of runs, read from the store
- `tables.py`    the csv of a figure: what drawings and claims read
- `stats.py`     t intervals, pooled seed spread, steps-to-reach
- `noise.py`     noise.csv, the seed spread of a scale
- `claims.py`    what a claim is and how it is judged
- `judge.py`     claims.json from the tables
- `style.py`     one colour for each optimizer, sizes, fonts
- `curves.py`    panels of loss curves
- `draw.py`      png, pdf and svg from the tables; `caption.py` what they are signed with
- `paired.py`    values by seed that know which runs they are made of
- `typeset.py`   the paper's tables as md, csv and tex; `costs.py`, `benchmarks.py` what pages say of both
- `pages.py`     the generated parts of README.md and docs/

Pandas, scipy and matplotlib are imported where they are used, since planning imports this package.
"""
