#pragma once

#include <optional>
#include <string>
#include <vector>

#include "export/description.h"
#include "serving/requests.h"

namespace reckon {

struct Refusal {
  std::string reason, hint;
};

/// Why the file does not serve `request`, and how else to ask, in the words of options or of a
/// request line; the file's own words speak of methods.
std::optional<Refusal> refusal_of(const Description& description, const Request& request);

/// The same for the explanation of an item to whoever `request` is: by user, history or both.
std::optional<Refusal> refusal_to_explain(const Description& description, const Request& request);

/// `a, b, c`, of many ids the first few.
std::string some_of(const std::vector<std::string>& ids);

}  // namespace reckon
