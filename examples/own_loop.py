"""Train a spintronic network in a loop of your own: python examples/own_loop.py."""

import torch

from spinhw import NetworkSettings, SpintronicNetwork
from spinhw.tasks import DigitsSettings, as_sequence, split

task = DigitsSettings()
digits = split(task, seed=0)
train, test = as_sequence(digits.train, task), as_sequence(digits.test, task)  # (image, time, input)
network = SpintronicNetwork(NetworkSettings(), seed=0)
optimiser = torch.optim.Adam(network.parameters(), lr=0.1)
for epoch in range(5):
    for chosen in torch.randperm(len(train), generator=torch.Generator().manual_seed(epoch)).split(120):
        loss = torch.nn.functional.cross_entropy(network(train[chosen]), digits.train_labels[chosen])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        network.limit_weights_()
    right = (network(test).argmax(-1) == digits.test_labels).double().mean().item()
    print(f"epoch {epoch + 1}: loss {loss.item():.2f}, {100 * right:.0f} % of the test images recognised")
