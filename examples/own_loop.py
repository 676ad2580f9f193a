"""Train a spintronic network with a chip in a loop of your own: python examples/own_loop.py."""

import torch

from spinhw import HardwareInLoop, NetworkSettings, SpintronicNetwork, open_device
from spinhw.gradients import NetworkRefit
from spinhw.tasks import AugmentationSettings, DigitsSettings, Feed

augmentation = AugmentationSettings(shift_pixels=0.3, rotation_deg=5.0, zoom=0.05)
task, seeds = DigitsSettings().open(Feed(batch_size=120, input_noise=0.2, augmentation=augmentation)), [0]
network, epoch = SpintronicNetwork(NetworkSettings.of("chip_in_the_loop"), seed=seeds), 0
with open_device("imperfect-chip", network) as chip:  # The model first, then the chip itself with the model's gradient.
    loop = HardwareInLoop(network, chip, refit=NetworkRefit.nominal(network.settings))
    for trained, epochs, rate in ((network, 60, 0.14), (loop, 12, 0.03)):
        optimiser = torch.optim.Adam(network.parameters(), lr=rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
        for _ in range(epochs):
            for batch in (task.train(seeds, epoch, number) for number in range(task.batches)):
                answers, labels = trained(batch.inputs)[0], batch.target.labels[0]
                loss = torch.nn.functional.cross_entropy(answers, labels, label_smoothing=0.1)
                optimiser.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_value_(network.parameters(), 1.0)
                optimiser.step()
                network.limit_weights_()
            schedule.step()
            epoch += 1
        with torch.no_grad():
            right = [loop(batch.inputs).argmax(-1) == batch.target.labels for batch in task.held_out(seeds, "test")]
        print(f"epoch {epoch}: {100 * torch.cat(right, 1).double().mean():.1f} % of the test images right on the chip")
