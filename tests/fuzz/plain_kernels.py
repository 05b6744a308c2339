"""Kernels as plain Python in which every index and every shift is checked, and every branch is counted.

With NUMBA_DISABLE_JIT=1, call `install` before any kernel is imported, and `prepare` afterwards. A kernel's own source runs,
with numba's arithmetic: integers loaded from arrays have 64 bits whatever their array, uint64 wraps around, and what is stored
is cut to the array's width.
"""

import ast
import functools
import inspect
import textwrap
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np

import stages.kernels.compile

_ROOT = Path(stages.kernels.compile.__file__).parents[2]
_U64 = 2**64 - 1


class OutOfBounds(Exception):
    """An index that is negative or beyond the end of its array, or a shift by less than 0 or more than 63 bits."""


class Checked:
    """An array of one dimension whose indices are checked. Integers come out as `int`, uint64 as `np.uint64`."""

    __slots__ = ("array", "size", "view")

    def __init__(self, array: np.ndarray) -> None:
        if not array.flags.aligned and not array.flags.writeable:  # a memoryview does not load such items
            array = array.copy()
        self.array, self.view, self.size = array, memoryview(array), len(array)

    def __len__(self) -> int:
        return self.size

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    def __getitem__(self, index: Any) -> Any:
        if index.__class__ is int and 0 <= index < self.size:
            return self.view[index]
        if isinstance(index, slice):
            return checked(self.array[self.span(index)])
        return self.view[self.place(index, self.size)]

    def __setitem__(self, index: Any, value: Any) -> None:
        if isinstance(index, slice):
            self.array[self.span(index)] = getattr(value, "array", value)
            return
        index = self.place(index, self.size)
        try:
            self.view[index] = value
        except (TypeError, ValueError):
            self.view[index] = fitted(value, self.array.dtype)

    @staticmethod
    def place(index: Any, size: int) -> int:
        index = int(index)
        if not 0 <= index < size:
            raise OutOfBounds(f"index {index} of an array of {size}")
        return index

    @staticmethod
    def span(index: slice) -> slice:
        if any(bound is not None and bound < 0 for bound in (index.start, index.stop)):
            raise OutOfBounds(f"negative bound in {index}")
        return index


class CheckedWords(Checked):
    """An array of uint64."""

    __slots__ = ()

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return checked(self.array[self.span(index)])
        return self.array[self.place(index, self.size)]


class CheckedGrid(Checked):
    """An array of more dimensions."""

    __slots__ = ()

    def __getitem__(self, index: Any) -> Any:
        found = self.array[self.places(index)]
        if isinstance(found, np.ndarray):
            return checked(found)
        return found if isinstance(found, np.uint64) else found.item()

    def __setitem__(self, index: Any, value: Any) -> None:
        places = self.places(index)
        if isinstance(self.array[places], np.ndarray):
            self.array[places] = getattr(value, "array", value)
        else:
            self.array[places] = fitted(value, self.array.dtype)

    def places(self, index: Any) -> tuple[Any, ...]:
        parts = index if isinstance(index, tuple) else (index,)
        return tuple(
            self.span(part) if isinstance(part, slice) else self.place(part, size)
            for part, size in zip(parts, self.array.shape, strict=False)
        )


def checked(array: np.ndarray) -> Checked:
    if array.ndim > 1:
        return CheckedGrid(array)
    return CheckedWords(array) if array.dtype == np.uint64 else Checked(array)


def fitted(value: Any, kind: np.dtype) -> Any:
    """The value as an array of this kind stores it."""
    if kind.kind == "f":
        return float(value)
    if kind.kind == "b":
        return bool(value)
    bits = 8 * kind.itemsize
    value = int(value) & (1 << bits) - 1
    return value - (1 << bits) if kind.kind == "i" and value >> bits - 1 else value


class _Numpy:
    """`numpy` for kernels: constructors of integers wrap around as numba's do."""

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    @staticmethod
    def uint64(value: Any) -> np.uint64:
        return np.uint64(int(value) & _U64)

    @staticmethod
    def float32(value: Any) -> float:
        return float(np.float32(value))

    float64, bool_ = float, bool


def _integer(kind: Any) -> Callable[[Any], int]:
    return staticmethod(functools.partial(fitted, kind=np.dtype(kind)))  # type: ignore[return-value]


for _kind in (np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32):
    setattr(_Numpy, _kind.__name__, _integer(_kind))


class Branches:
    """How often each outcome of each condition was met; outcome 2 * n is false, 2 * n + 1 is true."""

    def __init__(self) -> None:
        self.places: list[str] = []
        self.hits: list[int] = []

    def add(self, place: str) -> int:
        self.places += [f"{place} false", f"{place} true"]
        self.hits += [0, 0]
        return len(self.hits) - 2

    def met(self, outcome: int, condition: Any) -> Any:
        self.hits[outcome + 1 if condition else outcome] += 1
        return condition

    def clear(self) -> None:
        self.hits[:] = [0] * len(self.hits)

    def features(self) -> list[int]:
        """Outcomes met, each with the magnitude of how often: 1, 2, 3, 4 to 7, 8 to 15, 16 to 127, more."""
        bounds = (1, 2, 3, 4, 8, 16, 128)
        return [8 * at + sum(count >= bound for bound in bounds) - 1 for at, count in enumerate(self.hits) if count]


