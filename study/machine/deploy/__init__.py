"""Files that start clusters and services; ``cskd deploy`` prints them."""
