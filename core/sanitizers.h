#pragma once

namespace reckon {

#if defined(__SANITIZE_ADDRESS__)
#define RECKON_HAS_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define RECKON_HAS_ADDRESS_SANITIZER 1
#endif
#endif

/// Whether this is built with the address sanitizer: it has an allocator of its own, and looks for leaks at the end.
#ifdef RECKON_HAS_ADDRESS_SANITIZER
inline constexpr bool kHasAddressSanitizer = true;
#else
inline constexpr bool kHasAddressSanitizer = false;
#endif

}  // namespace reckon
