"""All that this package reads or changes of PyTorch beyond its public interface, in one package.

Looked at in torch 2.6, 2.8, 2.10, 2.13 and 2.15; docs/installation.md says which tests ran with each. "From" is the
first of them that has a name, where that is not 2.6. "Absent" is what happens where a release does not have it, or no
longer has it.

=======================================  ===================================  ====  ==================================
touched                                  what for                             from  absent
=======================================  ===================================  ====  ==================================
``Tensor._backward_hooks``               a parameter's hooks run once a step        AttributeError at the first step
``_C._stash_obj_in_tls`` and its kin     the same, in autograd's own threads        AttributeError at import
``node._saved_*``, ``_raw_saved_*``      inputs of layers, parts of views           AttributeError at the first step
``SavedTensor.unpack_hook``              whether a hook hides what was saved  2.10  taken to be so: rows, no factors
``node._input_metadata``                 shapes of what a node gives                AttributeError at the first step
``_forward_cls``, ``_aot_id``            K passes through a compiled graph          refused: ``compile_safe`` is named
``_functorch.config``, ``AOT_COUNTER``   no donated buffers, in all threads         ``compile_safe`` raises
``_C._current_graph_task_id``            which backward is running                  AttributeError at the first step
``_C._will_engine_execute_node``, kin    whether it needs the graph again           AttributeError at the first step
``graph._engine_run_backward``           passes without Python's checks             AttributeError at the first step
``_C._functorch``, ``_functorch.vmap``   losses in ``torch.func``, batches          AttributeError at the first step
``_C.DisableTorchFunctionSubclass``      plain tensors of subclasses                AttributeError for subclasses
``Tensor._version``                      a parameter changed meanwhile              AttributeError when first needed
``torch._foreach_*``                     one kernel for many tensors                AttributeError at the first step
``_C._nn.flatten_dense_tensors``, kin    one vector for many tensors                AttributeError at the first step
``aten._embedding_bag_backward``         gradient of an embedding bag               AttributeError where one is met
``_DDPSink``'s ``ddp_weakref``           which gradients DDP awaits                 DDP fails where some are unused
``DDP.reducer``, ``_static_graph_...``   first all-reduce of a static graph         DDP fails with a static graph
``DDP._join_config``                     refuse ``join()``                          ``join()`` hangs
``_get_fsdp_state`` (FSDP2)              gathered -> sharded parameters             an error: no parameter is reached
``_handle``, ``_is_flat_param`` (FSDP1)  refuse what has no task's gradients        an error: no parameter is reached
``_functional_collectives``              gather features with their gradient        ImportError where it is called
``all_gather_single`` there              the same, by its name of today       2.13  ``all_gather_tensor_autograd``
``_CachedTorchDispatchMode``             refuse what 2.13 refuses by itself         left to PyTorch
``FSDPState._fsdp_param_groups``         what FSDP2 shards together           2.13  ``_fsdp_param_group``, one
=======================================  ===================================  ====  ==================================

Where hooks of saved tensors are not seen, an index by which a loss takes its part of joined outputs is read all the
same, and a hook that hides it runs once more. Sparse gradients, which have factors only, are refused. Until torch 2.11
``_stash_obj_in_tls`` takes no reference to what it is given, though it drops one; here one is taken. Before torch 2.13
a region under selective checkpointing gives a second backward pass what the first left over, a wrong gradient without a
word; here it refuses, as later releases do.

Overridden elsewhere, where a module's state moves or loads in a way of its own: ``Module._apply`` (``placement.py``)
and ``Module._load_from_state_dict``; ``gradients/roles.py`` reads ``_orig_mod``, which ``torch.compile`` adds to names.
Nodes are known by the names of their types (``AddmmBackward0``); one of another name takes the general way.
"""
