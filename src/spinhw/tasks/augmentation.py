"""Random affine maps of images: bilinear, with zeros from outside."""

import math

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from spinhw.tasks.augmentation_settings import AugmentationSettings


def augment(images: Tensor, settings: AugmentationSettings, *generators: torch.Generator) -> Tensor:
    """Shift, turn, zoom and shear every image by amounts drawn uniformly within the settings.

    Args:
        images: (image, row, column).
        settings: Largest amounts; with all of them zero the images come back as they are and nothing is drawn.
        generators: Where the amounts come from, each for its equal share of the images, in order: five numbers for each
            image, whatever is switched on.
    """
    if not settings.active:
        return images
    share = len(images) // len(generators)
    drawn = torch.cat([torch.rand(share, 5, generator=one) for one in generators]) * 2 - 1  # (image, amount)
    largest = (
        settings.shift_pixels,
        settings.shift_pixels,
        math.radians(settings.rotation_deg),
        settings.zoom,
        settings.shear,
    )
    shift_x, shift_y, angle, zoom, shear = (drawn * torch.tensor(largest)).unbind(-1)
    return warp(images, affine(angle, 1 + zoom, shear), torch.stack((shift_x, shift_y), -1))


def affine(angle: Tensor, zoom: Tensor, shear: Tensor) -> Tensor:
    """Give the maps (image, 2, 2) on (x, y) that shear, then enlarge by `zoom`, then turn by `angle` in radians."""
    cos, sin = torch.cos(angle), torch.sin(angle)
    rows = (cos, shear * cos - sin, sin, shear * sin + cos)
    return zoom[:, None, None] * torch.stack(rows, -1).view(-1, 2, 2)


def warp(images: Tensor, linear: Tensor, shift_pixels: Tensor) -> Tensor:
    """Move what is at p, from the centre, to linear p + shift.

    Args:
        images: (image, row, column), square.
        linear: (image, 2, 2), acts on (x, y).
        shift_pixels: (image, 2), in x and y.
    """
    # The sampling grid runs backwards: each new pixel asks where it came from, in units of half the image.
    back = torch.linalg.inv(linear)
    shift = shift_pixels[:, :, None] * (2 / images.shape[-1])
    grid = affine_grid(torch.cat((back, -back @ shift), -1), [len(images), 1, *images.shape[1:]], align_corners=False)
    return grid_sample(images[:, None], grid, padding_mode="zeros", align_corners=False)[:, 0]
