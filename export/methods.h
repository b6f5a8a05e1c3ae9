#pragma once

#include <string>
#include <vector>

#include "export/description.h"
#include "models/feature_encoding.h"

namespace reckon {

/// The methods that `description` allows, with their signatures; for the rest, why the file refuses.
std::vector<MethodDescription> describe_methods(const Description& description);

/// The TorchScript source of all methods of a file, fitted to what the file holds.
///
/// The source reads these attributes of the module it is defined on:
///   model          traced_encode(users, history), traced_usable(users, history) where a fallback is
///                  needed, traced_score(states..., candidates) and, where
///                  scores are inner products, traced_queries(states...), and traced_query_bias
///   model          traced_contributions(users, history, items) where Description::explains()
///   item_ids       id table (export/text_table.h); user_ids where the file holds users
///   columns        list of (text table) modules as column_0, column_1, ...
///   fallback_scores [I] float32; factor_items [I, D] and factor_bias [I]; item_vectors [I, D];
///   user_offsets [U + 1] int64, user_items [E] int32 and user_left_out [U] int32: each only where the
///   description says so
/// With `features`, which is null without Description::user_features:
///   model          traced_encode_features(users, history, codes, numbers), and traced_usable_features
///                  where a fallback is needed
///   feature_blanks what is stripped off values; feature_names, feature_separators
///                  by column; feature_0, feature_1, ...: id table of the values of each that has any
std::string method_source(const Description& description, bool has_factor_bias,
                          const FeatureEncoding* features);

}  // namespace reckon
