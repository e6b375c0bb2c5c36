"""The task of docs/adding-a-task.md, in a module of its own, as the specs of other processes need it."""

from tests.documents import block

exec(block("adding-a-task.md"), globals())


def spec(**changes):  # type: ignore[no-untyped-def]
    """A run of the task."""
    from ademamix.optimizers import AdamWConfig
    from ademamix.schedules import Cosine

    plain = {
        "model": LinearConfig(inputs=5),  # type: ignore[name-defined]  # noqa: F821
        "data": MadeData(noise=0.1),  # type: ignore[name-defined]  # noqa: F821
        "optimizer": AdamWConfig(lr=0.02, weight_decay=0.0),
        "schedule": Cosine(warmup=5, horizon=60),
        "batch": 8,
        "seed": 0,
        "clipping": 1.0,
    }
    return RegressionRun(**{**plain, **changes})  # type: ignore[name-defined]  # noqa: F821
