"""Everything that is asked of a trained flip-flop network, as plain data."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from spinhw.flipflop.autonomous import autonomous
from spinhw.flipflop.fixed_points import FixedPoints, find_fixed_points, starts_around
from spinhw.flipflop.geometry import Cube, Eigenvalues, Projection, fit_cube, project, spectrum
from spinhw.flipflop.robustness import Hold, RobustnessCurve, long_hold, robustness
from spinhw.flipflop.scoring import measure
from spinhw.flipflop.walking import Walk, walk
from spinhw.network.recurrent import RecurrentNetwork
from spinhw.streams import torch_stream
from spinhw.tasks.flipflop_settings import FlipFlopSettings
from spinhw.tasks.score import TOLERANCE, Score
from spinhw.tasks.trial_settings import HOLD_STEPS
from spinhw.tasks.trial_task import measuring_trials

_SCORED_TRIALS = 512
_CURVE_TRIALS = 64
_HOLD_TRIALS = 256
_STARTS = 60

# What tells networks apart, in words.
COMPARED = {
    "mse": "mean squared error",
    "final": "end within 1/2",
    "beyond": "eigenvalues beyond 1.02",
    "henrici": "Henrici number",
    "cube_r_squared": "cube R\N{SUPERSCRIPT TWO}",
    "largest_skew_deg": "largest angle off 90\N{DEGREE SIGN}",
    "stable": "stable states",
    "spurious": "spurious stable states",
    "held": f"share held for {HOLD_STEPS} steps",
}

Tell = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Memory:
    """One state that the network is asked to hold.

    Args:
        code: Its bits, +-1.
        correct: Whether every output was within 1/2 of its bit at the end of the hold.
        error: Largest error of an output then.
        radius: Spectral radius of the linearisation diag(1 - h^2) W at the stable point found there; None if none was.
    """

    code: tuple[int, ...]
    correct: bool
    error: float
    radius: float | None


@dataclass(frozen=True)
class Analysis:
    """What was found about one network.

    Args:
        name: The network's.
        network: The network.
        task: What it was measured on.
        score: On fresh trials.
        walk: The sequence through all states.
        activity: States during it, (time, unit).
        outputs: Outputs during it, (time, output).
        spectrum: Eigenvalues of W; None for gates.
        svd: Strongest directions of the activity, as the papers plot it.
        pca: The same about the mean.
        cube: Fitted to the memories in the directions of the SVD.
        memories: One for each state.
        points: Fixed points without input.
        curves: Robustness.
        hold: Long holds.
    """

    name: str
    network: RecurrentNetwork
    task: FlipFlopSettings
    score: Score
    walk: Walk
    activity: Tensor
    outputs: Tensor
    spectrum: Eigenvalues | None
    svd: Projection
    pca: Projection
    cube: Cube
    memories: tuple[Memory, ...]
    points: FixedPoints
    curves: tuple[RobustnessCurve, ...]
    hold: Hold

    def vertices(self, directions: Projection) -> Tensor:
        """Give where the states are at the ends of their holds in some directions, (state, 3)."""
        return directions.of(self.activity[self.walk.ends])

    def cube_in(self, directions: Projection) -> Cube:
        """Fit a cube to the memories in some directions."""
        return fit_cube(self.vertices(directions), self.walk.codes)

    def facts(self) -> dict[str, Any]:
        """Give everything as plain data, for ``analysis.json``."""
        points = self.points
        shape = self.spectrum
        return {
            "name": self.name,
            "units": self.network.settings.units,
            "score": asdict(self.score),
            "spectrum": None
            if shape is None
            else {name: value for name, value in vars(shape).items() if name != "eigenvalues"},
            "svd_shares": self.svd.shares.tolist(),
            "pca_shares": self.pca.shares.tolist(),
            "cube": {
                "r_squared": self.cube.r_squared,
                "half_edges": self.cube.lengths.tolist(),
                "angles_deg": self.cube.angles_deg.tolist(),
                "r_squared_in_pca": self.cube_in(self.pca).r_squared,
            },
            "memories": [asdict(one) for one in self.memories],
            "fixed_points": {
                "found": len(points.states),
                "stable": int(points.stable.sum()),
                "memories": int(points.memories().sum()),
                "spurious": int(points.spurious().sum()),
                "starts": points.starts,
                "points": [
                    {"outputs": outputs, "radius": radius, "unstable_directions": unstable}
                    for outputs, radius, unstable in zip(
                        points.outputs.tolist(), points.radius.tolist(), points.unstable.tolist(), strict=True
                    )
                ],
            },
            "robustness": {
                one.name: {"values": one.values, "scores": [asdict(score) for score in one.scores]}
                for one in self.curves
            },
            "hold": asdict(self.hold),
        }


@torch.no_grad()
def analyse(
    network: RecurrentNetwork,
    task: FlipFlopSettings,
    name: str,
    tell: Tell = lambda what, done, total: None,
    hold_trials: int = _HOLD_TRIALS,
) -> Analysis:
    """Analyse a network.

    Args:
        network: The network.
        task: What it was trained on.
        name: What to call it.
        tell: Told which part is done; may raise to stop.
        hold_trials: Trials of the long hold.
    """
    parts = iter(range(1, 7))
    route = walk(task)
    activity = network.run(route.trials.inputs)
    states, outputs = activity.states[0], activity.outputs[0]  # type: ignore[index]
    found = measure(network, measuring_trials(task, _SCORED_TRIALS, "analysis"))
    tell(name, next(parts), 6)
    shape = None if network.settings.kind != "tanh" else spectrum(network.connectivity)
    svd = project(states)
    cube = fit_cube(svd.of(states[route.ends]), route.codes)
    tell(name, next(parts), 6)
    points = _fixed_points(network, states, route)
    tell(name, next(parts), 6)
    memories = _memories(outputs, route, points)
    curves = tuple(robustness(network, task, _CURVE_TRIALS))
    tell(name, next(parts), 6)
    hold = long_hold(network, task, hold_trials, points if network.settings.kind == "tanh" else None)
    tell(name, next(parts), 6)
    pca = project(states, centred=True)
    tell(name, next(parts), 6)
    return Analysis(
        name, network, task, found, route, states, outputs, shape, svd, pca, cube, memories, points, curves, hold
    )


def _fixed_points(network: RecurrentNetwork, states: Tensor, route: Walk) -> FixedPoints:
    dynamics = autonomous(network)
    generator = torch_stream("flip-flop fixed points")
    if network.settings.kind == "lstm":  # The cells are not recorded; a cell near atanh(h) goes with a state h.
        cells = torch.atanh(states.clamp(-0.99, 0.99))
        states = torch.cat([states, cells], 1)
    return find_fixed_points(dynamics, starts_around(states[route.ends], states, generator, _STARTS))


def _memories(outputs: Tensor, route: Walk, points: FixedPoints) -> tuple[Memory, ...]:
    radii = {
        tuple(int(bit) for bit in code): radius
        for code, radius, kept in zip(
            points.codes().tolist(), points.radius.tolist(), points.memories().tolist(), strict=True
        )
        if kept
    }
    found = []
    for code, error in zip(route.codes.tolist(), (outputs[route.ends] - route.codes).abs().amax(1), strict=True):
        bits = tuple(int(bit) for bit in code)
        found.append(Memory(bits, bool(error < TOLERANCE), error.item(), radii.get(bits)))
    return tuple(found)


def compare(analyses: Sequence[Analysis]) -> list[dict[str, Any]]:
    """Give one line for each network, with its name and what `COMPARED` lists."""
    return [
        {
            "name": one.name,
            "mse": one.score.mse,
            "final": one.score.final,
            "beyond": None if one.spectrum is None else one.spectrum.beyond,
            "henrici": None if one.spectrum is None else one.spectrum.henrici,
            "cube_r_squared": one.cube.r_squared,
            "largest_skew_deg": (one.cube.angles_deg - 90).abs().max().item() if len(one.cube.angles_deg) else 0.0,
            "stable": int(one.points.stable.sum()),
            "spurious": int(one.points.spurious().sum()),
            "held": one.hold.held,
        }
        for one in analyses
    ]
