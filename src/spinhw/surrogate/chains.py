"""What a record says of all chains of a chip: resonators for a network to run with, how sure they are, which work."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from spinhw.errors import CalibrationError, SpinhwWarning, some_of
from spinhw.network import SpintronicNetwork, tuned_shapes
from spinhw.physics import Chain, alternating
from spinhw.records import ChainsRecord, ChainTable, find_record, load_chains
from spinhw.records.chains import PAIRS
from spinhw.records.synapses import MAP
from spinhw.surrogate.spread import covariance_from, normal_steps

_NAMED = 5  # In a warning.


@dataclass(frozen=True)
class CalibratedChains:
    """What a record says of the chains of one chip.

    Args:
        chains: By the name of each weight matrix, (1, destination, source), for `SpintronicNetwork.use_resonators`. A
            resonator of which nothing is known does nothing, one that is stuck or held has no span; where none was
            measured it is as designed.
        covariance: Of resonance, G, K and span in SI, (destination, source, 4, 4); zero where nothing was measured and
            for those that failed.
        measured: Which resonators the record has, boolean, (destination, source).
        working: Which of them did not fail.
        repeatability: Scatter of a programming over the largest weight.
        noise: Of one reading (1 sigma), in units of an output.
        device_id: Whose.
        lost: Names of those that failed and of which nothing is known, such as "w_int.0[3, 7]".
    """

    chains: dict[str, Chain]
    covariance: dict[str, Tensor]
    measured: dict[str, Tensor]
    working: dict[str, Tensor]
    repeatability: float
    noise: float
    device_id: str
    lost: tuple[str, ...] = ()

    @classmethod
    def of(cls, record: ChainsRecord) -> "CalibratedChains":
        """Read it from a record."""
        chains, spread, measured, working, lost = {}, {}, {}, {}, list[str]()
        ladder = record.nominal.ladder()
        for name, table in record.matrices.items():
            place = (
                torch.tensor(table.destinations, dtype=torch.int64),
                torch.tensor(table.sources, dtype=torch.int64),
            )
            fine = torch.tensor([number not in table.failed for number in range(len(table.sources))], dtype=torch.bool)
            rows = [0] * table.shape[0]
            designed = Chain.designed(ladder, table.shape[1]).at(None).at(rows)
            designed.max_weight.mul_(alternating(table.shape[1]))
            found = _numbers(table.values)  # (quantity, resonator)
            dead = found.isnan().any(0)
            for old, new in zip(designed.tensors().values(), found, strict=True):
                old[place] = torch.where(dead, old[place], new)
            designed.max_weight[place] = torch.where(dead, 0.0, designed.max_weight[place])
            lost += [f"{name}[{int(place[0][one])}, {int(place[1][one])}]" for one in dead.nonzero()[:, 0].tolist()]
            chains[name] = designed.mapped(lambda one: one[None])
            spread[name] = torch.zeros(*table.shape, len(MAP), len(MAP), dtype=torch.float64)
            spread[name][place] = _covariance(table) * fine[:, None, None]
            measured[name], working[name] = (torch.zeros(table.shape, dtype=torch.bool) for _ in range(2))
            measured[name][place], working[name][place] = True, fine
        return cls(chains, spread, measured, working, record.repeatability, record.noise, record.device.id, tuple(lost))

    @classmethod
    def known(cls, chains: dict[str, Chain], error: float, device_id: str) -> "CalibratedChains":
        """Return what a record says that has all resonators, and their resonances to a stated error.

        Args:
            chains: By name, (1, destination, source).
            error: Standard error of each resonance in half-linewidths, 0 or above.
            device_id: Whose.
        """
        spread, all_of_them, working = {}, {}, {}
        for name, chain in chains.items():
            one = chain.at(0)
            spread[name] = torch.zeros(*one.resonance_hz.shape, len(MAP), len(MAP), dtype=torch.float64)
            spread[name][..., 0, 0] = (error * one.half_linewidth_hz) ** 2
            all_of_them[name] = torch.ones_like(one.resonance_hz, dtype=torch.bool)
            working[name] = (one.max_weight != 0) & (one.tuning_span_hz != 0)
        return cls(chains, spread, all_of_them, working, 0.0, 0.0, device_id)

    def resonance_errors(self) -> dict[str, Tensor]:
        """Return the standard errors of the resonances, (destination, source) in Hz by name; 0 where none is known."""
        return {name: one[..., 0, 0].clamp_min(0).sqrt() for name, one in self.covariance.items()}

    def masks(self, present: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Take failed resonators away from masks, so that nothing is trained that does not work.

        A chip has them all the same: it is programmed with the masks that it was given.

        Args:
            present: By name, (..., destination, source).
        """
        return {name: mask & self.working[name] for name, mask in present.items()}

    def refuse_other(self, network: SpintronicNetwork, member: int = 0) -> None:
        """Check that the record has every resonator that a network has.

        Args:
            network: One, or an ensemble.
            member: Which of an ensemble, counted from 0.

        Raises:
            CalibrationError: It has others, as that of a network with other masks has.
        """
        masks = network.member_masks()
        for name, shape in tuned_shapes(network.settings).items():
            exists = masks[name][member] if name in masks else torch.ones(shape, dtype=torch.bool)
            known = self.measured.get(name)
            fits = known is not None and known.shape == exists.shape and not bool((exists & ~known).any())
            if not fits and bool(exists.any()):
                lacking = (
                    int(exists.sum()) if known is None or known.shape != exists.shape else int((exists & ~known).sum())
                )
                raise CalibrationError(
                    f"the record of the chains of {self.device_id} is of a network with other resonators",
                    seen=f"{lacking} resonators of {name} were not measured",
                    allowed="a record of the chains with this network's masks",
                    todo="calibrate with the run whose networks shall run (--config), and with their seed (--member)",
                )

    def warn_of_lost(self) -> None:
        """Warn of resonators of which nothing is known, by name: they may act, and are taken to do nothing."""
        if self.lost:
            warnings.warn(
                f"{self.device_id}: nothing is known of {len(self.lost)} resonators that failed, which are taken to do "
                f"nothing: {some_of(self.lost, _NAMED)}; a dead one does, one out of the reach of the sweep does not "
                "(the record says why)",
                SpinhwWarning,
                stacklevel=3,
            )

    def drawn(self, generator: torch.Generator, spread: float = 1.0) -> dict[str, Chain]:
        """Draw chains as they may be, given the errors of the calibration; for robust training.

        Args:
            generator: Of the random numbers.
            spread: Factor on the standard errors; 1 for the errors as they are.
        """
        found = {}
        for name, chain in self.chains.items():
            step = spread * normal_steps(self.covariance[name], generator)
            parts = zip(chain.tensors().items(), step.unbind(-1), strict=True)
            found[name] = Chain(**{key: one + more for (key, one), more in parts})
        return found


