"""Has a neuron changed, or a chain that feeds it? What a fit of either alone leaves of what was measured tells."""

from dataclasses import dataclass, replace

from torch import Tensor

from spinhw.gradients.neuron_chart import Shift
from spinhw.surrogate import CHAINS, DYNAMICS, TriedFit

# Which of dynamics and chains move in each of the fits of `Hypotheses`.
WHICH = ((False, False), (True, False), (False, True), (True, True))
# Of what is to be explained, in chi-square over what the best fit leaves: less need not be, and explanations that
# differ by no more are not told apart. The share is for what no model of a far shift gets right.
_SHARE, _LEAST = 0.1, 25.0
_NAMED = 0.2  # Share of the largest shift above which one is named.


@dataclass(frozen=True, eq=False)
class Hypotheses:
    """Fits of the same neurons to the same batch.

    Args:
        nothing: Nothing moves.
        neurons: gamma, sigma and Q of each neuron do.
        chains: The common shift of each chain does.
        both: All of them do.
    """

    nothing: TriedFit
    neurons: TriedFit
    chains: TriedFit
    both: TriedFit

    def verdict(self, row: int, shift: Shift) -> Shift:
        """Say what has moved of one neuron: itself, or a chain; each where nobody can tell; both where neither will do.

        Args:
            row: Of the neuron in the fits.
            shift: What its chart says.
        """
        left = {name: self._left(row, one) for name, one in (("neuron", self.neurons), ("chain", self.chains))}
        slack = max(_LEAST, _SHARE * self._left(row, self.nothing))
        moved = {
            "neuron": _named(DYNAMICS, self.neurons.dynamics[row]),
            "chain": _named(CHAINS, self.chains.chains[row]),
        }
        best, other = sorted(left, key=lambda name: left[name])
        if left[best] > slack:
            every = _named(DYNAMICS, self.both.dynamics[row]) | _named(CHAINS, self.both.chains[row])
            return replace(shift, parameters=every)
        alike = left[other] < left[best] + slack
        return replace(shift, parameters=moved[best], instead=moved[other] if alike else {})

    def _left(self, row: int, tried: TriedFit) -> float:
        """Return by how much chi-square is larger than with everything fitted, whose residuals count as noise."""
        noise = float(self.both.squares[row]) / float(self.both.samples[row])
        return (float(tried.squares[row]) - float(self.both.squares[row])) / max(noise, 1e-12)


def _named(names: tuple[str, ...], values: Tensor) -> dict[str, float]:
    """Return the shifts that matter beside the largest of them, rounded as those of a chart are."""
    largest = float(values.abs().max())
    shifts = zip(names, values.tolist(), strict=True)
    return {name: round(one, 6) for name, one in shifts if abs(one) >= _NAMED * largest}
