"""What `serve` and `tunnel` are told: options, configuration files, credentials."""
