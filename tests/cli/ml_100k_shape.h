#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <vector>

#include "core/random.h"

namespace reckon {

/// A folder with the files of MovieLens 100K as `reckon data fetch` leaves them, of a few made-up users
/// and films: mostly, whoever saw a film sees one of three others next.
class Ml100kShape {
 public:
  static constexpr int64_t kUsers = 300, kItems = 60;

  explicit Ml100kShape(const std::filesystem::path& folder) {
    std::filesystem::create_directories(folder);
    std::vector<std::string> lines;
    for (int64_t user = 1; user <= kUsers; ++user) {
      CounterRng random(RandomKey(11, 1, 0, static_cast<uint64_t>(user)));
      auto& seen = histories_.emplace_back();
      auto item = below(random, kItems);
      const auto length = 10 + below(random, 12);
      for (int64_t tries = 0; tries < 200 && static_cast<int64_t>(seen.size()) < length; ++tries) {
        if (std::find(seen.begin(), seen.end(), item) == seen.end()) {
          lines.push_back(id(user) + "\t" + id(item + 1) + "\t" + id(1 + below(random, 5)) + "\t" +
                          id(880000000 + 1000 * static_cast<int64_t>(seen.size()) + user) + "\n");
          seen.push_back(item);
        }
        // What is off the way falls on few films, so that there are popular ones.
        item = random.uniform() < 0.8 ? (item * 7 + 11 + 17 * below(random, 3)) % kItems
                                      : below(random, 1 + below(random, kItems));
      }
    }
    // As in the original, in no order.
    shuffle(std::span(lines), RandomKey(12));
    std::ofstream interactions(folder / "interactions.tsv");
    interactions << "user\titem\trating\ttimestamp\n";
    for (const auto& line : lines) interactions << line;
    std::ofstream items(folder / "items.tsv");
    items << "item\ttitle\tyear\tgenres\n";
    for (int64_t i = 1; i <= kItems; ++i)
      items << i << "\t" << title(id(i)) << "\t" << 1930 + i << "\tDrama|War\n";
    std::ofstream users(folder / "users.tsv");
    users << "user\tage\tgender\toccupation\tzip\n";
    for (int64_t user = 1; user <= kUsers; ++user)
      users << user << "\t" << 20 + user % 50 << "\tF\tother\t00000\n";
  }

  static std::string title(const std::string& item) {
    return "Film " + item + ", The (" + id(1930 + std::stoll(item)) + ")";
  }

  /// What a user saw, oldest first.
  std::vector<std::string> history(const std::string& user) const {
    std::vector<std::string> out;
    for (const auto item : histories_.at(static_cast<size_t>(std::stoll(user) - 1)))
      out.push_back(id(item + 1));
    return out;
  }

 private:
  static std::string id(int64_t number) { return std::to_string(number); }
  static int64_t below(CounterRng& random, int64_t bound) {
    return static_cast<int64_t>(random.below(static_cast<uint64_t>(bound)));
  }

  std::vector<std::vector<int64_t>> histories_;
};

}  // namespace reckon
