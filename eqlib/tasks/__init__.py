"""One file a task: its data, its networks, its recipe, its measure."""
