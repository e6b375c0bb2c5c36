"""Running a plan: `local.py` on this machine. The Slurm launcher will stand beside it."""