BRANCHES = Branches()


class _Counting(ast.NodeTransformer):
    """Puts a call of `Branches.met` around every operand of a condition, and into every loop's body and end."""

    def __init__(self, file: str) -> None:
        self.file = file

    def _met(self, node: ast.expr) -> ast.expr:
        if isinstance(node, ast.BoolOp | ast.Constant) or (
            isinstance(node, ast.UnaryOp) and isinstance(node.operand, ast.BoolOp)
        ):
            return node
        outcome = BRANCHES.add(f"{self.file}:{node.lineno}: {ast.unparse(node)}")
        return self._call(outcome, node)

    def _call(self, outcome: int, node: ast.expr) -> ast.expr:
        return ast.copy_location(ast.Call(ast.Name("_met", ast.Load()), [ast.Constant(outcome), node], []), node)

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        if isinstance(node.op, ast.LShift | ast.RShift) and not isinstance(node.right, ast.Constant):
            node.right = ast.copy_location(ast.Call(ast.Name("_shift", ast.Load()), [node.right], []), node.right)
        return node

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        node.values = [self._met(self.visit(value)) for value in node.values]
        return node

    def _visit_test(self, node: Any) -> Any:
        place = node.test
        self.generic_visit(node)
        node.test = self._met(node.test) if not isinstance(place, ast.Constant) else node.test
        return node

    visit_If = visit_While = visit_IfExp = _visit_test  # noqa: N815

    def visit_For(self, node: ast.For) -> ast.For:
        self.generic_visit(node)
        outcome = BRANCHES.add(f"{self.file}:{node.lineno}: for {ast.unparse(node.target)}")
        node.body.insert(0, ast.copy_location(ast.Expr(self._call(outcome, ast.Constant(True))), node))
        node.orelse.insert(0, ast.copy_location(ast.Expr(self._call(outcome, ast.Constant(False))), node))
        return node


_OWN = ("_met", "_shift", "__builtins__")
_kernels: dict[Any, FunctionType] = {}
"""The functions that kernel decorators gave, and from `prepare` on what they run."""


def plain(function: FunctionType) -> Any:
    """What takes the place of the decorators in `stages.kernels.compile`."""

    @functools.wraps(function)
    def call(*arguments: Any) -> Any:
        body = _kernels[call]
        if body is function:
            return body(*arguments)
        return _bare(body(*map(_wrapped, arguments)))

    _kernels[call] = function
    return call


def _wrapped(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return checked(value)
    if isinstance(value, tuple):
        return type(value)(*map(_wrapped, value)) if hasattr(value, "_fields") else tuple(map(_wrapped, value))
    return int(value) if isinstance(value, np.integer) and not isinstance(value, np.uint64) else value


def _bare(value: Any) -> Any:
    if isinstance(value, Checked):
        return value.array
    return tuple(map(_bare, value)) if isinstance(value, tuple) else value


def prepare() -> None:
    """Give every kernel imported so far its counted body; no kernel may be imported afterwards."""
    names: dict[int, dict[str, Any]] = {}
    for call, function in _kernels.items():
        namespace = names.setdefault(
            id(function.__globals__), {"_met": BRANCHES.met, "_shift": shift, "__builtins__": __builtins__}
        )
        _kernels[call] = _counted(function, namespace)
        own = {name: value for name, value in function.__globals__.items() if not name.startswith("__")}
        namespace |= {name: value for name, value in own.items() if name not in namespace}
    for namespace in names.values():
        for name, value in namespace.items():
            if value is np:
                namespace[name] = _Numpy()
            elif isinstance(value, FunctionType) and name not in _OWN:
                namespace[name] = _kernels.get(value) or _outside(value)
            elif name not in _OWN:
                namespace[name] = _wrapped(value)


def _outside(function: FunctionType) -> Callable[..., Any]:
    """A function that is no kernel, such as the plain form of an intrinsic: it gets bare arrays, and checks by itself."""

    @functools.wraps(function)
    def call(*arguments: Any) -> Any:
        return _wrapped(function(*map(_bare, arguments)))

    return call


def shift(bits: Any) -> Any:
    """The number of bits of a shift, which is undefined from 64 on."""
    if not 0 <= int(bits) < 64:
        raise OutOfBounds(f"shift by {bits}")
    return bits


def _counted(function: FunctionType, namespace: dict[str, Any]) -> FunctionType:
    path = inspect.getsourcefile(function) or ""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    definition = tree.body[0]
    assert isinstance(definition, ast.FunctionDef)
    definition.decorator_list, definition.returns = [], None
    for argument in definition.args.args:
        argument.annotation = None
    ast.increment_lineno(tree, function.__code__.co_firstlineno - 1)
    _Counting(Path(path).relative_to(_ROOT).as_posix()).visit(definition)
    local: dict[str, Any] = {}
    exec(compile(ast.fix_missing_locations(tree), path, "exec"), namespace, local)
    body: FunctionType = local[definition.name]
    return body


def install() -> None:
    """Put `plain` in the place of the decorators; uint64 may wrap around without a warning."""
    stages.kernels.compile.leaf = stages.kernels.compile.kernel = plain
    np.seterr(over="ignore")
