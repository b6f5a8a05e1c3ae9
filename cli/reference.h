#pragma once

#include <string>

#include "core/catalog.h"

namespace reckon {

/// The option reference as Markdown, the content of docs/reference.md.
std::string reference_text(const Catalog& catalog);

}  // namespace reckon
