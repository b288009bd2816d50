"""Markdown written from the code: every component's fields, the command line, the hooks, the API."""

from reference.contents import generated, plugin_pages, unloaded

__all__ = ["generated", "plugin_pages", "unloaded"]
