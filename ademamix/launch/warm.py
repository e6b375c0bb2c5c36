# ruff: noqa: F401
"""What workers would each import on their own, loaded once in the process that they are forked from.

Only time depends on this list: what is not on it is imported where it is used.
"""

import torch._dynamo  # torch imports its compiler when the first optimizer is made: seconds

import ademamix.models.transformer_network
import ademamix.optim.ademamix
import ademamix.optim.variants
import ademamix.tasks.language_task
import ademamix.training.pack_worker
from ademamix.checkout import commit

commit()  # asks git, once for all workers
