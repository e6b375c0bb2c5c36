"""What the loop knows of a task: its model, its batches, its loss, and what only it can observe.

- `protocol.py`  the methods of a task
- `language.py`  language modelling as a run states it; `language_task.py` is what the loop trains

A task is a spec (a `RunSpec` with the fields of its own) and a class with the methods of `Task`;
docs/adding-a-task.md adds one.
"""

from ademamix.tasks.language import LanguageRun
from ademamix.tasks.protocol import Task

__all__ = ["LanguageRun", "Task"]
