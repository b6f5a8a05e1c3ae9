#include "models/co_clustering.h"

#include <ATen/Parallel.h>
#include <torch/utils.h>

#include "core/random.h"

namespace reckon {
namespace {

constexpr int64_t kRowsPerTask = 64;

/// Mean ratings of groups; the mean of all for those without ratings.
struct GroupMeans {
  std::vector<double> users, items, pairs;
};

GroupMeans means_of_groups(const Ratings& ratings, const int64_t* user_group,
                           const int64_t* item_group, int64_t user_groups, int64_t item_groups) {
  GroupMeans out{std::vector<double>(static_cast<size_t>(user_groups)),
                 std::vector<double>(static_cast<size_t>(item_groups)),
                 std::vector<double>(static_cast<size_t>(user_groups * item_groups))};
  GroupMeans counts = out;
  for (int64_t user = 0; user < ratings.num_users(); ++user) {
    const auto own = ratings.of_user(user);
    const auto g = static_cast<size_t>(user_group[user]);
    for (int64_t j = 0; j < own.size; ++j) {
      const auto h = static_cast<size_t>(item_group[own.others[j]]);
      const auto pair = g * static_cast<size_t>(item_groups) + h;
      out.users[g] += own.values[j];
      out.items[h] += own.values[j];
      out.pairs[pair] += own.values[j];
      counts.users[g] += 1;
      counts.items[h] += 1;
      counts.pairs[pair] += 1;
    }
  }
  const auto divide = [&](std::vector<double>& sums, const std::vector<double>& numbers) {
    for (size_t i = 0; i < sums.size(); ++i)
      sums[i] = numbers[i] > 0 ? sums[i] / numbers[i] : ratings.mean();
  };
  divide(out.users, counts.users);
  divide(out.items, counts.items);
  divide(out.pairs, counts.pairs);
  return out;
}

// The group of each with the least squared error, the first of equal ones. `predict(i, group,
// other)`.
template <class RatingsOf, class Predict>
void regroup(const RatingsOf& ratings_of, int64_t count, int64_t num_groups, const Predict& predict,
             int64_t* group) {
  at::parallel_for(0, count, kRowsPerTask, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const RatingsOfOne own = ratings_of(i);
      if (own.size == 0) continue;
      double best = 0.0;
      for (int64_t g = 0; g < num_groups; ++g) {
        double sum = 0.0;
        for (int64_t j = 0; j < own.size; ++j) {
          const double error = own.values[j] - predict(i, g, own.others[j]);
          sum += error * error;
        }
        if (g == 0 || sum < best) {
          best = sum;
          group[i] = g;
        }
      }
    }
  });
}

}  // namespace

void CoClustering::Options::describe(Schema<Options>& schema) {
  schema.field("scale", &Options::scale).doc("The scale of the ratings.");
  schema.field("user_groups", &Options::user_groups).at_least(1).doc("Number of groups of users.");
  schema.field("item_groups", &Options::item_groups).at_least(1).doc("Number of groups of items.");
  schema.field("epochs", &Options::epochs).at_least(1).doc("How often all are put into groups.");
}

CoClustering::CoClustering(const Options& options, const Deps& deps)
    : FittedRatingModel(deps, "co_clustering"),
      options_(options),
      user_group_(register_buffer("user_group", torch::zeros({deps.num_users}, torch::kLong))),
      item_group_(register_buffer("item_group", torch::zeros({deps.num_items}, torch::kLong))),
      user_part_(register_buffer("user_part", torch::zeros({deps.num_users}))),
      item_part_(register_buffer("item_part", torch::zeros({deps.num_items}))),
      pairs_(register_buffer("pairs", torch::zeros({options.user_groups, options.item_groups}))) {}

