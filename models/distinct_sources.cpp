#include "models/distinct_sources.h"

#include "core/ids.h"

namespace reckon {

Explanation with_distinct_sources(const Explanation& all) {
  const auto sorted = all.sources.sort(1);
  const auto& sources = std::get<0>(sorted);                             // [B, P]
  const auto values = all.contributions.gather(1, std::get<1>(sorted));  // [B, P]
  // Below every id, so that a run begins in the first column.
  const auto before =
      at::constant_pad_nd(sources, {1, 0}, kPaddingId - 1).slice(1, 0, -1);  // [B, P]
  const auto run = sources.ne(before).cumsum(1) - 1;                         // [B, P]
  return {.sources = at::full_like(sources, kPaddingId).scatter(1, run, sources),
          .contributions = at::zeros_like(values).scatter_add(1, run, values),
          .rest = all.rest};
}

}  // namespace reckon
