"""One run in several processes, as ``torchrun`` starts them, on one machine or many.

Every process draws the whole batch and computes its own equal part of the embeddings; the embeddings are
gathered, and every process computes the same losses from all of them. So a run in W processes takes the steps
of a run in one, up to rounding. Batch norm uses the statistics of the whole batch: PyTorch's own on GPUs,
``GlobalBatchNorm`` where PyTorch has none (CPU).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from reid_core.errors import InputError


@dataclass(frozen=True, slots=True)
class World:
    """Place of this process among ``size``; ``device`` is what it computes on."""

    rank: int = 0
    size: int = 1
    device: torch.device = torch.device("cpu")

    @property
    def is_first(self) -> bool:
        """The one that writes files and reports."""
        return self.rank == 0

    def own_part(self, number: int) -> slice:
        """The rows of a batch of ``number`` that this process computes.

        Raises:
            InputError: The batch does not divide by the number of processes.
        """
        if number % self.size:
            raise InputError(
                f"A batch of {number} crops does not divide among {self.size} processes. Change the batch "
                "size or the number of processes."
            )
        share = number // self.size
        return slice(self.rank * share, (self.rank + 1) * share)

    def gather(self, embeddings: Tensor) -> Tensor:
        """(B / W, D) of every process -> (B, D) on each, in order; gradients flow back."""
        if self.size == 1:
            return embeddings
        gathered: Tensor = _Gather.apply(embeddings, self)
        return gathered

    def average_gradients(self, module: nn.Module) -> None:
        """Mean over processes of the gradients of a module that is not wrapped."""
        if self.size == 1:
            return
        for parameter in module.parameters():
            if parameter.grad is not None:
                dist.all_reduce(parameter.grad)
                parameter.grad /= self.size

    def any(self, flag: bool) -> bool:
        """Whether any process says so; all have to ask."""
        if self.size == 1:
            return flag
        said = torch.tensor(float(flag), device=self.device)
        dist.all_reduce(said, op=dist.ReduceOp.MAX)
        return bool(said)

    def wait(self) -> None:
        """Until every process is here."""
        if self.size > 1:
            dist.barrier()

    def wrap(self, network: nn.Module) -> nn.Module:
        """The net whose gradients are averaged over the processes; itself if there is one."""
        trains = any(parameter.requires_grad for parameter in network.parameters())
        if self.size == 1 or not trains:
            return network
        return nn.parallel.DistributedDataParallel(
            network, device_ids=[self.device.index] if self.device.type == "cuda" else None
        )

    def synced(self, network: nn.Module) -> None:
        """Make every batch norm of ``network`` use the statistics of the whole batch, in place."""
        if self.size == 1:
            return
        for name, child in network.named_children():
            if isinstance(child, nn.BatchNorm1d | nn.BatchNorm2d):
                kind = nn.SyncBatchNorm if self.device.type == "cuda" else GlobalBatchNorm
                replacement = kind(child.num_features, eps=child.eps, momentum=child.momentum)
                # The very same parameters: an optimiser may hold them already.
                replacement.weight, replacement.bias = child.weight, child.bias
                for buffer, value in child.named_buffers():
                    setattr(replacement, buffer, value)
                setattr(network, name, replacement)
            else:
                self.synced(child)


class GlobalBatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch norm over the batches of all processes, for any shape (B, C, ...) and any backend."""

    def forward(self, x: Tensor) -> Tensor:
        """Same shape out; in eval mode as ``nn.BatchNorm2d`` does."""
        if not self.training:
            return super().forward(x)
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        axes = [axis for axis in range(x.ndim) if axis != 1]
        count = x.numel() / x.shape[1] * dist.get_world_size()
        mean = _sum_over_processes(x.sum(dim=axes)) / count
        shape = [1, -1, *([1] * (x.ndim - 2))]
        centred = x - mean.view(shape)
        variance = _sum_over_processes(centred.square().sum(dim=axes)) / count
        with torch.no_grad():
            momentum = 0.1 if self.momentum is None else self.momentum
            self.running_mean.lerp_(mean, momentum)
            self.running_var.lerp_(variance * (count / (count - 1)), momentum)
            self.num_batches_tracked += 1
        scaled: Tensor = centred * (variance + self.eps).rsqrt().view(shape)
        return scaled * self.weight.view(shape) + self.bias.view(shape)

    def _check_input_dim(self, input: Tensor) -> None:
        return


class _Gather(torch.autograd.Function):
    """Rows of all processes; every process has a loss of its own, so the gradients of all count."""

    @staticmethod
    def forward(context: Any, own: Tensor, world: World) -> Tensor:
        parts = [torch.empty_like(own) for _ in range(world.size)]
        dist.all_gather(parts, own.contiguous())
        context.world = world
        return torch.cat(parts)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        summed = gradients[0].clone()
        dist.all_reduce(summed)
        return summed[context.world.own_part(len(summed))], None


class _Sum(torch.autograd.Function):
    """Sum over processes, forward and backward."""

    @staticmethod
    def forward(context: Any, own: Tensor) -> Tensor:
        summed = own.clone()
        dist.all_reduce(summed)
        return summed

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Tensor:
        summed = gradients[0].clone()
        dist.all_reduce(summed)
        return summed


def _sum_over_processes(own: Tensor) -> Tensor:
    summed: Tensor = _Sum.apply(own)
    return summed


def join_world(*, rank: int, size: int, local_rank: int = 0) -> World:
    """Join the processes that ``torchrun`` started, or be the only one (``size`` 1).

    Uses the GPU numbered ``local_rank`` with NCCL if there is one, else the CPU with gloo. The address of the
    first process comes from the variables that ``torchrun`` sets.
    """
    has_gpu = torch.cuda.is_available()
    device = torch.device("cuda", local_rank) if has_gpu else torch.device("cpu")
    if has_gpu:
        torch.cuda.set_device(device)
    if size > 1 and not dist.is_initialized():
        dist.init_process_group("nccl" if has_gpu else "gloo", rank=rank, world_size=size)
    return World(rank, size, device)


def leave_world() -> None:
    """Say goodbye to the other processes, if there are any."""
    if dist.is_initialized():
        dist.destroy_process_group()
