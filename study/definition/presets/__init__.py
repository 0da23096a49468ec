"""Presets: study files that come with the package."""
