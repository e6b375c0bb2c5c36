"""Training one run.

- `job.py`         what a worker is asked to do
- `worker.py`      the process that trains a run: lock, where to resume, failure
- `session.py`     a run in a process: opened, advanced one update at a time, closed
- `trainer.py`     what an update does to model, optimizer and position
- `observe.py`     measuring quantities without changing a bit
- `log.py`         the running means of the loss, and metrics.jsonl
- `checkpoint.py`  checkpoints that are whole or are not used; `shards.py`: of a run in shards
- `writing.py`     writing them while training goes on
- `loss.py`        model and loss as one: eager or compiled, over one process or several
- `captured.py`    updates as one CUDA graph
- `garbage.py`     when Python's garbage is collected
- `ranks.py`       the processes that train one run together
- `sharding.py`    weights and moments in shards over them (FSDP2)
- `stop.py`        signals, read at the step boundary
- `timing.py`      seconds per update, measured side by side
- `machine.py`     what a record says of the machine
"""
