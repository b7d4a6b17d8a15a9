"""The errors that kivuko raises for mistakes a user can mend."""


class KivukoError(Exception):
    """Say what was expected, what came, and what to do; the command line prints it and exits with 2."""


class ConfigError(KivukoError):
    """A flag, a TOML key or a value that cannot be used."""


class DataError(KivukoError):
    """A file or a folder that is missing, unreadable or not in the expected format."""


class QueryError(DataError):
    """A query, or a filter of it, that cannot be met: the fault of who asks, not of the index."""


class ModelError(KivukoError):
    """A model that cannot be loaded, is unsafe to load, or does not fit the other parts."""
