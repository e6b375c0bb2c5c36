"""Running the jobs of a plan.

- `protocol.py`  what a launcher is
- `schedule.py`  which job may start next: trunks before branches, failures contained
- `local.py`     the launcher for this machine: one process for each run
- `warm.py`      what its workers are forked from, already imported
- `devices.py`   what this machine has to run on
- `progress.py`  what the user sees meanwhile

On a cluster:

- `slurm.py`        the launcher: what is missing is sent, once, whoever asks
- `cluster.py`      the cluster file
- `batches.py`      runs packed into tasks, tasks into arrays
- `scheduler.py`    what a queue is; `sbatch.py` Slurm's, through submitit
- `states.py`       what has become of a task, and what to do about it
- `submissions.py`  what was sent, kept in the store
- `standing.py`     what has become of what was sent
- `node.py`         what a task does on its compute node
"""
