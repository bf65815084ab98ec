"""All that this package reads or changes of PyTorch beyond its public interface, in one package.

Seen in torch 2.13.0 and 2.14.1, with which the tests run; earlier releases are not supported. "Absent" is what happens
where a release no longer has the name.

=======================================  ===========================================  =================================
touched                                  what for                                     absent
=======================================  ===========================================  =================================
``Tensor._backward_hooks``               hooks of parameters run once per step        AttributeError at the first step
``_C._stash_obj_in_tls`` and its kin     the same, in autograd's own threads          AttributeError at import
``node._saved_*``, ``_raw_saved_*``      inputs of layers; where views take parts     AttributeError at the first step
``SavedTensor.unpack_hook``              whether a hook hides what was saved          taken to be so: rows, no factors
``node._input_metadata``                 shapes of what a node gives                  AttributeError at the first step
``CompiledFunction``'s ``_forward_cls``  whether a compiled graph allows K passes     refused; ``compile_safe`` is asked
and ``_aot_id``                                                                       for
``_functorch.config``, ``AOT_COUNTER``   no donated buffers, in all threads           ``compile_safe`` raises
``_C._current_graph_task_id``,           whether the running backward needs the       AttributeError at the first step
``_will_engine_execute_node``, ...       graph again, and which one it is
``_C._functorch``                        tell a loss made inside ``torch.func``       AttributeError at the first step
``_C.DisableTorchFunctionSubclass``      plain tensors of subclasses                  AttributeError for subclasses
``Tensor._version``                      a parameter changed between two looks        AttributeError when first needed
``torch._foreach_*``                     one kernel for many tensors                  AttributeError at the first step
``aten._embedding_bag_backward``         gradient of an embedding bag                 AttributeError where one is met
``DDPSink``'s ``ddp_weakref``, DDP's     which gradients DDP awaits; its first        DDP with a static graph or unused
``reducer``, ``_static_graph_...``       all-reduce of a static graph                 parameters fails in its reducer
``DDP._join_config``                     refuse ``join()``                            ``join()`` hangs
``_get_fsdp_state`` (FSDP2)              gathered -> sharded parameters               taken for unsharded: no parameter
                                                                                      is reached, which is an error
``_handle``, ``_is_flat_param`` (FSDP1)  refuse what makes no gradients of tasks      no parameter is reached: an error
``_functional_collectives``              gather features with their gradient          ImportError where it is called
=======================================  ===========================================  =================================

Overridden elsewhere, where a module's state moves or loads in a way of its own: ``Module._apply`` (``placement.py``)
and ``Module._load_from_state_dict``; ``gradients/roles.py`` reads ``_orig_mod``, which ``torch.compile`` adds to names.
Nodes are known by the names of their types (``AddmmBackward0``); one of another name takes the general way.
"""
