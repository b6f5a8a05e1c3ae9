#include "datasets/dataset.h"

#include <algorithm>

#include "core/ids.h"
#include "datasets/batch_builder.h"
#include "datasets/hash.h"

namespace reckon {
namespace {

torch::Tensor selected(const torch::Tensor& values, const torch::Tensor& rows) {
  return values.defined() ? values.index_select(0, rows) : values;  // [E']
}

}  // namespace

Interactions Dataset::part(Split split) const {
  const auto num_rows = interactions_.size();
  const auto num_users = interactions_.num_users;
  const auto wanted = static_cast<uint8_t>(split);
  Interactions out;
  out.num_users = num_users;
  out.num_items = interactions_.num_items;
  out.time_scale = interactions_.time_scale;
  out.mutual = interactions_.mutual;
  if (num_rows == 0) {
    out.user_offsets = torch::zeros({num_users + 1}, torch::kLong);  // [U + 1]
    out.items = torch::empty({0}, torch::kInt);                      // [0]
    out.labels = interactions_.labels;                               // [0]
    return out;
  }
  const auto* splits = split_of_.data_ptr<uint8_t>();
  const auto* offsets = interactions_.user_offsets.data_ptr<int64_t>();
  const auto count = std::count(splits, splits + num_rows, wanted);
  if (count == num_rows) return interactions_;

  auto rows = torch::empty({count}, torch::kLong);                 // [E']
  out.user_offsets = torch::empty({num_users + 1}, torch::kLong);  // [U + 1]
  auto* row_of = rows.data_ptr<int64_t>();
  auto* begin = out.user_offsets.data_ptr<int64_t>();
  int64_t place = 0;
  begin[0] = 0;
  for (int64_t user = 0; user < num_users; ++user) {
    for (int64_t row = offsets[user]; row < offsets[user + 1]; ++row)
      if (splits[row] == wanted) row_of[place++] = row;
    begin[user + 1] = place;
  }
  out.items = selected(interactions_.items, rows);
  out.labels = selected(interactions_.labels, rows);
  out.times = selected(interactions_.times, rows);
  out.weights = selected(interactions_.weights, rows);
  out.events = selected(interactions_.events, rows);
  return out;
}

std::string Dataset::measured_fingerprint() const {
  if (!graph_) return fingerprint_;
  Digest digest;
  const auto add_values = [&](const torch::Tensor& values) {
    if (!values.defined()) return digest.add({});
    const auto flat = values.contiguous();  // [.]
    digest.add({static_cast<const char*>(flat.const_data_ptr()), flat.nbytes()});
  };
  for (const auto& ids : {users_, items_})
    for (int64_t id = 0; id < ids->size(); ++id) digest.add(ids->raw(id));
  for (const auto& values :
       {interactions_.user_offsets, interactions_.items, interactions_.labels, interactions_.times,
        interactions_.weights, interactions_.events, split_of_})
    add_values(values);
  return digest.hex();
}

Interactions Dataset::seen() const {
  if (!interactions_.mutual) return interactions_;
  Interactions out;
  out.num_users = interactions_.num_users;
  out.num_items = interactions_.num_items;
  out.mutual = true;
  const auto users = torch::arange(out.num_users);                                   // [U]
  out.user_offsets = interactions_.user_offsets + torch::arange(out.num_users + 1);  // [U + 1]
  const auto owners = interactions_.user_offsets.diff();                             // [U]
  const auto all = torch::cat({users, users.repeat_interleave(owners)});             // [U + E]
  const auto items = torch::cat({users.to(torch::kInt), interactions_.items});       // [U + E]
  // Stable, so that each user is in front and the others keep their order.
  const auto order = std::get<1>(all.sort(/*stable=*/true, 0, /*descending=*/false));  // [U + E]
  out.items = items.index_select(0, order);                                            // [U + E]
  return out;
}

EvaluationData Dataset::evaluation(Split split) const {
  TORCH_CHECK(split != Split::kTrain, "evaluation: the training split has no held-out items");
  EvaluationData out;
  out.split = split;
  std::vector<int64_t> users, history_offsets = {0}, target_offsets = {0};
  std::vector<int32_t> history, targets;
  std::vector<float> labels;
  if (interactions_.size() > 0) {
    const auto wanted = static_cast<uint8_t>(split);
    const auto* splits = split_of_.data_ptr<uint8_t>();
    const auto* offsets = interactions_.user_offsets.data_ptr<int64_t>();
    const auto* items = interactions_.items.data_ptr<int32_t>();
    const auto* label_of =
        interactions_.labels.defined() ? interactions_.labels.data_ptr<float>() : nullptr;
    for (int64_t user = 0; user < interactions_.num_users; ++user) {
      const auto begin = offsets[user], end = offsets[user + 1];
      if (std::find(splits + begin, splits + end, wanted) == splits + end) continue;
      const auto first_target = static_cast<ptrdiff_t>(targets.size());
      if (interactions_.mutual) history.push_back(static_cast<int32_t>(user));
      for (auto row = begin; row < end; ++row) {
        if (splits[row] < wanted) history.push_back(items[row]);
        if (splits[row] != wanted) continue;
        const auto same = std::find(targets.begin() + first_target, targets.end(), items[row]);
        if (same == targets.end()) {
          targets.push_back(items[row]);
          if (label_of != nullptr) labels.push_back(label_of[row]);
        } else if (label_of != nullptr) {
          auto& label = labels[static_cast<size_t>(same - targets.begin())];
          label = std::max(label, label_of[row]);
        }
      }
      users.push_back(user);
      history_offsets.push_back(static_cast<int64_t>(history.size()));
      target_offsets.push_back(static_cast<int64_t>(targets.size()));
    }
  }
  out.users = torch::tensor(users, torch::kLong);                      // [V]
  out.history_offsets = torch::tensor(history_offsets, torch::kLong);  // [V + 1]
  out.history_items = torch::tensor(history, torch::kInt);             // [H]
  out.target_offsets = torch::tensor(target_offsets, torch::kLong);    // [V + 1]
  out.target_items = torch::tensor(targets, torch::kInt);              // [R]
  if (interactions_.labels.defined())
    out.target_labels = torch::tensor(labels, torch::kFloat);  // [R]
  return out;
}

Batch build_requests(const EvaluationData& data, int64_t begin, int64_t end,
                     const RequestNeeds& needs) {
  TORCH_CHECK(begin >= 0 && begin <= end && end <= data.users.numel(), "build_requests: users [",
              begin, ", ", end, ") of ", data.users.numel());
  const auto num_rows = end - begin;
  Batch batch(num_rows);
  if (needs.users) batch.set(batch_key::kUsers, data.users.slice(0, begin, end));  // [B]
  if (needs.max_length <= 0) return batch;

  const auto* offsets = data.history_offsets.data_ptr<int64_t>();
  const auto* items = data.history_items.data_ptr<int32_t>();
  const auto kept = [&](int64_t row) {
    return std::min(offsets[row + 1] - offsets[row], needs.max_length);
  };
  // An empty history is one step of padding: attention and recurrence need at least one.
  int64_t length = 1;
  for (int64_t row = begin; row < end; ++row) length = std::max(length, kept(row));
  auto history = torch::full({num_rows, length}, kPaddingId, torch::kLong);  // [B, T]
  auto* ids = history.data_ptr<int64_t>();
  for (int64_t row = begin; row < end; ++row) {
    const auto count = kept(row);
    std::copy(items + offsets[row + 1] - count, items + offsets[row + 1],
              ids + (row - begin + 1) * length - count);
  }
  batch.set(batch_key::kHistory, history);
  return batch;
}

}  // namespace reckon
