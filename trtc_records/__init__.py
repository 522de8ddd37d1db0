"""An asyncio client for Tencent RTC's call records (TUICallKit)."""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING

from trtc_records._version import __version__ as __version__

if TYPE_CHECKING:
    from trtc_records._names import *  # noqa: F403
    from trtc_records._names import __all__ as __all__
else:  # a type checker would take any name for one that this function gives

    def __getattr__(name: str) -> object:
        """Import the public names with the first use of one: ``trtc-records --help`` and completions use none."""
        names = _import_module(f"{__name__}._names")
        for public in ("__all__", *names.__all__):
            globals().setdefault(public, getattr(names, public))  # a test may have set another
        try:
            return globals()[name]
        except KeyError:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None

    def __dir__() -> list[str]:
        __getattr__("__all__")
        return sorted(globals())
