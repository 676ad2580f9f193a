import pytest
import torch

from spinhw.config import build
from spinhw.streams import torch_stream
from spinhw.tasks import DigitsSettings, as_sequence, split
from spinhw.training import AugmentationSettings, TrainingSettings
from spinhw.training.augmentation import affine, augment, warp
from spinhw.training.data import EnsembleData, training_batch

TASK = DigitsSettings()
NOISY = {"input_noise": 0.4, "augmentation": {"shift_pixels": 1.0, "rotation_deg": 10.0, "zoom": 0.1, "shear": 0.1}}


def training(**data) -> TrainingSettings:
    return build(TrainingSettings, data, "training")


def key(images: torch.Tensor) -> set[bytes]:
    return {image.numpy().tobytes() for image in images}


def test_halves_are_disjoint_and_complete():
    data = EnsembleData.load(TASK, (0, 1))
    assert data.train.shape == (2, 898, 8, 8)
    assert data.test.shape == (2, 899, 8, 8)
    for member in range(2):
        train, test = key(data.train[member]), key(data.test[member])
        assert not train & test
        assert len(train | test) == 1797
    assert not torch.equal(data.train[0], data.train[1])


def test_validation_is_taken_from_the_training_half_only():
    whole = split(TASK, 100)
    part = split(build(DigitsSettings, {"held_out": "validation"}, "task"), 100)
    assert key(part.train) | key(part.test) == key(whole.train)
    assert not key(part.train) & key(part.test)
    assert not key(whole.test) & key(part.test)


def test_every_image_is_shown_once_in_an_epoch_the_last_batch_included():
    data, settings = EnsembleData.load(TASK, (3,)), training(seeds=[3])
    batches = [training_batch(data, settings, 0, batch) for batch in range(data.batches(settings.batch_size))]
    assert [labels.shape[1] for _, labels in batches] == [120] * 7 + [58]
    shown = torch.cat([inputs[0] for inputs, _ in batches])
    assert key(shown) == key(as_sequence(data.train[0], TASK))


def test_order_is_drawn_once_for_all_batches_of_an_epoch(monkeypatch):
    data, settings, drawn = EnsembleData.load(TASK, (3, 4)), training(seeds=[3, 4]), []
    real = torch.randperm
    monkeypatch.setattr(torch, "randperm", lambda *args, **named: drawn.append(args) or real(*args, **named))
    for batch in range(3):
        training_batch(data, settings, 4711, batch)
    assert len(drawn) == 2


def test_labels_stay_with_their_images():
    data, settings = EnsembleData.load(TASK, (3,)), training(seeds=[3], batch_size=898)
    inputs, labels = training_batch(data, settings, 2, 0)
    found = {image.numpy().tobytes(): int(label) for image, label in zip(inputs[0], labels[0], strict=True)}
    sequences = as_sequence(data.train[0], TASK)
    assert all(
        found[image.numpy().tobytes()] == label for image, label in zip(sequences, data.train_labels[0], strict=True)
    )


def test_member_of_an_ensemble_draws_what_it_draws_alone():
    both, alone = training(seeds=[3, 8], **NOISY), training(seeds=[8], **NOISY)
    inputs, labels = training_batch(EnsembleData.load(TASK, (3, 8)), both, 4, 6)
    expected_inputs, expected_labels = training_batch(EnsembleData.load(TASK, (8,)), alone, 4, 6)
    assert torch.equal(inputs[1], expected_inputs[0])
    assert torch.equal(labels[1], expected_labels[0])


def test_epochs_and_batches_differ():
    data, settings = EnsembleData.load(TASK, (3,)), training(seeds=[3], **NOISY)
    first, other_batch, other_epoch = (training_batch(data, settings, *place)[0] for place in ((0, 0), (0, 1), (1, 0)))
    assert not torch.equal(first, other_batch)
    assert not torch.equal(first, other_epoch)


def test_input_noise_has_the_spread_asked_for():
    data = EnsembleData.load(TASK, (3,))
    clean, noisy = (training_batch(data, training(seeds=[3], input_noise=std), 0, 0)[0] for std in (0.0, 0.4))
    assert (noisy - clean).std() == pytest.approx(0.4, rel=0.02)


def test_augmentation_of_zero_changes_nothing():
    images = split(TASK, 0).train[:5]
    assert augment(images, AugmentationSettings(), torch_stream("test")) is images
    ones = torch.ones(5)
    still = warp(images, affine(0 * ones, ones, 0 * ones), torch.zeros(5, 2))
    torch.testing.assert_close(still, images)


def test_shift_by_whole_pixels_moves_the_image_and_fills_with_zeros():
    images, one = split(TASK, 0).train[:5], torch.ones(5)
    moved = warp(images, affine(0 * one, one, 0 * one), torch.tensor([[1.0, 2.0]]).expand(5, 2))
    torch.testing.assert_close(moved[:, 2:, 1:], images[:, :-2, :-1])
    assert moved[:, :2].abs().max() < 1e-5
    assert moved[:, :, 0].abs().max() < 1e-5


def test_quarter_turn_turns_the_image():
    images, one = split(TASK, 0).train[:5], torch.ones(5)
    turned = warp(images, affine(one * torch.pi / 2, one, 0 * one), torch.zeros(5, 2))
    torch.testing.assert_close(turned, images.rot90(-1, (1, 2)), atol=1e-5, rtol=0)


@pytest.mark.parametrize("amount", ["shift_pixels", "rotation_deg", "zoom", "shear"])
def test_each_amount_changes_the_image_and_keeps_its_range(amount):
    images = split(TASK, 0).train[:20]
    changed = augment(images, build(AugmentationSettings, {amount: 0.5}, "augmentation"), torch_stream("test"))
    assert not torch.equal(changed, images)
    assert 0 <= changed.min() <= changed.max() <= 1 + 1e-6
