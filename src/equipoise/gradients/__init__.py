"""Reading the tasks' gradients and writing the combined one; knows no method.

graph       which leaves each loss reaches, read from the autograd graph
roles       which parameters are shared, which belong to one task
routes      K gradients from K losses: one backward after another, or batched
rows        the jacobian, its gramian, and the weighted sum of its rows
delivery    from losses and a decision to the gradient of every leaf
surrogate   the scalar whose backward asks for all this
"""
