"""A logger that needs what is not installed."""

import papertrail_of_nobody  # noqa: F401

PaperSettings = None
