"""Texts of files that follow from others, each a function without arguments; ``docs/write.py`` puts them in place.

exports         who may import a method from where, from the registry and the files
name_types      names of methods, metrics and cases as types, from their tables
paper_table     docs/papers.md, from the rows, the files and the tests
trainer_table   docs/trainers.md, from the first lines of the examples
table           the table of a page, for the two above
measured        what has to be run to be written, and so is written for new methods alone
"""
