"""charrnn: character-level text generation with recurrent networks in NumPy.

    model = charrnn.train("corpus.txt", time="60s")
    print(model.sample("Once ", 200))

``charrnn._public`` lists the public names. They are imported when the first of them is used, so
that ``import charrnn`` and ``charrnn --help`` cost next to nothing.
"""

TYPE_CHECKING = False  # as in ``typing``, which takes longer to import than all else here
if TYPE_CHECKING:
    from charrnn._public import *  # noqa: F403
    from charrnn._version import __version__ as __version__


def __getattr__(name: str) -> object:  # PEP 562
    from importlib.util import find_spec

    is_public = name in {"__all__", "__version__"} or not name.startswith("_")
    # Python asks here for a submodule too, before it imports it.
    if is_public and find_spec(f"charrnn.{name}") is None:
        from charrnn import _public

        globals().update({it: getattr(_public, it) for it in __dir__()}, __all__=__dir__())
        if name in globals():
            return globals()[name]
    raise AttributeError(f"module 'charrnn' has no attribute {name!r}")


def __dir__() -> list[str]:
    from charrnn import _public

    return ["__version__", *(name for name in vars(_public) if not name.startswith("_"))]
