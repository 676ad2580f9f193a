"""How wrong the networks are, each for itself."""

from torch import Tensor
from torch.nn.functional import cross_entropy


def member_losses(logits: Tensor, labels: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Give each member's mean negative log-likelihood in nats, (member,).

    Their sum is what is differentiated: no member's gradient depends on another.

    Args:
        logits: One answer of each sequence, (member, batch, 1, class).
        labels: (member, batch).
        label_smoothing: Probability spread evenly over all classes.
    """
    flat = cross_entropy(logits.flatten(0, 2), labels.flatten(), label_smoothing=label_smoothing, reduction="none")
    return flat.view(labels.shape).mean(1)


def correct_answers(logits: Tensor, labels: Tensor) -> Tensor:
    """Count each member's right answers, (member,)."""
    return (logits[:, :, 0].argmax(-1) == labels).sum(-1)
