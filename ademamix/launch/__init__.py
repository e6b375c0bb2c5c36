"""Running the jobs of a plan.

- `protocol.py`  what a launcher is
- `schedule.py`  which job may start next: trunks before branches, failures contained
- `local.py`     the launcher for this machine: one process for each run
- `warm.py`      what its workers are forked from, already imported
- `devices.py`   what this machine has to run on
- `progress.py`  what the user sees meanwhile
"""
