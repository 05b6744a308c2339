"""How many tokens of each group a mixture takes, and why a request cannot be met."""

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.errors import StageError


@dataclass(frozen=True)
class Portion:
    """What a mixture takes of a group: tokens there are, its share of the mixture (0 to 1), and the budget in tokens."""

    available: int
    share: float
    budget: int

    @property
    def epochs(self) -> float:
        """How often the group is seen."""
        return self.budget / self.available if self.available else 0.0


def portions(
    available: Mapping[str, int],
    tokens: int | None,
    shares: Mapping[str, float] | None,
    temperature: float,
    min_share: float,
    max_epochs: Mapping[str, float],
) -> dict[str, Portion]:
    """The portion of each group, groups in order of their names.

    tokens       of the whole mixture; None: as many as shares and epochs allow
    shares       of tokens by group; groups that are not named get nothing. None: as the groups' sizes to the power of
                 1 / temperature (1: in proportion; larger is more even; Conneau et al. 2020 write alpha for 1 / temperature)
    min_share    no group gets less: smaller ones are raised, and the others lowered in proportion
    max_epochs   by group; `default` for those not named

    Of no tokens at all nothing is taken, as no survivors are no error anywhere. Else raises `StageError` naming the group and
    the constraint that binds.
    """
    if not any(available.values()):
        return {name: Portion(0, 0.0, 0) for name in sorted(available)}
    wanted = dict(shares) if shares is not None else _by_size(available, temperature, min_share)
    for name, share in wanted.items():
        if share > 0 and not available.get(name):
            there = ", ".join(sorted(available)) or "none"
            raise StageError(f"mix: there are no tokens of {name!r}, which should be {share:.4g} of all; groups are {there}")
    most = {
        name: _most(available.get(name, 0), share, max_epochs.get(name, max_epochs["default"]))
        for name, share in wanted.items()
    }
    limits = {name: limit for name, limit in most.items() if limit is not None}
    binding = min(limits, key=lambda name: limits[name], default="")
    possible = limits.get(binding, 0)
    total = possible if tokens is None else tokens
    if total > possible:
        raise StageError(_infeasible(binding, available.get(binding, 0), wanted.get(binding, 0.0), total, max_epochs, possible))
    return {
        name: Portion(available[name], wanted.get(name, 0.0), int(wanted.get(name, 0.0) * total + 0.5))
        for name in sorted(available)
    }


def _by_size(available: Mapping[str, int], temperature: float, min_share: float) -> dict[str, float]:
    sizes = {name: size ** (1 / temperature) for name, size in sorted(available.items()) if size}
    if min_share * len(sizes) > 1:
        raise StageError(
            f"mix: min_share {min_share:g} of {len(sizes)} groups is more than all: at most {1 / len(sizes):.4g} each"
        )
    raised: set[str] = set()
    while True:
        left = 1 - min_share * len(raised)
        rest = sum(size for name, size in sizes.items() if name not in raised)
        shares = {name: min_share if name in raised else left * size / rest for name, size in sizes.items()}
        low = {name for name, share in shares.items() if share < min_share}
        if not low:
            return shares
        raised |= low


def _most(available: int, share: float, epochs: float) -> int | None:
    """Tokens of a mixture that the group allows; None where it gets nothing."""
    return int(available * epochs / share) if share > 0 else None


def _infeasible(name: str, available: int, share: float, total: int, max_epochs: Mapping[str, float], possible: int) -> str:
    epochs = max_epochs.get(name, max_epochs["default"])
    return (
        f"mix: {share:.4g} of {total:,} tokens are {int(share * total):,} of {name!r}, which has {available:,}, and {epochs:g}"
        f" epochs of them are {int(available * epochs):,}. With these shares at most {possible:,} tokens are possible; or allow"
        f" {name!r} {share * total / available:.3g} epochs"
    )
