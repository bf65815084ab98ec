"""A folder for the path of a process: Python runs ``sitecustomize`` of it before the script."""
