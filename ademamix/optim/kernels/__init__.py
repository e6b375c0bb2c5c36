"""Kernels that make an update in one pass over memory: C for the CPU, Triton for CUDA."""
