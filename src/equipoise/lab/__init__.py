"""The workbench: cases, training, fair studies and their reports; may import the core, never the reverse."""
