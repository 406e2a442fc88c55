"""acdrun: declare which places to keep in step, run it, and have it proven."""

__version__ = "0.1.0"
