"""Amazon Cloud Drive: config, wire, nodes, content."""
