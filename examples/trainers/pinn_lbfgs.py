"""LBFGS (a PINN): ``with balancer.frozen(): optimizer.step(closure)``; u'' = -π² sin(πx), so that u = sin(πx)."""

import torch
from torch import nn

import equipoise as eq


def losses(net, x, ends):
    slope = torch.autograd.grad(net(x).sum(), x, create_graph=True)[0]
    curvature = torch.autograd.grad(slope.sum(), x, create_graph=True)[0]
    residual = (curvature + torch.pi**2 * torch.sin(torch.pi * x)).square().mean()
    return {"equation": residual, "boundary": net(ends).square().mean()}


def train_step(net, balancer, optimizer, x, ends):
    def closure():
        optimizer.zero_grad()
        loss = balancer(losses(net, x, ends))
        loss.backward()
        return loss

    closure()  # decides the weights of this step
    with balancer.frozen():  # a line search compares values of one function
        optimizer.step(closure)


def main() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(1, 20), nn.Tanh(), nn.Linear(20, 20), nn.Tanh(), nn.Linear(20, 1))
    balancer = eq.Balancer(eq.MeanNorm(), net, tasks=["equation", "boundary"])
    optimizer = torch.optim.LBFGS(net.parameters(), max_iter=20, line_search_fn="strong_wolfe")
    x, ends = torch.linspace(-1, 1, 64)[:, None].requires_grad_(), torch.tensor([[-1.0], [1.0]])
    for _ in range(20):
        train_step(net, balancer, optimizer, x, ends)
    print(f"largest error {(net(x) - torch.sin(torch.pi * x)).detach().abs().max():.1e}")


if __name__ == "__main__":
    main()
