"""How the training images are varied."""

from pydantic import Field

from spinhw.config import Settings


class AugmentationSettings(Settings):
    """Random affine maps of the training images, before they are turned into sequences; all off by default."""

    shift_pixels: float = Field(
        default=0.0, ge=0.0, description="Largest shift along each axis, in pixels; 0 or above."
    )
    rotation_deg: float = Field(default=0.0, ge=0.0, le=180.0, description="Largest rotation in degrees, 0 to 180.")
    zoom: float = Field(default=0.0, ge=0.0, lt=1.0, description="Largest relative change of size, 0 to below 1.")
    shear: float = Field(
        default=0.0, ge=0.0, lt=1.0, description="Largest horizontal shift per vertical distance, 0 to below 1."
    )

    @property
    def active(self) -> bool:
        """Whether anything is changed at all."""
        return any((self.shift_pixels, self.rotation_deg, self.zoom, self.shear))
