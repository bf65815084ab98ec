"""What loss modules have in common."""

import inspect
from collections.abc import Callable
from dataclasses import Field, dataclass, fields
from typing import Any, ClassVar, cast, get_args

from torch import Tensor, nn
from typing_extensions import Self, dataclass_transform

from equipoise.losses.reduction import require_reduction


class LossModule(nn.Module):
    """A loss with its arguments; they are attributes of their own names, and shown."""

    __call__: Callable[..., Tensor]  # ``nn.Module`` has it of no known result

    def extra_repr(self) -> str:
        """The arguments."""
        shown = {name: value for name, value in vars(self).items() if not name.startswith("_") and name != "training"}
        return ", ".join(f"{name}={value!r}" for name, value in shown.items())


@dataclass_transform(eq_default=False)
class FunctionLoss(LossModule):
    """``function`` with its arguments: each subclass is a dataclass of them, in which tensors are buffers.

    A subclass states the function and declares the arguments; ``check``, where there is one, is called with those that
    it names when a loss is made. ``reduction`` is checked anyhow. ``forward`` is written out where the function's
    tensors are not what a task gives. A subclass that states no function is an ordinary class.

    >>> import torch
    >>> class Scaled(FunctionLoss):
    ...     function = staticmethod(lambda values, scale: (scale * values).mean())
    ...     scale: float = 1.0
    >>> Scaled(scale=2.0), Scaled(2.0)(torch.tensor([1.0, 3.0]))
    (Scaled(scale=2.0), tensor(4.))
    """

    function: ClassVar[Callable[..., Tensor]]
    check: ClassVar[Callable[..., None] | None] = None
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "function" not in vars(cls):
            return
        cast(Any, cls).__annotations__ = inspect.get_annotations(cls, eval_str=True)  # strings where they are postponed
        dataclass(eq=False, repr=False)(cls)
        for name in cls._tensors():
            if name in vars(cls):
                delattr(cls, name)  # the default, which would hide the buffer
        if cls.forward is FunctionLoss.forward or hasattr(cls.forward, "__signature__"):  # it is not written out
            cls.forward = _with_signature(cls)  # type: ignore[method-assign]

    def __new__(cls, *_: object, **__: object) -> Self:
        """A loss with these arguments; the class says what it computes."""
        self = super().__new__(cls)
        nn.Module.__init__(self)  # so that the dataclass's constructor may set attributes
        return self

    def __post_init__(self) -> None:
        arguments = self.arguments
        if self.check is not None:
            names = inspect.signature(self.check).parameters
            self.check(**{name: arguments[name] for name in names if name in arguments})
        if "reduction" in arguments:
            require_reduction(arguments["reduction"])
        for name in self._tensors():
            delattr(self, name)
            self.register_buffer(name, arguments[name])

    @property
    def arguments(self) -> dict[str, Any]:
        """By name, as the function takes them."""
        return {one.name: getattr(self, one.name) for one in fields(self)}

    def forward(self, *tensors: Any, **named: Any) -> Tensor:
        """Of the tensors that ``function`` takes."""
        return self.function(*tensors, **named, **self.arguments)

    @classmethod
    def _tensors(cls) -> list[str]:
        """The names of those fields that are tensors, or may be."""
        return [one.name for one in fields(cls) if Tensor in (one.type, *get_args(one.type))]


def _with_signature(cls: type[FunctionLoss]) -> Callable[..., Tensor]:
    """The generic ``forward``, which shows the tensors of the class's function and takes each by place or by name."""
    try:
        of_function = inspect.signature(cls.function).parameters.values()
    except ValueError:  # a builtin shows none
        return FunctionLoss.forward
    known = {one.name for one in fields(cls)}
    shown = [one for one in of_function if one.name not in known]
    by_name = [one.name for one in shown if one.kind is inspect.Parameter.KEYWORD_ONLY]  # such as a mask
    count = len(shown) - len(by_name)

    def forward(self: FunctionLoss, *tensors: Any, **named: Any) -> Tensor:
        last = dict(zip(by_name, tensors[count:], strict=False))
        return self.function(*tensors[:count], *tensors[count + len(last) :], **last, **named, **self.arguments)

    forward.__doc__ = FunctionLoss.forward.__doc__
    this = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    by_place = [
        one.replace(kind=inspect.Parameter.POSITIONAL_OR_KEYWORD) if one.name in by_name else one for one in shown
    ]
    forward.__signature__ = inspect.Signature([this, *by_place], return_annotation=Tensor)  # type: ignore[attr-defined]
    return forward
