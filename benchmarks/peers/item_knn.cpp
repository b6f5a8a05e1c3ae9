// Item-based neighbourhood by the cosine, fitted and asked for every user, timed: reckon's side of the rows
// item_knn/gowalla and item_knn_recommend/gowalla.
//
//   reckon_item_knn TRAIN.txt NEIGHBORS K OUTPUT.txt
//
// TRAIN.txt has a line `user item item ...` for each user. Writes the lists and prints the seconds of the fit and
// of the recommendations as JSON.
#include <ATen/Parallel.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "core/ids.h"
#include "kernels/topk.h"
#include "models/item_knn.h"

namespace {

reckon::Interactions read(const char* path) {
  std::vector<std::vector<int32_t>> of_user;
  std::ifstream file(path);
  if (!file) throw std::runtime_error(std::string(path) + ": cannot be read");
  int32_t highest = -1;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    size_t user = 0;
    if (!(words >> user)) continue;
    if (user >= of_user.size()) of_user.resize(user + 1);
    for (int32_t item = 0; words >> item;) {
      of_user[user].push_back(item);
      highest = std::max(highest, item);
    }
  }
  std::vector<int64_t> offsets{0};
  std::vector<int32_t> items;
  for (const auto& own : of_user) {
    items.insert(items.end(), own.begin(), own.end());
    offsets.push_back(static_cast<int64_t>(items.size()));
  }
  reckon::Interactions data;
  data.num_users = static_cast<int64_t>(of_user.size());
  data.num_items = highest + 1;
  data.user_offsets = torch::tensor(offsets, torch::kLong);
  data.items = torch::tensor(items, torch::kInt);
  return data;
}

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 5) {
    std::fprintf(stderr, "usage: reckon_item_knn TRAIN.txt NEIGHBORS K OUTPUT.txt\n");
    return 2;
  }
  const torch::NoGradGuard no_grad;
  const auto data = read(argv[1]);
  const int64_t k = std::stoll(argv[3]);
  reckon::ItemKnn model({.neighbors = std::stoll(argv[2])},
                        {.num_users = data.num_users, .num_items = data.num_items});
  auto begin = std::chrono::steady_clock::now();
  model.fit(data, {});
  const double fit = seconds_since(begin);

  begin = std::chrono::steady_clock::now();
  constexpr int64_t kUsers = 8;  // their scores stay in a core's cache
  auto lists = torch::empty({data.num_users, k}, torch::kLong);  // [U, K]
  at::parallel_for(0, (data.num_users + kUsers - 1) / kUsers, 16, [&](int64_t first, int64_t last) {
    const torch::NoGradGuard no_grad_here;
    const auto* offset = data.user_offsets.const_data_ptr<int64_t>();
    for (int64_t block = first; block < last; ++block) {
      const int64_t user = block * kUsers, end = std::min(data.num_users, user + kUsers);
      int64_t width = 1;
      for (int64_t u = user; u < end; ++u) width = std::max(width, offset[u + 1] - offset[u]);
      auto history = torch::full({end - user, width}, reckon::kPaddingId, torch::kLong);  // [B, T]
      for (int64_t u = user; u < end; ++u)
        std::copy(data.items.const_data_ptr<int32_t>() + offset[u],
                  data.items.const_data_ptr<int32_t>() + offset[u + 1],
                  history.data_ptr<int64_t>() + (u - user + 1) * width -
                      (offset[u + 1] - offset[u]));
      reckon::Batch request(end - user);
      request.set(reckon::batch_key::kHistory, history);
      const auto seen = data.user_offsets.slice(0, user, end + 1);  // [B + 1]
      const auto best = reckon::topk_of_scores(
          model.score_all(model.encode(request)),
          {seen - offset[user], data.items.slice(0, offset[user], offset[end])}, k);
      lists.slice(0, user, end).copy_(best.items);
    }
  });
  const double recommend = seconds_since(begin);

  std::ofstream out(argv[4]);
  const auto list = lists.accessor<int64_t, 2>();
  for (int64_t user = 0; user < data.num_users; ++user)
    for (int64_t place = 0; place < k; ++place)
      out << list[user][place] << (place + 1 < k ? ' ' : '\n');
  std::printf("{\"fit\": %.4f, \"recommend\": %.4f, \"threads\": %d}\n", fit, recommend,
              at::get_num_threads());
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "reckon_item_knn: %s\n", error.what());
  return 1;
}
