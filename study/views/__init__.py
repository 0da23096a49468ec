"""Shows a running study to people and scripts: progress, watch, status, log, events."""
