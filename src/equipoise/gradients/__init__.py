"""Reading the tasks' gradients and writing the combined one; knows no method.

graph         which leaves each loss reaches, read from the autograd graph
regions       the same by part of a tensor, where outputs were joined; flows by kind of node, boxes are the parts
roles         which parameters are shared, which belong to one task
layers        layers whose gradients have factors: how they are found, and their algebra
plan          which layers by factors, which tensors by rows, in which backward passes; fills the jacobian by them
batching      whether the passes below the join of the tasks may be one
chunks        gradients of some parameters at a time, where memory is short
routes        K gradients from K losses: one backward pass after another, or batched
rows          gradients side by side, kept between steps; blocks are their buffers
products      inner products of long rows; accuracy says whether float32 will do
jacobian      rows and factors together: the gramian, and the weighted sum
known         the weighted gradient by one backward pass, at known weights
accumulation  gradients of micro-batches, which wait for the last of their step
measure       gradients that are looked at and not delivered
ranks         the processes that train one network together
parts         what each of them holds of a sharded tensor
surrogate     the scalar whose backward asks for all this
"""
