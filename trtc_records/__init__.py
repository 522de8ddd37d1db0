"""An asyncio client for Tencent RTC's call records (TUICallKit)."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from trtc_records._version import __version__ as __version__

if TYPE_CHECKING:
    from trtc_records._names import *  # noqa: F403
    from trtc_records._names import __all__ as __all__


def __getattr__(name: str) -> Any:
    """Import the public names with the first use of one: ``trtc-records --help`` and completions use none."""
    names = import_module(f"{__name__}._names")
    globals().update({"__all__": names.__all__} | {public: getattr(names, public) for public in names.__all__})
    try:
        return globals()[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None


def __dir__() -> list[str]:
    __getattr__("__all__")
    return sorted(globals())