double CoClustering::fit(const Interactions& train, const Context& context) {
  const Ratings ratings(train, user_part_.size(0), num_items(), options_.scale, "co_clustering");
  auto* user_group = user_group_.mutable_data_ptr<int64_t>();
  auto* item_group = item_group_.mutable_data_ptr<int64_t>();
  if (context.round == 0) {
    means_->fit(ratings);
    const RandomKey key(context.seed, RandomStream::kInitialization);
    for (int64_t user = 0; user < ratings.num_users(); ++user)
      user_group[user] =
          static_cast<int64_t>(random_below(key.child(0), static_cast<uint64_t>(user),
                                            static_cast<uint64_t>(options_.user_groups)));
    for (int64_t item = 0; item < num_items(); ++item)
      item_group[item] =
          static_cast<int64_t>(random_below(key.child(1), static_cast<uint64_t>(item),
                                            static_cast<uint64_t>(options_.item_groups)));
  }
  const auto* user_means = means_->of_users().const_data_ptr<float>();
  const auto* item_means = means_->of_items().const_data_ptr<float>();
  const auto now = [&] {
    return means_of_groups(ratings, user_group, item_group, options_.user_groups,
                           options_.item_groups);
  };
  const auto predict = [&](const GroupMeans& means, int64_t user, int64_t g, int64_t item,
                           int64_t h) {
    return means.pairs[static_cast<size_t>(g * options_.item_groups + h)] + user_means[user] -
           means.users[static_cast<size_t>(g)] + item_means[item] -
           means.items[static_cast<size_t>(h)];
  };
  // Users and then items by the means of before, as in the paper's sequential form.
  auto means = now();
  regroup([&](int64_t u) { return ratings.of_user(u); }, ratings.num_users(), options_.user_groups,
          [&](int64_t user, int64_t g, int64_t item) {
            return predict(means, user, g, item, item_group[item]);
          },
          user_group);
  regroup([&](int64_t i) { return ratings.of_item(i); }, num_items(), options_.item_groups,
          [&](int64_t item, int64_t h, int64_t user) {
            return predict(means, user, user_group[user], item, h);
          },
          item_group);
  means = now();
  for (int64_t user = 0; user < ratings.num_users(); ++user)
    user_part_.mutable_data_ptr<float>()[user] =
        static_cast<float>(user_means[user] - means.users[static_cast<size_t>(user_group[user])]);
  for (int64_t item = 0; item < num_items(); ++item)
    item_part_.mutable_data_ptr<float>()[item] =
        static_cast<float>(item_means[item] - means.items[static_cast<size_t>(item_group[item])]);
  for (int64_t pair = 0; pair < pairs_.numel(); ++pair)
    pairs_.mutable_data_ptr<float>()[pair] =
        static_cast<float>(means.pairs[static_cast<size_t>(pair)]);
  double sum = 0.0;
  for (int64_t user = 0; user < ratings.num_users(); ++user) {
    const auto own = ratings.of_user(user);
    for (int64_t j = 0; j < own.size; ++j) {
      const int64_t item = own.others[j];
      const double error =
          own.values[j] - predict(means, user, user_group[user], item, item_group[item]);
      sum += error * error;
    }
  }
  return sum / static_cast<double>(ratings.size());
}

void CoClustering::check_buffers() const {
  const auto inside = [](const torch::Tensor& groups, int64_t count) {
    return groups.ge(0).logical_and(groups.lt(count)).all().item<bool>();
  };
  if (!inside(user_group_, options_.user_groups) || !inside(item_group_, options_.item_groups))
    throw std::invalid_argument("co_clustering: a group that is none");
}

State CoClustering::encode(const Batch& request) {
  const auto users = known_users(request.at(batch_key::kUsers));  // [B]
  const auto groups = user_group_.index({users.clamp_min(0)});    // [B]
  return {{users, pairs_.index({groups}), rows_of_known(user_part_, users)}};
}

torch::Tensor CoClustering::score(const State& state, const torch::Tensor& candidates) {
  return score_all(state).gather(1, candidates);  // [B, C]
}

torch::Tensor CoClustering::score_all(const State& state) {
  const auto predicted = state.tensors[1].index_select(1, item_group_) +
                         state.tensors[2].unsqueeze(1) + item_part_.unsqueeze(0);  // [B, I]
  return options_.scale.clipped(or_means_of_all(predicted, state.tensors[0]));     // [B, I]
}

}  // namespace reckon
