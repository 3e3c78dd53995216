"""Which part of every batch a worker makes."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Share:
    """A worker's part of the work.

    Attributes:
        rank: Number of the worker, from 0.
        count: How many workers there are.
    """

    rank: int = 0
    count: int = 1

    def slots(self, batch: int) -> range:
        """Return which pictures of a batch are the worker's: as many as any other's."""
        each = batch // self.count
        return range(self.rank * each, (self.rank + 1) * each)


ALL = Share()
"""Of one process that works alone."""
