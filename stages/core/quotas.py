"""How many documents each of several groups gives to a total, in whole numbers, the same on every machine."""

import math
from collections.abc import Sequence
from typing import Literal

Quota = Literal["equal", "proportional", "sqrt"]

_SHIFT = 64
"""bits by which sizes are shifted before their integer root is taken: no float decides on a document"""


def weights_of(sizes: Sequence[int], quota: Quota) -> list[int]:
    """What groups of these sizes count for: as much as any other, their size, or its root. An empty one counts nothing."""
    if quota == "equal":
        return [int(size > 0) for size in sizes]
    return [size if quota == "proportional" else math.isqrt(size << _SHIFT) for size in sizes]


def apportion(total: int, weights: Sequence[int]) -> list[int]:
    """A total in proportion to weights: rounded down, and what is left to the largest remainders, the first of equal ones."""
    everything = sum(weights)
    if not everything:
        return [0] * len(weights)
    found = [total * weight // everything for weight in weights]
    order = sorted(range(len(weights)), key=lambda at: (-(total * weights[at] % everything), at))
    for at in order[: total - sum(found)]:
        found[at] += 1
    return found


def fill(total: int, sizes: Sequence[int], weights: Sequence[int]) -> list[int]:
    """The same, but no group gives more than its size: what it lacks is given by the others, in proportion to their weights.

    Water filling: groups that their part would exceed give all they have, and the rest is parted anew until none is. The sum
    is the total, or all there is. Only groups with a weight give anything.
    """
    found = [0] * len(sizes)
    open_ = [at for at, weight in enumerate(weights) if weight and sizes[at]]
    left = total
    while open_:
        everything = sum(weights[at] for at in open_)
        full = [at for at in open_ if left * weights[at] >= sizes[at] * everything]
        if not full:
            for at, part in zip(open_, apportion(left, [weights[at] for at in open_]), strict=True):
                found[at] = part
            break
        for at in full:
            found[at] = sizes[at]
            left -= sizes[at]
        taken = set(full)
        open_ = [at for at in open_ if at not in taken]
    return found
