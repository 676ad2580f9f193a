"""Training on chips that are drawn, and training only some of the parameters."""

from typing import Any

import pytest
import torch

from fakes.loops import Stop
from spinhw.config import build
from spinhw.errors import ConfigError
from spinhw.tasks import chosen
from spinhw.training import Interrupted, RunSettings, load_settings, resume, train
from spinhw.training.checkpoint import load_checkpoint
from spinhw.training.forward import logits
from spinhw.training.learner import Learner
from spinhw.training.step import train_step

SPREAD = {
    "spread": {"gamma": 0.2, "sigma": 0.2, "q": 0.2},
    "synapses": {"limit": 4.0, "scale_spread": 0.1},
    "output_readout": {"noise": 0.01, "adc": {"bits": 10, "lowest": -8.0, "highest": 8.0}},
}


def settings_of(chip: dict | None = None, seeds=(3, 5), device: Any = None, more: dict | None = None, **chips):
    profile = {"kind": "simulated", "id": "chip", "chip": SPREAD if chip is None else chip}
    data = {
        "task": {"train_fraction": 0.05, "held_out": "validation"},
        "network": {"layers": [3, 3]},
        "device": device,
        "training": {
            "seeds": list(seeds),
            "epochs": 2,
            "batch_size": 20,
            "substeps": 1,
            "threads": 1,
            "chips": {"profile": profile} | chips,
        }
        | (more or {}),
    }
    return build(RunSettings, data, "run.yaml")


def answers(settings: RunSettings, number: int = 0, images: int = 20) -> tuple[Learner, torch.Tensor]:
    learner = Learner(settings)
    shown = chosen(settings.open_task().train(settings.training.seeds, 0, 0), slice(images))
    return learner, learner.chips.logits(learner.network, shown, number, learner.network.steps)


def test_on_ideal_chips_it_is_training_as_ever():
    learner, found = answers(settings_of({}))
    shown = settings_of().open_task().train((3, 5), 0, 0)
    torch.testing.assert_close(found, logits(learner.network, shown), rtol=1e-4, atol=1e-5)


def test_every_step_has_chips_of_its_own_and_only_its_own():
    first, again, other = (answers(settings_of(), number)[1] for number in (0, 0, 1))
    assert torch.equal(first, again)
    assert float((first - other).detach().abs().max()) > 1e-2


def test_chips_that_are_kept_differ_by_the_noise_of_their_readout_alone():
    first, other = (answers(settings_of(redraw_every=2), number)[1] for number in (0, 1))
    gain = settings_of().network.out_gain
    assert float((first - other).detach().std()) == pytest.approx(2**0.5 * 0.01 * gain, rel=0.25)  # 0.09 +- 0.04.


def test_gradient_is_that_of_the_drawn_chip():
    """Against differences along the gradient itself, with no noise and no rounding."""
    settings = settings_of({key: value for key, value in SPREAD.items() if key != "output_readout"})
    learner, found = answers(settings)
    found.square().sum().backward()
    parameters = dict(learner.network.named_parameters())
    step = {name: value.grad / 1e2 for name, value in parameters.items()}
    size = 0.05 / max(float(value.abs().max()) for value in step.values())
    ends = []
    for sign in (1.0, -1.0):
        with torch.no_grad():
            for name, value in parameters.items():
                value.add_(sign * size * step[name] * (1 if sign > 0 else 2))
        shown = settings.open_task().train((3, 5), 0, 0)
        ends.append(float(learner.chips.logits(learner.network, shown, 0, learner.network.steps).detach().norm() ** 2))
    expected = sum(float((parameters[name].grad * value).sum()) for name, value in step.items())
    assert (ends[0] - ends[1]) / (2 * size) == pytest.approx(expected, rel=0.02)


def test_images_of_a_batch_are_dealt_out_to_several_chips():
    """Also where they do not come out even; a network draws the same chips whoever stands beside it."""
    together = answers(settings_of(per_batch=2), images=5)[1]
    alone = answers(settings_of(seeds=(5,), per_batch=2), images=5)[1]
    assert together.shape == (2, 5, 1, 10)
    torch.testing.assert_close(together[1:], alone, rtol=1e-4, atol=1e-5)
    one = answers(settings_of(), images=5)[1]
    assert (
        not torch.allclose(together[:, :3], together[:, 3:].repeat(1, 2, 1, 1)[:, :3]) and one.shape == together.shape
    )


def test_only_biases_and_readout_are_trained_where_no_more_is_asked_for():
    settings = settings_of(more={"trainable": "biases_and_readout"})
    learner, before = Learner(settings), Learner(settings)
    train_step(learner, settings.open_task().train((3, 5), 0, 0), settings.training, [0.1, 0.1])
    old = dict(before.network.named_parameters())
    changed = {name for name, value in learner.network.named_parameters() if not torch.equal(value, old[name])}
    assert changed == {"bias.0", "bias.1", "w_out", "b_out"}


@pytest.mark.parametrize("gradient", ["output", "layerwise", "spsa"])
def test_with_a_device_too(tmp_path, gradient):
    """The alignment then compares what is trained."""
    device = {"kind": "simulated", "id": "chip", "chip": SPREAD}
    more = {
        "trainable": "biases_and_readout",
        "chips": None,
        "gradient": gradient,
        "epochs": 1,
        "loop": {"align_every": 4},
    }
    settings = settings_of(device=device, more=more)
    results = train(settings, tmp_path / "run")
    assert results.metrics[0]["alignment"]["mean"] is not None
    tensors, start = load_checkpoint(tmp_path / "run" / "checkpoint.safetensors")[0], Learner(settings).network
    assert torch.equal(tensors["network/w_int.0"], start.state_dict()["w_int.0"])


def test_interrupted_and_resumed_equals_uninterrupted_to_the_bit(tmp_path):
    settings = settings_of(more={"trainable": "biases_and_readout"})
    train(settings, tmp_path / "whole")
    with pytest.raises(Interrupted):
        train(settings, tmp_path / "run", Stop((1, 2)))
    resume(tmp_path / "run")
    one, other = (load_checkpoint(tmp_path / name / "checkpoint.safetensors")[0] for name in ("whole", "run"))
    assert all(torch.equal(value, other[name]) for name, value in one.items())


def test_profile_of_the_chips_is_put_in_place_of_its_name(tmp_path):
    config = tmp_path / "run.yaml"
    config.write_text("training: {chips: {profile: imperfect-chip}}\n", encoding="utf-8")
    named = load_settings(config).training.chips.profile
    assert named.chip.spread.gamma == 0.2
    assert load_settings(config, ["training.chips.profile=ideal"]).training.chips.profile.chip.spread.gamma == 0.0
    assert load_settings(config, ["training.chips.profile.chip.spread.gamma=0.1"]).training.chips.profile.id == named.id


@pytest.mark.parametrize(
    "text, message",
    [
        ("training: {chips: {profile: bench-virtual}}", "no distribution of chips; seen: kind visa"),
        ("{training: {chips: {profile: ideal}}, calibration: {record: a, draws: 1}}", "draws both draw the oscillat"),
    ],
)
def test_chips_that_cannot_be_drawn_are_refused(tmp_path, text, message):
    config = tmp_path / "run.yaml"
    config.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        load_settings(config)


def test_weights_beyond_the_drawn_chips_are_refused_before_training(tmp_path):
    settings = settings_of({"synapses": {"limit": 2.0}})
    with pytest.raises(ConfigError, match="network.weight_limit: beyond what the device chip-3 to chip-5 takes"):
        train(settings, tmp_path / "run")
