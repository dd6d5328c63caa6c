"""Compile the loops of the fast engine at installation: `python tools/compile_loops.py` (`make course`, Binder).

numba compiles a loop when it is first called, and keeps the result beside the package for processors of this kind. Done
here, no page waits for it, nor needs the 40 to 100 MB that compiling takes. Where numba is missing, there is nothing to do.
"""

from __future__ import annotations

import torch

from eqlib import graphs, groups, harmonics, kernels, models, nn, products


def use(dtype: torch.dtype) -> None:
    """Call every loop as layers and pages do: forward, gradient, and gradient of a gradient (training on forces)."""
    O3 = groups.O3()
    one = O3.rep("0e")
    x, edges = torch.ones(4, 1, dtype=dtype), graphs.complete_graph([4])
    for degree in (1, 4):  # plain, and in frames along the edges
        for channels in (None, 2):
            at = torch.eye(4, 3, dtype=dtype, requires_grad=True)
            hidden = [f"2x0e + 2x{degree}e"] * 2
            net = models.TensorFieldNetwork(
                one, one, hidden, degree, lambda: kernels.Gaussians(4, 3.0), channels=channels
            )
            force = torch.autograd.grad(net.to(dtype)(x, at, edges).sum(), at, create_graph=True)[0]
            force.square().sum().backward()
    product = nn.TensorProduct(O3.vector, O3.vector, one, weights=None).to(dtype)
    v = torch.eye(3, dtype=dtype, requires_grad=True)
    (product(v, v).sum() + harmonics.harmonics(O3, v, degree=2).sum()).backward()
    harmonics.harmonics(O3, v.detach(), degree=2)
    harmonics.matrices(O3.rep("2e"), v.detach())


if __name__ == "__main__":
    if "fast" in products.available():
        for dtype in (torch.float32, torch.float64):
            use(dtype)
