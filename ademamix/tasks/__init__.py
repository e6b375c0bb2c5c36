"""What the loop knows of a task: its model, its batches, its loss, and what only it can observe.

- `protocol.py`  the methods of a task
- `language.py`  language modelling as a run states it; `language_task.py` is what the loop trains
- `vision.py`    image classification; `vision_task.py`

A task is a spec (a `RunSpec` with the fields of its own) and a class with the methods of `Task`;
docs/adding-a-task.md adds one.
"""

from ademamix.tasks.language import LanguageRun
from ademamix.tasks.protocol import Task
from ademamix.tasks.vision import VisionRun

__all__ = ["LanguageRun", "Task", "VisionRun"]
