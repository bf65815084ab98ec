"""Reading the tasks' gradients and writing the combined one; knows no method.

graph       which leaves each loss reaches, read from the autograd graph
roles       which parameters are shared, which belong to one task
layers      layers whose gradients have factors: how they are found, and their algebra
plan        which layers by factors, which tensors by rows, in which backward passes
routes      K gradients from K losses: one backward pass after another, or batched
rows        gradients side by side, in a buffer kept between steps
products    inner products of long rows
jacobian    rows and factors together: the gramian, and the weighted sum
delivery    from losses and a decision to the gradient of every leaf
surrogate   the scalar whose backward asks for all this
"""
