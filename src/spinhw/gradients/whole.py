"""The whole network as one block on the surrogate: `surrogate` and `output`."""

from torch import Tensor

from spinhw.gradients.base import Pass, end_of


def whole(one: Pass) -> Tensor:
    """Model the end signal by a rollout of the whole network.

    Modelled: everything, each neuron by the surrogate's, with the parameters as the device applied them. Measured, in
    mode `output`: the end signal, whose value replaces the model's, so that the loss is the device's own and only the
    way back is modelled (physics-aware training: Wright et al., Nature 601, 549 (2022)). In mode `surrogate` nothing
    is measured.
    """
    run = one.network.run(
        _as_called(one),
        one.steps,
        values=one.values,
        neurons=one.neurons,
        record_last=one.network.answer.last if one.lengths is None else None,
        engine=one.engine,
    )
    return end_of(one.network, one.values, run.filtered, one.lengths)


def _as_called(one: Pass) -> Tensor:
    return one.inputs if one.network.ensemble else one.inputs[0]
