"""Sweeps of one's own: hyperparameters tried by a plan of runs, in the store that figures have.

- `axes.py`        the values of a hyperparameter, as people write them: '2,4,8', 'log(1e-4,1e-2,5)'
- `definition.py`  a sweep as its file or the flags state it
- `space.py`       a sweep at a scale: its points, and the runs that stand for them
- `search.py`      which trials come next, as functions of what is known: grids, coordinates, halving
- `tpe.py`         the same with Optuna's sampler
- `outcomes.py`    what the store knows of trials, and the tidy rows that it gives
- `controller.py`  the search from the store's point of view: what is done, under way, next
- `evidence.py`    the trials that a scale's learning rates were chosen from
"""
