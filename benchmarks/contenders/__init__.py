"""Who is compared, and what each needs; a contender is imported only when it runs."""

from benchmarks.contenders.registry import CONTENDERS, Contender

__all__ = ["CONTENDERS", "Contender"]
