"""The export API's client: from a list of tables to complete files in a folder."""

from .address import checked_api
from .download import Progress
from .key import ApiKey
from .run import Exported, ExportOptions, export

__all__ = [
    "ApiKey",
    "ExportOptions",
    "Exported",
    "Progress",
    "checked_api",
    "export",
]
