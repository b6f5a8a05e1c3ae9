#include <cstdio>
#include <cstdlib>

#include "cli/default_catalog.h"
#include "cli/run.h"
#include "core/sanitizers.h"

int main(int argc, char** argv) {
  const int code = reckon::run(argc, argv, reckon::default_catalog());
  if constexpr (reckon::kHasAddressSanitizer) return code;  // it looks for leaks at a usual end
  // Everything is written and closed. What a usual end would do is take LibTorch's tables of operators
  // apart, one by one: a tenth of a second of each command.
  std::fflush(nullptr);
  std::_Exit(code);
}
