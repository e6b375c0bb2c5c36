"""Training one run.

- `job.py`         what a worker is asked to do
- `worker.py`      the process that trains a run: lock, data, resume, outcome, failure
- `loop.py`        the loop: updates, observations, checkpoints, stopping
- `language.py`    the language-modelling task: batches, loss, validation
- `observe.py`     the quantities that can be observed
- `log.py`         the running means of the loss, and metrics.jsonl
- `checkpoint.py`  checkpoints that are whole or are not used
- `stop.py`        signals, read at the step boundary
"""
