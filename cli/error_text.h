#pragma once

#include <exception>
#include <string>

namespace reckon {

/// What to tell the person at the terminal of an error that is none of ours: LibTorch's without its
/// backtrace; memory that there is not, in one sentence with how much was asked for.
std::string error_text(const std::exception& error);

}  // namespace reckon
