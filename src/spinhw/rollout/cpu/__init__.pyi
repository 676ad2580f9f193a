from .adapter import rollout, rollout_driven

__all__ = [
    "rollout",
    "rollout_driven",
]
