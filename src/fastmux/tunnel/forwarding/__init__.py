"""What goes through channels: the tunnel's wire, listeners, dialling, splicing, counting."""
