#include "datasets/dataset_builder.h"

#include "datasets/graph_builder.h"

namespace reckon {
namespace {

void check_column(const torch::Tensor& values, torch::ScalarType type, int64_t size,
                  const char* name) {
  if (!values.defined()) return;
  TORCH_CHECK(values.dim() == 1 && values.size(0) == size && values.scalar_type() == type &&
                  values.is_contiguous(),
              "dataset: ", name, " must be [", size, "] ", type, ", got ", values.sizes(), " ",
              values.scalar_type());
}

void check_table(const std::vector<TableColumn>& columns, int64_t num_rows, const char* name) {
  for (const auto& column : columns)
    TORCH_CHECK(static_cast<int64_t>(column.values.size()) == num_rows, "dataset: ", name,
                " column ", column.name, " must have ", num_rows, " values, got ",
                column.values.size());
}

}  // namespace

Dataset DatasetBuilder::build(DatasetParts parts) {
  const auto& data = parts.interactions;
  TORCH_CHECK(data.num_users == parts.users.size() && data.num_items == parts.items.size(),
              "dataset: interactions of ", data.num_users, " users and ", data.num_items,
              " items, id maps of ", parts.users.size(), " and ", parts.items.size());
  TORCH_CHECK(data.user_offsets.defined() && data.items.defined() && parts.split_of.defined(),
              "dataset: user_offsets, items and split_of must be there");
  const auto num_rows = data.items.numel();
  check_column(data.user_offsets, torch::kLong, data.num_users + 1, "user_offsets");
  check_column(data.items, torch::kInt, num_rows, "items");
  check_column(data.labels, torch::kFloat, num_rows, "labels");
  check_column(data.times, torch::kLong, num_rows, "times");
  check_column(data.weights, torch::kFloat, num_rows, "weights");
  check_column(data.events, torch::kByte, num_rows, "events");
  check_column(parts.split_of, torch::kByte, num_rows, "split_of");
  const auto* offsets = data.user_offsets.data_ptr<int64_t>();
  bool ascends = offsets[0] == 0 && offsets[data.num_users] == num_rows;
  for (int64_t user = 0; user < data.num_users; ++user)
    ascends = ascends && offsets[user] <= offsets[user + 1];
  TORCH_CHECK(ascends, "dataset: user_offsets must ascend from 0 to ", num_rows);
  const auto* items = data.items.data_ptr<int32_t>();
  bool in_range = true;
  for (int64_t row = 0; row < num_rows; ++row)
    in_range = in_range && items[row] >= 0 && items[row] < data.num_items;
  TORCH_CHECK(in_range, "dataset: items must lie in [0, ", data.num_items, ")");
  if (!parts.by_item.offsets.defined()) parts.by_item = by_item(data);
  check_column(parts.by_item.offsets, torch::kLong, data.num_items + 1, "by_item.offsets");
  check_column(parts.by_item.users, torch::kInt, num_rows, "by_item.users");
  check_column(parts.by_item.rows, torch::kLong, num_rows, "by_item.rows");
  check_table(parts.item_columns, data.num_items, "item");
  check_table(parts.user_columns, data.num_users, "user");

  TORCH_CHECK(!data.mutual || parts.users.to_vector() == parts.items.to_vector(),
              "dataset: users and items of mutual data must be the same");
  if (parts.graph) check_graph(*parts.graph, data.num_users, data.num_items);

  Dataset dataset;
  dataset.users_ = std::make_shared<const IdMap>(std::move(parts.users));
  dataset.items_ = std::make_shared<const IdMap>(std::move(parts.items));
  dataset.interactions_ = std::move(parts.interactions);
  dataset.by_item_ = std::move(parts.by_item);
  dataset.split_of_ = std::move(parts.split_of);
  dataset.item_columns_ = std::move(parts.item_columns);
  dataset.user_columns_ = std::move(parts.user_columns);
  dataset.event_names_ = std::move(parts.event_names);
  dataset.graph_ = std::move(parts.graph);
  dataset.fingerprint_ = std::move(parts.fingerprint);
  dataset.report_ = std::move(parts.report);
  return dataset;
}

}  // namespace reckon
