"""Shows a running study: progress, watch, status, log, events, notification."""
