"""What can go wrong between this computer and one instrument."""

from spinhw.errors import DeviceError


class LinkError(DeviceError):
    """The connection to an instrument failed: closed, silent, late, cut short, or somebody else answers."""


class IdentityError(LinkError):
    """Another instrument answers than the one in the configuration."""


class RefusedError(DeviceError):
    """The instrument understood the message, and has put an error into its queue."""