def calibrated_chains(path: Path, device_id: str | None, anyway: bool = False) -> CalibratedChains:
    """Read what is known of the chains of a chip.

    Args:
        path: A record, or a folder with DEVICE_ID.yaml for each.
        device_id: Whose; None for whichever.
        anyway: Whether another device's record will do.

    Raises:
        ConfigError: The record is missing or wrong.
        CalibrationError: It is another device's.
    """
    file = path if device_id is None else find_record(path, device_id)
    return CalibratedChains.of(load_chains(file, device_id, anyway))


def members_of_chains(each: "list[dict[str, Chain]]") -> dict[str, Chain]:
    """Put the resonators of several chips, each (1, destination, source), side by side; members in front."""
    return {
        name: Chain(**{key: torch.cat([one[name].tensors()[key] for one in each]) for key in each[0][name].tensors()})
        for name in each[0]
    }


def _numbers(rows: Mapping[str, tuple[float | None, ...]]) -> Tensor:
    return torch.tensor(
        [[float("nan") if one is None else one for one in rows[name]] for name in MAP], dtype=torch.float64
    )


def _covariance(table: ChainTable) -> Tensor:
    """Return the covariances of a table, (resonator, 4, 4)."""
    pairs = torch.tensor([one or 0.0 for one in table.correlations], dtype=torch.float64)
    return covariance_from(_numbers(table.errors).nan_to_num(0.0).T, pairs.view(len(table.sources), PAIRS))
