#pragma once

namespace reckon {

/// Makes the first call of every vector function that LibTorch takes from MKL (at::tanh, at::exp and others), once
/// in a process.
///
/// Each of these finds out at its first call which loop the processor has, and a thread that comes in meanwhile is
/// served by one of lower accuracy (5e-5 for tanh): once in hundreds of processes, a model then learns or
/// answers otherwise than the same model elsewhere. Whoever begins threads that compute calls this before.
void prepare_vector_math();

}  // namespace reckon
