#pragma once

#include <string>

#include "core/catalog.h"

namespace reckon {

/// A table in Markdown of all presets: whom each can answer, how it learns, how it ranks and what it
/// holds. Everything is asked of the models themselves, built at tiny sizes and not trained.
std::string contract_table(const Catalog& catalog);

/// `page` with contract_table() between the lines kContractsBegin and kContractsEnd.
/// Throws   ConfigError when `page` lacks one of the lines.
std::string with_contract_table(const std::string& page, const Catalog& catalog);

inline constexpr const char* kContractsBegin =
    "<!-- made by: reckon describe --contracts PAGE -->\n";
inline constexpr const char* kContractsEnd = "<!-- made until here -->\n";

}  // namespace reckon
