"""AdamW by torch's fused kernel, without the optimisers of `torch.optim`.

The first of those that a process uses loads torch's compiler, which no training here needs: that
takes as long again as torch itself, in every process of a search.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim.adamw import adamw


class AdamW:
    """Decoupled weight decay (Loshchilov and Hutter, 2019), as `torch.optim.AdamW` computes it.

    Attributes:
        param_groups: of each its `params`, their `weight_decay` and their rate `lr`.
        state: `step`, `exp_avg` and `exp_avg_sq` of each parameter that had a gradient.
    """

    def __init__(
        self, groups: list[dict[str, Any]], betas: tuple[float, float], *, fused: bool = True
    ) -> None:
        self.param_groups = [{"lr": 1e-3, **group} for group in groups]
        self.state: dict[Tensor, dict[str, Tensor]] = {}
        self._betas, self._fused = betas, fused

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for parameter in self._parameters():
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Move every parameter that has a gradient."""
        for group in self.param_groups:
            moved = [(p, p.grad) for p in group["params"] if p.grad is not None]
            states = [self.state.get(p) or self._begin(p) for p, _ in moved]
            adamw(
                [p for p, _ in moved],
                [gradient for _, gradient in moved],
                [state["exp_avg"] for state in states],
                [state["exp_avg_sq"] for state in states],
                [],
                [state["step"] for state in states],
                fused=self._fused,
                amsgrad=False,
                beta1=self._betas[0],
                beta2=self._betas[1],
                lr=group["lr"],
                weight_decay=group["weight_decay"],
                eps=1e-8,
                maximize=False,
            )

    def tensors(self) -> dict[str, Tensor]:
        """The state by names, to be kept."""
        return {
            f"{number}/{name}": value
            for number, parameter in enumerate(self._parameters())
            for name, value in self.state.get(parameter, {}).items()
        }

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Take the state that `tensors` gave."""
        parameters = list(self._parameters())
        self.state.clear()
        for key, value in tensors.items():
            number, name = key.split("/")
            parameter = parameters[int(number)]
            self.state.setdefault(parameter, {})[name] = value.to(parameter.device)

    def _parameters(self) -> Iterator[Tensor]:
        for group in self.param_groups:
            yield from group["params"]

    def _begin(self, parameter: Tensor) -> dict[str, Tensor]:
        state = {
            "step": torch.zeros((), dtype=torch.float32, device=parameter.device),
            "exp_avg": torch.zeros_like(parameter),
            "exp_avg_sq": torch.zeros_like(parameter),
        }
        return self.state.setdefault(parameter, state)
