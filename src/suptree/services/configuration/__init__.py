"""Configuration: one typed schema, four sources, and a server that reloads it.

`load_configuration` reads, checks and merges; `ConfigServer` holds what was read while the system runs.
"""

from suptree.services.configuration.errors import (
    ConfigurationError,
    ConfigurationFixedError,
    ConfigurationInvalidError,
    ConfigurationSchemaError,
    UnknownSectionError,
)
from suptree.services.configuration.load import check_configuration, load_configuration
from suptree.services.configuration.merge import Entry
from suptree.services.configuration.problems import Problem, Source
from suptree.services.configuration.schema import Fixed
from suptree.services.configuration.server import ConfigChanged, ConfigServer, ConfigStats
from suptree.services.configuration.value import ABSENT, Change, Configuration, diff_configurations

__all__ = [
    "ABSENT",
    "Change",
    "ConfigChanged",
    "ConfigServer",
    "ConfigStats",
    "Configuration",
    "ConfigurationError",
    "ConfigurationFixedError",
    "ConfigurationInvalidError",
    "ConfigurationSchemaError",
    "Entry",
    "Fixed",
    "Problem",
    "Source",
    "UnknownSectionError",
    "check_configuration",
    "diff_configurations",
    "load_configuration",
]
