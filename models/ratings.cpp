#include "models/ratings.h"

#include <ATen/Parallel.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <span>
#include <sstream>
#include <stdexcept>

#include "core/grouping.h"
#include "core/ids.h"
#include "core/random.h"

namespace reckon {

void RatingScale::describe(Schema<RatingScale>& schema) {
  schema.field("low", &RatingScale::low).doc("The lowest rating that users can give.");
  schema.field("high", &RatingScale::high).doc("The highest one.");
  schema.field("clip", &RatingScale::clip)
      .doc(
          "Whether predictions outside of the scale become its nearest end. Rankings by clipped "
          "predictions have ties; without, they are ordered by what lies beyond.");
  schema.invariant("high", "must be above 'low'",
                   [](const RatingScale& o) { return o.high > o.low; });
}

torch::Tensor RatingScale::clipped(const torch::Tensor& predictions) const {
  return clip ? predictions.clamp(low, high) : predictions;  // [...]
}

Ratings::Ratings(const Interactions& train, int64_t num_users, int64_t num_items,
                 const RatingScale& scale, const std::string& model, bool by_item)
    : num_users_(num_users), num_items_(num_items) {
  TORCH_CHECK(train.num_users == num_users && train.num_items == num_items, model, ": made for ",
              num_users, " users and ", num_items, " items, got data of ", train.num_users, " and ",
              train.num_items);
  if (train.size() == 0)
    throw std::invalid_argument(model + ": training has no rating to learn from");
  if (!train.labels.defined()) throw std::invalid_argument(model + ": the data has no ratings");
  user_offsets_ = train.user_offsets.contiguous();  // [U + 1]
  items_ = train.items.contiguous();                // [E]
  values_ = train.labels.contiguous();              // [E]
  take_pointers();
  drop_repetitions();
  float lowest = values()[0], highest = lowest;
  double sum = 0.0;
  const int64_t num_rows = size();
  for (int64_t row = 0; row < num_rows; ++row) {
    const float value = values()[row];
    if (!std::isfinite(value))
      throw std::invalid_argument(model + ": a rating of training is NaN or infinite");
    lowest = std::min(lowest, value);
    highest = std::max(highest, value);
    sum += value;
  }
  // A float32 rating of 0.1 is not the double 0.1.
  if (lowest < static_cast<float>(scale.low) || highest > static_cast<float>(scale.high)) {
    std::ostringstream text;
    text << model << ": ratings of training go from " << lowest << " to " << highest
         << ", and model.scale declares " << scale.low << " to " << scale.high
         << "; say model.scale: {low: ..., high: ...} of the data";
    throw std::invalid_argument(text.str());
  }
  mean_ = sum / static_cast<double>(size());
  if (by_item) order_by_item();
}

void Ratings::take_pointers() {
  offsets_of_users_ = user_offsets_.const_data_ptr<int64_t>();
  item_of_ = items_.const_data_ptr<int32_t>();
  value_of_ = values_.const_data_ptr<float>();
}

void Ratings::order_by_item() {
  item_offsets_.resize(static_cast<size_t>(num_items_) + 1);
  users_.resize(static_cast<size_t>(size()));
  item_values_.resize(static_cast<size_t>(size()));
  turn_lists(num_users_, user_offsets(), items(), num_items_, item_offsets_.data(),
             at::get_num_threads(), [&](int64_t place, int32_t user, int64_t row) {
               users_[static_cast<size_t>(place)] = user;
               item_values_[static_cast<size_t>(place)] = value_of_[row];
             });
}

void Ratings::drop_repetitions() {
  std::vector<int64_t> last_user(static_cast<size_t>(num_items_), -1);
  std::vector<int64_t> rows;
  auto offsets = torch::zeros({num_users_ + 1}, torch::kLong);  // [U + 1]
  for (int64_t user = 0; user < num_users_; ++user) {
    const auto first = static_cast<ptrdiff_t>(rows.size());
    for (int64_t row = user_offsets()[user + 1] - 1; row >= user_offsets()[user]; --row) {
      auto& seen_by = last_user[static_cast<size_t>(items()[row])];
      if (seen_by == user) continue;
      seen_by = user;
      rows.push_back(row);
    }
    std::reverse(rows.begin() + first, rows.end());
    offsets.mutable_data_ptr<int64_t>()[user + 1] = static_cast<int64_t>(rows.size());
  }
  if (static_cast<int64_t>(rows.size()) == size()) return;
  const auto kept = torch::tensor(rows, torch::kLong);  // [E']
  items_ = items_.index_select(0, kept);                // [E']
  values_ = values_.index_select(0, kept);              // [E']
  user_offsets_ = offsets;                              // [U + 1]
  take_pointers();
}

void Ratings::shuffle_each_user(uint64_t seed, int64_t round) {
  std::vector<int64_t> rows(static_cast<size_t>(size()));
  for (size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<int64_t>(i);
  const auto* offsets = user_offsets();
  for (int64_t user = 0; user < num_users_; ++user)
    shuffle(std::span<int64_t>(rows.data() + offsets[user],
                               static_cast<size_t>(offsets[user + 1] - offsets[user])),
            RandomKey(seed, RandomStream::kShuffle, static_cast<uint64_t>(round),
                      static_cast<uint64_t>(user)));
  auto items = torch::empty_like(items_);    // [E]
  auto values = torch::empty_like(values_);  // [E]
  auto* new_items = items.mutable_data_ptr<int32_t>();
  auto* new_values = values.mutable_data_ptr<float>();
  for (size_t i = 0; i < rows.size(); ++i) {
    new_items[i] = item_of_[rows[i]];
    new_values[i] = value_of_[rows[i]];
  }
  items_ = items;
  values_ = values;
  take_pointers();
}

RatingMeansImpl::RatingMeansImpl(int64_t num_users, int64_t num_items)
    : mean_(register_buffer("mean", torch::zeros({}))),
      users_(register_buffer("users", torch::zeros({num_users}))),
      items_(register_buffer("items", torch::zeros({num_items}))),
      user_counts_(register_buffer("user_counts", torch::zeros({num_users}, torch::kLong))),
      item_counts_(register_buffer("item_counts", torch::zeros({num_items}, torch::kLong))) {}

void RatingMeansImpl::fit(const Ratings& ratings) {
  mean_.fill_(ratings.mean());
  const auto fill = [&](auto ratings_of, torch::Tensor& means, torch::Tensor& counts) {
    for (int64_t i = 0; i < means.size(0); ++i) {
      const RatingsOfOne own = ratings_of(i);
      double sum = 0.0;
      for (int64_t j = 0; j < own.size; ++j) sum += own.values[j];
      means.mutable_data_ptr<float>()[i] =
          static_cast<float>(own.size > 0 ? sum / static_cast<double>(own.size) : ratings.mean());
      counts.mutable_data_ptr<int64_t>()[i] = own.size;
    }
  };
  fill([&](int64_t user) { return ratings.of_user(user); }, users_, user_counts_);
  fill([&](int64_t item) { return ratings.of_item(item); }, items_, item_counts_);
}

torch::Tensor RatingMeansImpl::known_users(const torch::Tensor& users) const {
  const auto known =
      user_counts_.index({users.clamp_min(0)}).gt(0).logical_and(users.ge(0));  // [B]
  return users.masked_fill(known.logical_not(), kUnknownId);                    // [B]
}

torch::Tensor RatingMeansImpl::known_items(const torch::Tensor& items) const {
  return item_counts_.index({items}).gt(0);  // [...]
}

torch::Tensor RatingMeansImpl::all_known_users() const { return user_counts_.gt(0); }  // [U]

torch::Tensor RatingMeansImpl::all_known_items() const { return item_counts_.gt(0); }  // [I]

torch::Tensor RatingMeansImpl::predict(const torch::Tensor& users,
                                       const torch::Tensor& items) const {
  const auto of_user = users_.index({users.clamp_min(0)}).unsqueeze(1);           // [B, 1]
  return torch::where(users.ge(0).unsqueeze(1), of_user, items_.index({items}));  // [B, C]
}

torch::Tensor RatingMeansImpl::predict_all(const torch::Tensor& users) const {
  const auto of_user = users_.index({users.clamp_min(0)}).unsqueeze(1);         // [B, 1]
  return torch::where(users.ge(0).unsqueeze(1), of_user, items_.unsqueeze(0));  // [B, I]
}

torch::Tensor rows_of_known(const torch::Tensor& table, const torch::Tensor& ids) {
  const auto rows = table.index({ids.clamp_min(0)});             // [B, ...]
  const auto known = ids.ge(0).to(table.scalar_type());          // [B]
  return rows * (table.dim() > 1 ? known.unsqueeze(1) : known);  // [B, ...]
}

RaggedRows ragged_rows(const torch::Tensor& offsets, const torch::Tensor& ids) {
  const auto rows = ids.clamp_min(0);                                                       // [B]
  const auto first = offsets.index({rows});                                                 // [B]
  const auto counts = (offsets.index({rows + 1}) - first) * ids.ge(0).to(torch::kLong);     // [B]
  const auto begins = counts.cumsum(0) - counts;                                            // [B]
  const auto numbers = torch::ones_like(ids).cumsum(0) - 1;                                 // [B]
  const auto segments = numbers.repeat_interleave(counts);                                  // [L]
  const auto within = torch::ones_like(segments).cumsum(0) - 1 - begins.index({segments});  // [L]
  return {segments, first.index({segments}) + within, begins};
}

void check_ragged(const torch::Tensor& offsets, const torch::Tensor& entries, int64_t bound,
                  const std::string& model) {
  const bool divides = offsets[0].item<int64_t>() == 0 && offsets.diff().ge(0).all().item<bool>() &&
                       offsets[-1].item<int64_t>() == entries.numel();
  if (!divides)
    throw std::invalid_argument(model + ": offsets do not divide the list of " +
                                std::to_string(entries.numel()) + " entries");
  if (!entries.ge(0).logical_and(entries.lt(bound)).all().item<bool>())
    throw std::invalid_argument(model + ": an entry of the list is not in [0, " +
                                std::to_string(bound) + ")");
}

torch::Tensor normal_table(int64_t num_rows, int64_t width, double mean, double deviation,
                           uint64_t seed, uint64_t table) {
  auto out = torch::empty({num_rows, width});  // [N, D]
  const auto key = RandomKey(seed, RandomStream::kInitialization).child(table);
  auto* values = out.mutable_data_ptr<float>();
  // Box and Muller, two at a time; standard distributions differ between libraries.
  const int64_t count = out.numel();
  for (int64_t i = 0; i < count; i += 2) {
    const double radius =
        std::sqrt(-2.0 * std::log1p(-random_uniform(key, static_cast<uint64_t>(i))));
    const double angle = 2.0 * std::numbers::pi * random_uniform(key, static_cast<uint64_t>(i) + 1);
    values[i] = static_cast<float>(mean + deviation * radius * std::cos(angle));
    if (i + 1 < count)
      values[i + 1] = static_cast<float>(mean + deviation * radius * std::sin(angle));
  }
  return out;
}

torch::Tensor uniform_table(int64_t num_rows, int64_t width, double low, double high, uint64_t seed,
                            uint64_t table) {
  auto out = torch::empty({num_rows, width});  // [N, D]
  const auto key = RandomKey(seed, RandomStream::kInitialization).child(table);
  auto* values = out.mutable_data_ptr<float>();
  const int64_t count = out.numel();
  for (int64_t i = 0; i < count; ++i)
    values[i] =
        static_cast<float>(low + (high - low) * random_uniform(key, static_cast<uint64_t>(i)));
  return out;
}

}  // namespace reckon
