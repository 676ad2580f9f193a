"""Normal equations of least squares, for many problems side by side: sums over residuals, and what follows from them.

Of each problem, with residuals r = measured - model and J their model's derivatives by the parameters, the sums r^T r,
J^T J and J^T r are all that a step needs, so that data are taken in piece by piece. Divided by the variance of the
noise, J^T J is the information about the parameters (the inverse of their covariance) and r^T r is chi-square; what is
known beforehand adds to both like further data.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

# Share of the diagonal that keeps combinations of which nothing is known from running away: rounding, no damping.
_RIDGE = 1e-12
# Of eigenvalues of information scaled to a unit diagonal: below it a combination of parameters is not told, ...
_UNTOLD = 1e-13
# ... and a parameter that has this share in it is not told either.
_SHARE = 1e-8


@dataclass(frozen=True, eq=False)
class NormalEquations:
    """Sums over the residuals of independent problems, float64; axes in front of those named may be any.

    Args:
        squares: Sum of the squared residuals, or what else is minimised: minus twice a log-likelihood, (problem,).
        normal: J^T J, (problem, parameter, parameter).
        gradient: J^T (measured - model), (problem, parameter).
        samples: How many residuals, (problem,).
        scatter: Covariance of the gradient by the first parameters as it is seen to scatter, which it does more than
            J^T J says where residuals are correlated, (problem, first, first); None where they are taken for
            independent.
    """

    squares: Tensor
    normal: Tensor
    gradient: Tensor
    samples: Tensor
    scatter: Tensor | None = None

    @classmethod
    def of(cls, jacobian: Tensor, residual: Tensor, weight: Tensor | None = None) -> "NormalEquations":
        """Sum up.

        Args:
            jacobian: Derivatives of the model, (problem, sample, parameter).
            residual: Measured - model, (problem, sample).
            weight: Of each residual, 0 and above, same shape; 0 for one that does not count. None where all weigh 1.
        """
        weight = torch.ones_like(residual) if weight is None else weight
        apart = torch.where(weight > 0, residual, 0.0)[..., None]  # What does not count may be nan.
        turned = jacobian.transpose(-1, -2) * weight[..., None, :]
        squares = (weight * apart[..., 0] ** 2).sum(-1)
        return cls(squares, turned @ jacobian, (turned @ apart)[..., 0], (weight > 0).sum(-1).double())

    def __add__(self, other: "NormalEquations") -> "NormalEquations":
        return self._each(lambda one, more: one + more, other)

    def summed(self, axis: int) -> "NormalEquations":
        """Take problems along an axis for further data of one and the same."""
        return self._each(lambda one, _: one.sum(axis), self)

    def picked(self, chosen: Tensor) -> "NormalEquations":
        """Return some of the problems, by number or mask."""
        return self._each(lambda one, _: one[chosen], self)

    def replaced(self, numbers: Tensor, new: "NormalEquations") -> "NormalEquations":
        """Return all problems, with new sums of some of them, by number."""
        return self._each(lambda one, more: one.index_copy(0, numbers, more), new)

    def held(self, moving: Tensor) -> "NormalEquations":
        """Take out parameters that do not move; moving is boolean, (problem, parameter)."""
        keep = moving.to(self.gradient.dtype)
        return replace(self, normal=self.normal * keep[..., None] * keep[..., None, :], gradient=self.gradient * keep)

    def over(self, variance: Tensor) -> "NormalEquations":
        """Divide by the variance of a residual, (problem,): squares become chi-square, normal becomes information."""
        one = variance[..., None]
        scatter = None if self.scatter is None else self.scatter / one[..., None] ** 2
        parts = (self.squares / variance, self.normal / one[..., None], self.gradient / one)
        return NormalEquations(*parts, self.samples, scatter)

    def profiled(self, least_variance: float) -> "NormalEquations":
        """Divide by the variance that the residuals themselves show, for noise that is not known.

        Squares become n ln(r^T r / n) + n, minus twice the likelihood at its best variance, so that they can be
        compared between places where the residuals differ.

        Args:
            least_variance: Of a residual, above 0: rounding, or what no model gets right.
        """
        mean = self.squares / self.samples.clamp_min(1)
        variance = mean.clamp_min(least_variance)
        return replace(self.over(variance), squares=self.samples * (variance.log() + mean / variance))

    def discounted(self) -> "NormalEquations":
        """Make less of residuals that are correlated: by how much the gradient scatters more than information says.

        What is minimised stays as it is; of sums over the noise only, with a scatter.
        """
        if self.scatter is None:
            return self
        size = self.scatter.shape[-1]
        expected = self.normal[..., :size, :size]
        scale = expected.diagonal(dim1=-2, dim2=-1).clamp_min(1e-12).sqrt()
        unit, seen = (one / scale[..., None] / scale[..., None, :] for one in (expected, self.scatter))
        ratio = torch.linalg.solve(unit + 1e-6 * torch.eye(size).to(unit), seen)
        larger = ratio.diagonal(dim1=-2, dim2=-1).mean(-1).clamp_min(1.0)[..., None]
        return replace(self, normal=self.normal / larger[..., None], gradient=self.gradient / larger)

    def with_prior(self, information: Tensor, apart: Tensor) -> "NormalEquations":
        """Add what is known beforehand, as if it had been measured; of sums over the noise.

        Args:
            information: Inverse of the covariance of what is known, (problem, parameter, parameter); zeros for nothing.
            apart: What is known less where the sums were taken, (problem, parameter).
        """
        pull = (information @ apart[..., None])[..., 0]
        squares, normal = self.squares + (apart * pull).sum(-1), self.normal + information
        return replace(self, squares=squares, normal=normal, gradient=self.gradient + pull)

    def step(self, damping: Tensor | float = 0.0) -> Tensor:
        """Solve (J^T J + damping diag(J^T J)) step = J^T r, (problem, parameter); zero for what nothing is known of.

        Args:
            damping: 0 or above, a number or (problem,); 0 for the step of Gauss and Newton.
        """
        scale, unit = _unit(self.normal)
        more = torch.as_tensor(damping, dtype=unit.dtype).expand(scale.shape[:-1])[..., None]
        ridge = torch.diag_embed((more + _RIDGE).expand(scale.shape))
        short, _ = torch.linalg.solve_ex(unit + ridge, (self.gradient / scale)[..., None])
        step = short[..., 0] / scale
        return torch.where(step.isfinite().all(-1, keepdim=True), step, torch.zeros_like(step))

    def _each(self, change: Callable[[Tensor, Tensor], Tensor], other: "NormalEquations") -> "NormalEquations":
        parts = (
            change(self.squares, other.squares),
            change(self.normal, other.normal),
            change(self.gradient, other.gradient),
            change(self.samples, other.samples),
        )
        if self.scatter is None or other.scatter is None:
            return NormalEquations(*parts)
        return NormalEquations(*parts, change(self.scatter, other.scatter))


def covariance(information: Tensor, moving: Tensor | None = None) -> Tensor:
    """Return the inverse of information, (problem, parameter, parameter).

    Args:
        information: J^T J over the variance of the noise, with what was known beforehand, same shape.
        moving: Which parameters count, boolean, (problem, parameter); None for all.

    Returns:
        Rows and columns of zeros for parameters that do not move. One that is not told, because nothing depends on it
        or because it cannot be told from others, has an infinite variance and no covariance; the others have theirs.
        Information that is not finite tells nothing.
    """
    moving = torch.ones(information.shape[:-1], dtype=torch.bool) if moving is None else moving
    both = moving[..., None] & moving[..., None, :]
    information = torch.where(both, information, 0.0)
    information = torch.where(information.isfinite().all(-1).all(-1)[..., None, None], information, 0.0)
    told = information.diagonal(dim1=-2, dim2=-1) > 0
    scale, unit = _unit(information)
    values, vectors = torch.linalg.eigh(unit)
    lost = values < _UNTOLD
    told = told & ((vectors**2 * lost[..., None, :]).sum(-1) < _SHARE)
    inverse = (vectors / torch.where(lost, torch.inf, values)[..., None, :]) @ vectors.transpose(-1, -2)
    both = both & told[..., None] & told[..., None, :]
    found = torch.where(both, inverse / scale[..., None] / scale[..., None, :], 0.0)
    return found + torch.diag_embed(torch.where(moving & ~told, torch.inf, 0.0).to(found))


def _unit(normal: Tensor) -> tuple[Tensor, Tensor]:
    """Return the root of the diagonal and the matrix over it, with a diagonal of ones; ones where it is zero."""
    diagonal = normal.diagonal(dim1=-2, dim2=-1)
    scale = torch.where(diagonal > 0, diagonal, 1.0).sqrt()
    return scale, normal / scale[..., None] / scale[..., None, :] + torch.diag_embed((diagonal <= 0).to(normal))
