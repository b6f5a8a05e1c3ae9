// Exact top-k of given vectors with the seen items left out, timed: reckon's side of the row topk/gowalla.
//
//   reckon_topk USERS.npy NUM_USERS ITEMS.npy NUM_ITEMS TRAIN.txt K ROUNDS OUTPUT.txt
//
// TRAIN.txt has a line `user item item ...` for each user; ids are row numbers of the vectors. Writes the
// lists and prints the seconds of each round as JSON.
#include <ATen/Parallel.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "datasets/id_map.h"
#include "datasets/vectors.h"
#include "kernels/topk.h"

namespace {

struct Seen {
  std::vector<std::vector<int32_t>> of_user;
  int64_t num_items = 0;
};

Seen read_seen(const char* path) {
  Seen seen;
  std::ifstream file(path);
  if (!file) throw std::runtime_error(std::string(path) + ": cannot be read");
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    size_t user = 0;
    if (!(words >> user)) continue;
    if (user >= seen.of_user.size()) seen.of_user.resize(user + 1);
    for (int32_t item = 0; words >> item;) seen.of_user[user].push_back(item);
  }
  return seen;
}

// The row numbers as ids, for the reader of vectors: as many as the file's header says.
reckon::IdMap row_ids(int64_t count) {
  reckon::IdMap ids;
  for (int64_t row = 0; row < count; ++row) ids.add(std::to_string(row));
  return ids;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 9) {
    std::fprintf(stderr,
                 "usage: reckon_topk USERS.npy NUM_USERS ITEMS.npy NUM_ITEMS TRAIN.txt K ROUNDS "
                 "OUTPUT.txt\n");
    return 2;
  }
  constexpr int64_t kWidth = 64;
  const int64_t num_users = std::stoll(argv[2]), num_items = std::stoll(argv[4]);
  const auto users = reckon::read_vectors(argv[1], row_ids(num_users), kWidth).rows;  // [U, D]
  const auto items = reckon::read_vectors(argv[3], row_ids(num_items), kWidth).rows;  // [I, D]
  const auto seen = read_seen(argv[5]);
  const int64_t k = std::stoll(argv[6]), rounds = std::stoll(argv[7]);

  std::vector<int64_t> offsets{0};
  std::vector<int32_t> flat;
  for (int64_t user = 0; user < num_users; ++user) {
    if (user < static_cast<int64_t>(seen.of_user.size()))
      flat.insert(flat.end(), seen.of_user[user].begin(), seen.of_user[user].end());
    offsets.push_back(static_cast<int64_t>(flat.size()));
  }
  const reckon::SeenItems exclude{torch::tensor(offsets), torch::tensor(flat, torch::kInt)};
  reckon::TopK best;
  std::string text = "{\"seconds\": [";
  for (int64_t round = 0; round < rounds; ++round) {
    const auto begin = std::chrono::steady_clock::now();
    best = reckon::topk(users.unsqueeze(1), items, {}, false, exclude, k);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    text += (round > 0 ? ", " : "") + std::to_string(took.count());
  }
  std::ofstream out(argv[8]);
  const auto lists = best.items.accessor<int64_t, 2>();
  for (int64_t user = 0; user < num_users; ++user)
    for (int64_t place = 0; place < k; ++place)
      out << lists[user][place] << (place + 1 < k ? ' ' : '\n');
  std::printf("%s], \"threads\": %d}\n", text.c_str(), at::get_num_threads());
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "reckon_topk: %s\n", error.what());
  return 1;
}
