"""The scripts of real packages are run, not imported."""

collect_ignore = ["real_scripts"]
