#pragma once

#include <ATen/TracerMode.h>

namespace reckon {

/// Whether operations on this thread are being recorded into a TorchScript trace.
///
/// Custom autograd functions and checks that read values are invisible to a trace, so both are left
/// out of one.
inline bool is_tracing() { return at::tracer::impl::is_dispatch_enabled(); }

}  // namespace reckon
