"""What `test_sharding` starts on each rank: train a small model, whole or sharded, and save or load it."""

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
import torch.multiprocessing as mp
from torch import nn
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import Replicate, Shard, distribute_tensor
from torch.nn.parallel import DistributedDataParallel

from ademamix import AdEMAMix

STEPS = 6


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(10, 33), nn.Tanh(), nn.Linear(33, 3))  # 33 rows: shards of unequal size


def optimizer(net: nn.Module, implementation: str = "auto") -> AdEMAMix:
    return AdEMAMix(net.parameters(), lr=1e-2, alpha=8.0, weight_decay=0.1, alpha_warmup=10,
                    beta3_warmup=10, implementation=implementation)  # fmt: skip


def train(net: nn.Module, made: AdEMAMix, first: int, last: int) -> None:
    """Every rank sees the same batch, so that any number of ranks makes the same updates."""
    for step in range(first, last):
        x = torch.randn(8, 10, generator=torch.Generator().manual_seed(step))
        made.zero_grad()
        net(x).square().mean().backward()
        made.step()


def whole(net: nn.Module) -> list[torch.Tensor]:
    return [p.full_tensor() if hasattr(p, "full_tensor") else p.detach() for p in net.parameters()]


def expected() -> list[torch.Tensor]:
    net = model()
    train(net, optimizer(net), 0, STEPS)
    return whole(net)


def partial_gradients() -> None:
    """A replicated weight on a batch in shards: each rank has an addend of the gradient."""
    mesh = init_device_mesh("cpu", (dist.get_world_size(),))
    x, start = torch.randn(8, 5, generator=torch.Generator().manual_seed(1)), torch.ones(3, 5)
    plain = start.clone().requires_grad_()
    weight = nn.Parameter(distribute_tensor(start, mesh, [Replicate()]))
    optimizers = [AdEMAMix([p], lr=1e-2, alpha=8.0) for p in (plain, weight)]
    for _ in range(4):
        for p, data in ((plain, x), (weight, distribute_tensor(x, mesh, [Shard(0)]))):
            p.grad = None
            (data @ p.t()).sin().sum().backward()
        assert weight.grad.placements[0].is_partial()
        for optimizer in optimizers:
            optimizer.step()
    torch.testing.assert_close(weight.full_tensor(), plain)
    torch.testing.assert_close(weight.to_local(), plain.detach())


def start(count: int, what: str, folder: str) -> None:
    """Do `what` on so many ranks, forks of this process; raises what one of them raises."""
    mp.start_processes(rank, (count, what, folder), nprocs=count, start_method="fork")


def rank(number: int, count: int, what: str, folder: str) -> None:
    meeting = f"file://{folder}-{what}-{count}"
    dist.init_process_group("gloo", init_method=meeting, rank=number, world_size=count)
    work(what, folder)
    dist.destroy_process_group()


def work(what: str, folder: str) -> None:
    if what == "ddp":
        partial_gradients()
    net = model()
    if what == "ddp":
        net = DistributedDataParallel(net)
        train(net, optimizer(net), 0, STEPS)
        check(net)
        return
    if dist.get_world_size() > 1:
        fully_shard(net, mesh=init_device_mesh("cpu", (dist.get_world_size(),)))
    for implementation in ("foreach", "auto") if what == "save" else ("auto",):
        made = optimizer(net, implementation)
        if what == "save" and implementation == "foreach":
            twin = model()
            fully_shard(twin, mesh=init_device_mesh("cpu", (dist.get_world_size(),)))
            train(twin, optimizer(twin, "foreach"), 0, STEPS)
            check(twin)
            continue
        assert made.implementation in ("c", "foreach")
        if what == "save":
            train(net, made, 0, STEPS // 2)
            weights, state = get_state_dict(net, made)
            dcp.save({"weights": weights, "optimizer": state}, checkpoint_id=folder)
        else:
            weights, state = get_state_dict(net, made)
            dcp.load({"weights": weights, "optimizer": state}, checkpoint_id=folder)
            set_state_dict(net, made, model_state_dict=weights, optim_state_dict=state)
            steps = {int(of_one["step"]) for of_one in made.state.values()}
            assert steps == {STEPS // 2}, steps
        train(net, made, STEPS // 2, STEPS)
        check(net)


def check(net: nn.Module) -> None:
    for found, wanted in zip(whole(net), expected(), strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6)
