"""What ``cskd doctor`` looks at: libraries, machine, services."""
