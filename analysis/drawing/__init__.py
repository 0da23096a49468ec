"""Styles figures and draws them as SVG and PNG."""
