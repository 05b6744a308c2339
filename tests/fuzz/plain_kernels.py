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
from checked_arrays import Checked, Numpy, OutOfBounds, checked

import stages.kernels.compile

_ROOT = Path(stages.kernels.compile.__file__).parents[2]


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
                namespace[name] = Numpy()
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
    for name, decorator in [*vars(stages.kernels.compile).items()]:
        if isinstance(decorator, FunctionType) and not name.startswith("_"):
            setattr(stages.kernels.compile, name, plain)
    np.seterr(over="ignore")
