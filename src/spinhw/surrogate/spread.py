"""Covariances of what was measured: put together from a record, and drawn from."""

import torch
from torch import Tensor


def covariance_from(errors: Tensor, pairs: Tensor) -> Tensor:
    """Put standard errors and correlations together, (..., quantity, quantity).

    Args:
        errors: (..., quantity).
        pairs: Correlations (first, second), (first, third), ..., (..., pair).
    """
    size = errors.shape[-1]
    tied = torch.eye(size, dtype=errors.dtype).expand(*errors.shape, size).clone()
    first, second = torch.triu_indices(size, size, offset=1)
    tied[..., first, second] = tied[..., second, first] = pairs
    return tied * errors[..., :, None] * errors[..., None, :]


def normal_steps(covariance: Tensor, generator: torch.Generator) -> Tensor:
    """Draw normal deviations, (..., quantity), with covariances (..., quantity, quantity)."""
    # An eigenbasis, because a covariance with zeros in it has no Cholesky factor. Scaled: times and ratios mix.
    size = covariance.diagonal(dim1=-2, dim2=-1).clamp_min(0).sqrt().clamp_min(1e-300)
    values, vectors = torch.linalg.eigh(covariance / size[..., :, None] / size[..., None, :])
    normals = torch.randn(size.shape, generator=generator, dtype=torch.float64)
    return (vectors @ (values.clamp_min(0).sqrt() * normals)[..., None])[..., 0] * size
