"""The shape of a network: eigenvalues of W, low-dimensional activity, and the cube that eight memories form."""

from dataclasses import dataclass

import torch
from torch import Tensor

# An eigenvalue beyond this counts as having left the unit circle.
BEYOND = 1.02


@dataclass(frozen=True)
class Eigenvalues:
    """Eigenvalues of a matrix.

    Args:
        eigenvalues: (unit,), complex128.
        radius: Largest modulus.
        beyond: How many lie beyond `BEYOND`.
        near_circle: Share within 2 % of the unit circle.
        henrici: Departure from normality, sqrt(|W|^2 - sum |lambda|^2) / |W| in the Frobenius norm; 0 for normal.
    """

    eigenvalues: Tensor
    radius: float
    beyond: int
    near_circle: float
    henrici: float


def spectrum(matrix: Tensor) -> Eigenvalues:
    """Analyse a square matrix."""
    matrix = matrix.detach().double()
    values = torch.linalg.eigvals(matrix)
    sizes, whole = values.abs(), matrix.square().sum()
    departure = ((whole - sizes.square().sum()).clamp_min(0.0) / whole).sqrt()
    return Eigenvalues(
        eigenvalues=values,
        radius=sizes.max().item(),
        beyond=int((sizes > BEYOND).sum()),
        near_circle=((sizes - 1).abs() < 0.02).double().mean().item(),
        henrici=departure.item(),
    )


@dataclass(frozen=True)
class Projection:
    """Activity in its few strongest directions.

    Args:
        centre: Subtracted first, (unit,): zero for the SVD, the mean for PCA.
        axes: (direction, unit), orthonormal, the strongest first.
        shares: Share of the variance along each, (direction,); for the SVD of the second moment.
    """

    centre: Tensor
    axes: Tensor
    shares: Tensor

    def of(self, states: Tensor) -> Tensor:
        """Project states (..., unit) to (..., direction)."""
        return (states.double() - self.centre) @ self.axes.T


def project(states: Tensor, directions: int = 3, *, centred: bool = False) -> Projection:
    """Find the strongest directions of states (time, unit): the papers' SVD, or PCA if `centred`."""
    states = states.double()
    centre = states.mean(0) if centred else torch.zeros_like(states[0])
    _, sizes, axes = torch.linalg.svd(states - centre, full_matrices=False)
    powers = sizes.square()
    # The sign of a direction is free: let its largest element be positive, so that pictures agree.
    signs = axes.gather(1, axes.abs().argmax(1, keepdim=True)).sign()
    return Projection(centre, (axes * signs)[:directions], (powers / powers.sum())[:directions])


@dataclass(frozen=True)
class Cube:
    """The parallelepiped that fits the memories best: vertex = centre + sum over bits of +-edge.

    Args:
        centre: (direction,).
        edges: Half edges, (bit, direction).
        r_squared: Share of the vertices' variance that it explains.
        lengths: Of the half edges, (bit,).
        angles_deg: Between each two half edges, in degrees, (pair,).
    """

    centre: Tensor
    edges: Tensor
    r_squared: float
    lengths: Tensor
    angles_deg: Tensor


def fit_cube(vertices: Tensor, codes: Tensor) -> Cube:
    """Fit by least squares.

    Args:
        vertices: Where each state is held, (state, direction).
        codes: Its bits, +-1, (state, bit).
    """
    vertices, codes = vertices.double(), codes.double()
    design = torch.cat([torch.ones_like(codes[:, :1]), codes], 1)
    solution = torch.linalg.lstsq(design, vertices).solution  # (1 + bit, direction)
    centre, edges = solution[0], solution[1:]
    residual = (vertices - design @ solution).square().sum()
    total = (vertices - vertices.mean(0)).square().sum()
    unit = edges / edges.norm(dim=1, keepdim=True)
    pairs = torch.combinations(torch.arange(len(edges)))
    cosines = (unit[pairs[:, 0]] * unit[pairs[:, 1]]).sum(1).clamp(-1, 1)
    return Cube(centre, edges, 1 - (residual / total).item(), edges.norm(dim=1), torch.rad2deg(torch.arccos(cosines)))
