import pytest
import torch

from spinhw.config import build
from spinhw.streams import torch_stream
from spinhw.tasks import AugmentationSettings, DigitsSettings, Feed, as_sequence, split
from spinhw.tasks.augmentation import affine, augment, warp

TASK = DigitsSettings()
NOISY = {"input_noise": 0.4, "augmentation": {"shift_pixels": 1.0, "rotation_deg": 10.0, "zoom": 0.1, "shear": 0.1}}


def shown(seeds, epoch, batch, batch_size=120, input_noise=0.0, augmentation=None):
    maps = build(AugmentationSettings, augmentation or {}, "augmentation")
    found = TASK.open(Feed(batch_size, input_noise, maps)).train(seeds, epoch, batch)
    return found.inputs, found.target.labels


def key(images: torch.Tensor) -> set[bytes]:
    return {image.numpy().tobytes() for image in images}


def test_halves_are_disjoint_and_complete():
    first, second = split(TASK, 0), split(TASK, 1)
    for one in (first, second):
        assert one.train.shape == (898, 8, 8)
        assert one.test.shape == (899, 8, 8)
        assert not key(one.train) & key(one.test)
        assert len(key(one.train) | key(one.test)) == 1797
    assert not torch.equal(first.train, second.train)


def test_validation_is_taken_from_the_training_half_only():
    whole = split(TASK, 100)
    part = split(build(DigitsSettings, {"held_out": "validation"}, "task"), 100)
    assert key(part.train) | key(part.test) == key(whole.train)
    assert not key(part.train) & key(part.test)
    assert not key(whole.test) & key(part.test)


def test_read_by_row_a_sample_is_a_row_of_the_same_image():
    task = DigitsSettings(read_by="row")
    assert (task.inputs, task.samples, DigitsSettings().inputs, DigitsSettings().samples) == (8, 8, 1, 64)
    pixels = TASK.open(Feed(120)).train([3, 4], 1, 2)
    rows = task.open(Feed(120)).train([3, 4], 1, 2)
    assert torch.equal(rows.inputs.flatten(-2), pixels.inputs.flatten(-2)) and rows.inputs.shape[2:] == (8, 8)
    assert torch.equal(rows.target.labels, pixels.target.labels)


def test_every_image_is_shown_once_in_an_epoch_the_last_batch_included():
    task = TASK.open(Feed(120))
    batches = [task.train([3], 0, batch) for batch in range(task.batches)]
    assert [one.size for one in batches] == [120] * 7 + [58]
    assert sum(one.size for one in batches) == task.sequences
    seen = torch.cat([one.inputs[0] for one in batches])
    assert key(seen) == key(as_sequence(split(TASK, 3).train, TASK))


def test_held_out_images_are_those_of_each_seed_in_order():
    task = TASK.open(Feed(120))
    batches = list(task.held_out([3, 4], "test"))
    assert sum(one.size for one in batches) == task.held_out_sequences("test") == 899
    for member, seed in enumerate((3, 4)):
        assert torch.equal(
            torch.cat([one.inputs[member] for one in batches]), as_sequence(split(TASK, seed).test, TASK)
        )
        assert torch.equal(torch.cat([one.target.labels[member] for one in batches]), split(TASK, seed).test_labels)


def test_order_is_drawn_once_for_all_batches_of_an_epoch(mocker):
    shown([3, 4], 4710, 0)  # The splits are drawn once for all epochs.
    drawn = mocker.spy(torch, "randperm")
    for batch in range(3):
        shown([3, 4], 4711, batch)
    assert drawn.call_count == 2


def test_labels_stay_with_their_images():
    inputs, labels = shown([3], 2, 0, batch_size=898)
    found = {image.numpy().tobytes(): int(label) for image, label in zip(inputs[0], labels[0], strict=True)}
    one = split(TASK, 3)
    pairs = zip(as_sequence(one.train, TASK), one.train_labels, strict=True)
    assert all(found[image.numpy().tobytes()] == label for image, label in pairs)


def test_member_of_an_ensemble_draws_what_it_draws_alone():
    inputs, labels = shown([3, 8], 4, 6, **NOISY)
    expected_inputs, expected_labels = shown([8], 4, 6, **NOISY)
    assert torch.equal(inputs[1], expected_inputs[0])
    assert torch.equal(labels[1], expected_labels[0])


def test_epochs_and_batches_differ():
    first, other_batch, other_epoch = (shown([3], *place, **NOISY)[0] for place in ((0, 0), (0, 1), (1, 0)))
    assert not torch.equal(first, other_batch)
    assert not torch.equal(first, other_epoch)


def test_input_noise_has_the_spread_asked_for():
    clean, noisy = (shown([3], 0, 0, input_noise=std)[0] for std in (0.0, 0.4))
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
